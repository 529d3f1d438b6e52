// The open block of another process, by what that has committed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "history/block.h"
#include "history/sqlite.h"
#include "history/tail.h"

namespace gpuscope::history {

// Keeps what it has read, and reads on from there: the first look costs the whole tail, which is at
// most an hour, each later one what has come since. Belongs to one connection and one thread.
class TailView {
 public:
  // The open block as it is now; null when there is none. Valid until the next look. What is
  // damaged ends it.
  base::Result<const OpenBlock*> look(Connection& connection);

 private:
  base::Result<bool> read_on();
  void forget();

  Statement rows_;
  std::string head_;  // the row that the rest belongs to
  std::int64_t last_ = 0;
  std::unique_ptr<TailDecoder> decoder_;
  std::unique_ptr<OpenBlock> block_;
};

}  // namespace gpuscope::history

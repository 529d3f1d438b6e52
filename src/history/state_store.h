// The StateStore in the file of the history: docs/formats/history.md, "States".
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "history/sqlite.h"
#include "model/state_store.h"

namespace gpuscope::history {

// Thread-safe. One connection of its own, beside that of whoever writes the history: each holds the
// file for one short transaction at a time, and waits for the other. The file is made where it is
// not there, with all tables of the history; an agent that keeps no history has states in it alone.
class SqliteStateStore final : public model::StateStore {
 public:
  // Opens nothing: the first call does.
  explicit SqliteStateStore(std::string path);
  ~SqliteStateStore() override;

  base::Result<std::optional<std::string>> get(std::string_view kind,
                                               std::string_view key) override;
  base::Result<std::vector<model::StateRecord>> page(std::string_view kind,
                                                     const model::StatePage& which) override;
  base::Result<void> apply(std::span<const model::StateChange> changes) override;
  base::Result<std::string> append(std::string_view kind, std::string_view value) override;
  base::Result<void> trim(std::string_view kind, std::size_t keep) override;
  bool durable() const override { return true; }

  // For tests: the file may have so many pages more, as on a full disk.
  base::Result<void> limit_pages_for_test(int pages);

 private:
  struct Open;
  // The file, opened where it was not.
  base::Result<Open*> open() REQUIRES(mutex_);
  // Runs `work` on the open file; one that turns out to be damaged or replaced is opened anew the
  // next time.
  template <typename Work>
  auto with_file(Work work) -> decltype(work(std::declval<Open&>()));

  const std::string path_;
  base::Mutex mutex_;
  std::unique_ptr<Open> open_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::history

// How often each function was called, in a file that others can map while the program runs.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"

namespace gpuscope::simulated {

// The file is an array of these, in the machine's byte order; a row whose name is empty is unused,
// and all after it are. Rows are added in the order in which functions are first called.
struct CallRow {
  static constexpr std::size_t kNameSize = 56;
  std::array<char, kNameSize> name;  // padded with NULs
  std::atomic<std::uint64_t> count;
};
static_assert(sizeof(CallRow) == 64);
inline constexpr std::size_t kCallRows = 512;

// Thread-safe. Lives as long as the process: rows stay valid for ever.
class CallTable {
 public:
  // Counts from now on into the file, which is created or emptied. Counts until then are carried
  // over. Without this, counts are kept in memory.
  base::Result<void> map(const std::string& path) EXCLUDES(mutex_);

  // The row of a function, to be fetched once and incremented on every call. The reference follows
  // to the file when there is one.
  std::size_t row(std::string_view name) EXCLUDES(mutex_);
  void count(std::size_t row) {
    rows_.load(std::memory_order_acquire)[row].count.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  base::Mutex mutex_;
  std::size_t used_ GUARDED_BY(mutex_) = 0;
  std::string path_ GUARDED_BY(mutex_);
  std::array<CallRow, kCallRows> own_{};
  std::atomic<CallRow*> rows_{own_.data()};
};

}  // namespace gpuscope::simulated

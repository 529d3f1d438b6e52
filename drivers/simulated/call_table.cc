#include "call_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gpuscope::simulated {
namespace {

std::string_view name_of(const CallRow& row) {
  return {row.name.begin(), std::ranges::find(row.name, '\0')};
}

}  // namespace

base::Result<void> CallTable::map(const std::string& path) {
  const base::MutexLock lock(mutex_);
  if (path == path_) return {};
  const auto failure = [&] {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot count calls in {}: {}", path, std::strerror(errno)));
  };
  constexpr std::size_t kSize = sizeof(CallRow) * kCallRows;
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failure();
  void* memory = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(kSize)) == 0) {
    memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  auto result = memory == MAP_FAILED ? base::Result<void>(failure()) : base::Result<void>();
  close(file);
  if (!result) return result;
  // The mapping of before stays: a call may be counting in it. There are only ever a few.
  auto* rows = static_cast<CallRow*>(memory);
  const CallRow* old = rows_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < used_; ++i) {
    rows[i].name = old[i].name;
    rows[i].count.store(old[i].count.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  rows_.store(rows, std::memory_order_release);
  path_ = path;
  return {};
}

std::size_t CallTable::row(std::string_view name) {
  const base::MutexLock lock(mutex_);
  CallRow* rows = rows_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < used_; ++i) {
    if (name_of(rows[i]) == name) return i;
  }
  // There are fewer functions than rows; were there not, the last ones would share a row.
  if (used_ == kCallRows) return kCallRows - 1;
  const std::size_t length = std::min(name.size(), CallRow::kNameSize - 1);
  std::copy_n(name.begin(), length, rows[used_].name.data());
  return used_++;
}

}  // namespace gpuscope::simulated

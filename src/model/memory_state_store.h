// A StateStore in memory: for an agent that has no place for data, and for tests.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "model/state_store.h"

namespace gpuscope::model {

// Thread-safe. Nothing outlives it.
class MemoryStateStore final : public StateStore {
 public:
  base::Result<std::optional<std::string>> get(std::string_view kind,
                                               std::string_view key) override {
    base::MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    const auto at = records_.find({std::string(kind), std::string(key)});
    if (at == records_.end()) return std::nullopt;
    return at->second;
  }

  base::Result<std::vector<StateRecord>> page(std::string_view kind,
                                              const StatePage& which) override {
    base::MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    std::vector<StateRecord> all;
    for (auto at = records_.lower_bound({std::string(kind), ""});
         at != records_.end() && at->first.first == kind; ++at) {
      all.push_back({at->first.second, at->second});
    }
    if (which.descending) std::ranges::reverse(all);
    std::erase_if(all, [&](const StateRecord& record) {
      if (which.after.empty()) return false;
      return which.descending ? record.key >= which.after : record.key <= which.after;
    });
    if (all.size() > which.limit) all.resize(which.limit);
    return all;
  }

  base::Result<void> apply(std::span<const StateChange> changes) override {
    base::MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    for (const StateChange& change : changes) {
      if (change.value) {
        records_[{change.kind, change.key}] = *change.value;
      } else {
        records_.erase({change.kind, change.key});
      }
    }
    return {};
  }

  base::Result<std::string> append(std::string_view kind, std::string_view value) override {
    base::MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    std::string key = fmt::format("{:020}", ++last_[std::string(kind)]);
    records_[{std::string(kind), key}] = value;
    return key;
  }

  base::Result<void> trim(std::string_view kind, std::size_t keep) override {
    base::MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    const auto first = records_.lower_bound({std::string(kind), ""});
    auto end = first;
    std::size_t count = 0;
    for (; end != records_.end() && end->first.first == kind; ++end) ++count;
    if (count > keep) {
      records_.erase(first, std::next(first, static_cast<std::ptrdiff_t>(count - keep)));
    }
    return {};
  }

  bool durable() const override { return false; }

  // For tests: every call fails with this from here on; nullopt: none does.
  void fail_with(std::optional<base::Error> error) {
    base::MutexLock lock(mutex_);
    error_ = std::move(error);
  }

 private:
  base::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> records_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> last_ GUARDED_BY(mutex_);
  std::optional<base::Error> error_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::model

// Ticks that a test makes. For tests alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "model/tick_reader.h"

namespace gpuscope::prom {

// What a test and its readers share: all ticks are of block 1. Thread-safe.
class FakeTicks {
 public:
  void add(model::Snapshot tick) {
    base::MutexLock lock(mutex_);
    ticks_.push_back(std::make_unique<model::Snapshot>(std::move(tick)));
  }
  // As retention does: the first that are left.
  void remove(std::size_t count) {
    base::MutexLock lock(mutex_);
    removed_ = std::min(removed_ + count, ticks_.size());
  }
  // What the next call of next() comes to, once.
  void fail_once(base::Error error) {
    base::MutexLock lock(mutex_);
    error_ = std::make_unique<base::Error>(std::move(error));
  }

 private:
  friend class FakeTickReader;
  base::Mutex mutex_;
  // One each, so that they stay where they are.
  std::vector<std::unique_ptr<model::Snapshot>> ticks_ GUARDED_BY(mutex_);
  std::size_t removed_ GUARDED_BY(mutex_) = 0;
  std::unique_ptr<base::Error> error_ GUARDED_BY(mutex_);
};

class FakeTickReader final : public model::TickReader {
 public:
  explicit FakeTickReader(std::shared_ptr<FakeTicks> ticks) : all_(std::move(ticks)) {}

  base::Result<model::TickPosition> end() override {
    base::MutexLock lock(all_->mutex_);
    return model::TickPosition{1, all_->ticks_.size()};
  }
  void seek(model::TickPosition position) override {
    at_ = position.block == 0 ? 0 : position.tick;
  }
  base::Result<const model::Snapshot*> next() override {
    base::MutexLock lock(all_->mutex_);
    if (all_->error_) return std::unexpected(*std::exchange(all_->error_, nullptr));
    skip_removed(all_->removed_);
    if (at_ >= all_->ticks_.size()) return nullptr;
    return all_->ticks_[at_++].get();
  }
  model::TickPosition position() const override { return {1, at_}; }
  base::Result<std::uint64_t> left() override {
    base::MutexLock lock(all_->mutex_);
    skip_removed(all_->removed_);
    return all_->ticks_.size() - at_;
  }
  std::uint64_t lost() const override { return lost_; }

 private:
  void skip_removed(std::size_t removed) {
    if (at_ >= removed) return;
    lost_ += removed - at_;
    at_ = removed;
  }

  const std::shared_ptr<FakeTicks> all_;
  std::size_t at_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace gpuscope::prom

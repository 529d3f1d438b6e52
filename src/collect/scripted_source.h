// A source that does what a test says, and the means to wait for threads without sleeping. For
// tests and benchmarks alone.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "model/source.h"

namespace gpuscope::collect {

// Turns the processor over to other threads until `condition` holds; fails the test after a time
// that no working program takes.
template <typename Condition>
bool eventually(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) {
      ADD_FAILURE() << "what was waited for never came";
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

// What the source shall do. Thread-safe; shared with the source, so that a test keeps a hand on it.
class Script {
  template <typename Function>
  auto locked(Function function) const {
    base::MutexLock lock(mutex_);
    return function();
  }

 public:
  explicit Script(std::size_t gpus = 1, bool may_block = false)
      : gpus_(gpus), may_block_(may_block) {}

  void fail_open(std::optional<base::Error> error) {
    locked([&] { open_error_ = error; });
  }
  void lose_driver(bool lost) {
    locked([&] { lost_ = lost; });
  }
  void lose_device(std::size_t device, bool gone) {
    locked([&] { gone ? (void)gone_.insert(device) : (void)gone_.erase(device); });
  }
  // read() of the device, or open(), does not return until release().
  void hang(std::size_t device) {
    locked([&] { hung_.insert(device); });
  }
  void hang_open() {
    locked([&] { hung_open_ = true; });
  }
  // The same, but interrupt() ends it.
  void hang_open_until_interrupted() {
    locked([&] { hung_open_ = may_be_interrupted_ = true; });
  }
  void interrupt() {
    base::MutexLock lock(mutex_);
    interrupted_ = true;
    released_.notify_all();
  }
  void release() {
    base::MutexLock lock(mutex_);
    hung_.clear();
    hung_open_ = false;
    released_.notify_all();
  }

  int opens() const {
    return locked([&] { return opens_; });
  }
  // Calls that began.
  std::int64_t reads(std::size_t device) const {
    return locked([&] {
      const auto at = reads_.find(device);
      return at == reads_.end() ? 0 : at->second;
    });
  }

  std::size_t gpus() const { return gpus_; }
  bool may_block() const { return may_block_; }

  base::Result<std::shared_ptr<const model::Inventory>> open() {
    base::MutexLock lock(mutex_);
    ++opens_;
    while (hung_open_ && !(may_be_interrupted_ && interrupted_)) released_.wait(lock);
    if (open_error_) return std::unexpected(*open_error_);
    lost_ = false;
    auto inventory = std::make_shared<model::Inventory>();
    inventory->method = "scripted";
    inventory->rules = model::RuleSet::kSimulatedDefault;
    inventory->gpus.resize(gpus_);
    return inventory;
  }

  // The temperature counts the device's reads in tenths of a degree, and each tells of one XID, 1,
  // 2, 3, 1, 2 and so on; the once-read limit is 87 °C.
  void read(std::size_t device, model::DeviceSample& out) {
    std::int64_t number = 0;
    {
      base::MutexLock lock(mutex_);
      number = ++reads_[device];
      while (hung_.contains(device)) released_.wait(lock);
      if (gone_.contains(device)) {
        out.events.clear();
        out.mark_absent(model::Absence::kGone, /*keep_once=*/true);
        return;
      }
    }
    using model::Metric;
    using model::Reading;
    out.at(Metric::kTemperature) = Reading::of(number);
    out.at(Metric::kGpuUtilization) = Reading::of(100 * (number % 100));
    out.at(Metric::kMemoryUsagePercent) = Reading::of(5000);
    if (!out.at(Metric::kTemperatureMax).present()) {
      out.at(Metric::kTemperatureMax) = Reading::of(870);
    }
    out.events.assign(
        1, {model::EventKind::kXid, static_cast<std::uint64_t>((number - 1) % 3 + 1), {}});
    out.fans.resize(2);
    out.processes.resize(3);
    for (model::Process& process : out.processes) {
      process.name = "a process name that is too long to stand in the string itself";
    }
    out.processes_absence = model::Absence::kPresent;
  }

  bool lost() const {
    return locked([&] { return lost_; });
  }

 private:
  const std::size_t gpus_;
  const bool may_block_;
  mutable base::Mutex mutex_;
  base::CondVar released_;
  std::optional<base::Error> open_error_;
  bool lost_ = false;
  bool hung_open_ = false;
  bool may_be_interrupted_ = false;
  bool interrupted_ = false;
  std::set<std::size_t> hung_;
  std::set<std::size_t> gone_;
  std::map<std::size_t, std::int64_t> reads_;
  int opens_ = 0;
};

class ScriptedSource final : public model::Source {
 public:
  explicit ScriptedSource(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override { return script_->open(); }
  bool devices_may_block() const override { return script_->may_block(); }
  void read(std::size_t device, base::WallTime /*tick*/, model::DeviceSample& out) override {
    script_->read(device, out);
  }
  bool lost() const override { return script_->lost(); }
  void interrupt() override { script_->interrupt(); }

 private:
  std::shared_ptr<Script> script_;
};

}  // namespace gpuscope::collect

#include "device/replay/replay_source.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "device/replay/recording_reader.h"

namespace gpuscope::device::replay {
namespace {

using base::WallTime;
using std::chrono::microseconds;

// What the samples of ticks that are passed over reach counts as well.
void join(model::Spreads& into, const model::Spreads& other) {
  for (std::size_t i = 0; i < into.size(); ++i) {
    if (!other[i].present) continue;
    if (!into[i].present) into[i] = other[i];
    into[i].min = std::min(into[i].min, other[i].min);
    into[i].max = std::max(into[i].max, other[i].max);
  }
}

class ReplaySource final : public model::Source {
 public:
  explicit ReplaySource(const Options& options) : options_(options) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override;
  bool devices_may_block() const override { return false; }
  void read(std::size_t device, WallTime tick, model::DeviceSample& out) override;
  bool lost() const override { return lost_; }

 private:
  base::Result<void> rewind();
  void advance(WallTime tick);
  void begin_again(WallTime tick);
  void show(WallTime tick);
  WallTime recorded_time_at(WallTime tick) const;

  const Options options_;
  std::atomic<bool> lost_ = false;
  // One tick ahead of what is shown, where there is another.
  std::unique_ptr<RecordingReader> reader_;
  bool has_next_ = false;
  std::shared_ptr<const model::Inventory> inventory_;  // as recorded, of what is shown
  std::vector<model::DeviceSample> devices_;
  bool fresh_ = false;            // what is shown next is the first of an open()
  std::optional<WallTime> tick_;  // for which devices_ stand
  // The recorded time `from_` is at the tick `at_`.
  WallTime at_{};
  WallTime from_{};
};

base::Result<void> ReplaySource::rewind() {
  auto reader = RecordingReader::open(options_.path);
  if (!reader) return std::unexpected(std::move(reader.error()));
  reader_ = std::move(*reader);
  has_next_ = true;
  return {};
}

base::Result<std::shared_ptr<const model::Inventory>> ReplaySource::open() {
  if (!reader_ || !has_next_) {
    if (auto ok = rewind(); !ok) return std::unexpected(std::move(ok.error()));
    // The last tick is the one that nothing comes behind: a copy of each is the price.
    while (options_.from_end && has_next_) {
      inventory_ = reader_->tick().inventory;
      devices_ = reader_->tick().devices;
      from_ = reader_->tick().time;
      has_next_ = reader_->next();
    }
  }
  if (has_next_) {
    inventory_ = reader_->tick().inventory;
    from_ = reader_->tick().time;
  }
  fresh_ = true;
  tick_.reset();
  lost_ = false;
  auto replayed = std::make_shared<model::Inventory>(*inventory_);
  replayed->recorded = model::Recorded{inventory_->method, from_};
  replayed->method = "replay";
  return replayed;
}

void ReplaySource::read(std::size_t device, WallTime tick, model::DeviceSample& out) {
  if (tick_ != tick) {
    for (model::DeviceSample& sample : devices_) {
      sample.events.clear();
      sample.spreads = {};
    }
    if (!lost_) advance(tick);
    tick_ = tick;
  }
  if (device < devices_.size()) out = devices_[device];
}

WallTime ReplaySource::recorded_time_at(WallTime tick) const {
  const double passed = static_cast<double>((tick - at_).count()) * options_.speed.value_or(1);
  // A recording is of less than this; and a double of more is no number of microseconds.
  constexpr double kCentury = 100.0 * 366 * 24 * 3600 * 1e6;
  if (passed >= kCentury) return WallTime::max();
  return from_ + microseconds{static_cast<std::int64_t>(std::max(passed, 0.0))};
}

void ReplaySource::advance(WallTime tick) {
  if (fresh_) {
    fresh_ = false;
    at_ = tick;
    if (has_next_) show(tick);
    return;
  }
  if (!has_next_ && options_.loop) begin_again(tick);
  const WallTime until = options_.speed ? recorded_time_at(tick) : WallTime::max();
  while (has_next_ && reader_->tick().time <= until) {
    if (reader_->tick().inventory != inventory_) {
      lost_ = true;
      return;
    }
    show(tick);
    if (!options_.speed) return;
  }
}

// The file is read anew; a machine that is the same goes on as if there were no seam.
void ReplaySource::begin_again(WallTime tick) {
  if (!rewind()) {
    has_next_ = false;  // what is shown stays
    return;
  }
  if (same_inventory(*reader_->tick().inventory, *inventory_)) {
    inventory_ = reader_->tick().inventory;
  }
  at_ = tick;
  from_ = reader_->tick().time;
}

// The reader's tick becomes what is shown; events that were not read yet stay in front of its own,
// and so far as samples reached they still do.
void ReplaySource::show(WallTime tick) {
  const RecordedTick& recorded = reader_->tick();
  const auto shift = tick - recorded.time;
  devices_.resize(recorded.devices.size());
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    std::vector<model::Event> events = std::move(devices_[i].events);
    const model::Spreads spreads = devices_[i].spreads;
    devices_[i] = recorded.devices[i];
    join(devices_[i].spreads, spreads);
    if (events.empty() && devices_[i].events.empty()) continue;
    for (model::Event& event : devices_[i].events) event.time += shift;
    devices_[i].events.insert(devices_[i].events.begin(), events.begin(), events.end());
  }
  has_next_ = reader_->next();
}

}  // namespace

std::unique_ptr<model::Source> make_replay_source(const Options& options) {
  return std::make_unique<ReplaySource>(options);
}

}  // namespace gpuscope::device::replay

#include "collect/trend.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace gpuscope::collect {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::nanoseconds;

namespace {

constexpr std::size_t kFineSteps = 30;
constexpr std::size_t kCoarseSteps = 6;
constexpr std::int64_t kHundredthsOfAll = 10'000;  // 100 % in the catalogue's scale
constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;

std::int64_t rounded(std::int64_t sum, std::int64_t count) {
  const std::int64_t half = sum < 0 ? -count / 2 : count / 2;
  return (sum + half) / count;
}

// A device that is lost or late has nothing to say; its temperature says which.
bool answered(const model::DeviceSample& device) {
  const Absence absence = device.at(Metric::kTemperature).absence;
  return absence != Absence::kGone && absence != Absence::kTimedOut && absence != Absence::kNotYet;
}

std::int64_t per_second(std::int64_t amount, std::int64_t milliseconds) {
  return amount / milliseconds * 1000 + amount % milliseconds * 1000 / milliseconds;
}

// A counter that is read less often than every tick, and what it grows by in a second.
class Flow {
 public:
  Reading follow(const Reading& total, base::SteadyTime now);

 private:
  Reading total_;          // the last one with a value
  base::SteadyTime at_{};  // when it last changed
  Reading rate_;
};

Reading Flow::follow(const Reading& total, base::SteadyTime now) {
  if (!total.present()) return total;
  // A counter that fell has begun anew.
  if (!total_.present() || total.value < total_.value) {
    *this = {};
    total_ = total;
    at_ = now;
  } else if (total.value > total_.value) {
    const std::int64_t milliseconds = (now - at_) / std::chrono::milliseconds{1};
    if (milliseconds <= 0) return rate_;
    rate_ = Reading::of(per_second(total.value - total_.value, milliseconds));
    total_ = total;
    at_ = now;
  } else if (now - at_ >= model::kLinkQuiet) {
    rate_ = Reading::of(0);
    at_ = now - model::kLinkQuiet;  // the next change is of the time since, at most
  }
  return rate_;
}

// Where a metric stands among kSampledMetrics; their number for one that no driver samples.
constexpr std::size_t place_among_sampled(Metric metric) {
  const auto found = std::ranges::find(model::kSampledMetrics, metric);
  return static_cast<std::size_t>(found - model::kSampledMetrics.begin());
}

constexpr auto kSampledPlaces = [] {
  std::array<std::size_t, model::kMovingCount> places{};
  for (std::size_t i = 0; i < places.size(); ++i) {
    places[i] = place_among_sampled(model::kMovingMetrics[i]);
  }
  return places;
}();

std::int64_t recent_step(base::SteadyTime now) {
  return now.time_since_epoch() / RecentCount::kStep;
}

}  // namespace

void Extent::add(std::int64_t value) { add(Extent{value, value, value, 1}); }

void Extent::add(const Extent& other) {
  if (other.count == 0) return;
  min = count == 0 ? other.min : std::min(min, other.min);
  max = count == 0 ? other.max : std::max(max, other.max);
  sum += other.sum;
  count += other.count;
}

void Extent::reach(const model::Spread& spread) {
  if (!spread.present) return;
  min = std::min(min, spread.min);
  max = std::max(max, spread.max);
}

void RecentCount::add(std::int64_t step, std::int64_t age, std::uint16_t times) {
  at(step);
  if (age < 0 || age > kSteps || age > step) return;
  std::uint16_t& count = counts_[static_cast<std::size_t>((step - age) % (kSteps + 1))];
  const auto room = static_cast<std::uint16_t>(std::numeric_limits<std::uint16_t>::max() - count);
  const std::uint16_t added = std::min(times, room);
  count = static_cast<std::uint16_t>(count + added);
  sum_ += added;
}

std::uint32_t RecentCount::at(std::int64_t step) {
  const std::int64_t passed = std::min(step - step_, kSteps + 1);
  for (std::int64_t i = 1; i <= passed; ++i) {
    std::uint16_t& count = counts_[static_cast<std::size_t>((step_ + i) % (kSteps + 1))];
    sum_ -= count;
    count = 0;
  }
  step_ = std::max(step, step_);
  return sum_;
}

// What is known of one GPU.
class Trends::Gpu {
 public:
  explicit Gpu(std::size_t steps) : steps_(steps), ring_((steps + 1) * model::kMovingCount) {}

  // Steps of another length say nothing of those that are kept.
  void forget_windows() {
    std::ranges::fill(ring_, Extent{});
    over_.fill({});
    step_ = 0;
  }
  // `elapsed` is the time that this tick stands for.
  void follow(model::DeviceSample& device, base::WallTime time, base::SteadyTime now,
              nanoseconds elapsed, nanoseconds window, model::GpuTrend& out);

  // The devices were opened anew: what an XID asked for may have been done.
  void forget_xid_times() {
    for (Xid& xid : xids_) xid.last = {};
  }

  // As it was last among the devices.
  model::AbsentGpu description() const;

  std::shared_ptr<const model::Inventory> inventory;
  std::size_t index = 0;
  std::uint64_t bound = 0;  // the last Trends::binding_ that it was part of

 private:
  struct Xid {
    std::uint64_t code;
    std::uint64_t total;
    base::WallTime last;
    RecentCount recent;
  };

  void fill_rates(model::DeviceSample& device, base::SteadyTime now);
  void fill_link_rates(const model::DeviceSample& device, base::SteadyTime now,
                       model::GpuTrend& out);
  void fill_busy(model::DeviceSample& device, nanoseconds elapsed);
  void fill_growth(const model::DeviceSample& device, std::int64_t step, model::GpuTrend& out);
  void take_events(const model::DeviceSample& device, base::WallTime time, std::int64_t step);
  void count_xid(const model::Event& event, std::int64_t step, std::int64_t age);
  void set_clock_events(std::uint64_t mask, std::int64_t step, std::int64_t age);
  void advance(std::int64_t step);
  void fill_windows(const model::DeviceSample& device, std::int64_t step, model::GpuTrend& out);

  // Windows: a ring of steps, each with an extent per moving metric, and those that are over
  // joined.
  const std::size_t steps_;
  std::vector<Extent> ring_;
  std::array<Extent, model::kMovingCount> over_{};
  std::int64_t step_ = 0;

  std::optional<base::WallTime> last_seen_;
  nanoseconds busy_{0};
  nanoseconds busy_for_{0};
  struct Total {
    Reading reading;  // the last one with a value
    base::SteadyTime at{};
  };
  std::array<Total, 2> nvlink_{};  // sent, received
  std::vector<std::array<Flow, 2>> links_;

  struct Growth {
    Reading total;  // the last one with a value
    RecentCount recent;
  };
  std::array<Growth, model::kGrowingMetrics.size()> growth_{};
  std::uint32_t links_up_most_ = 0;

  std::uint64_t xid_last_ = 0;
  std::uint64_t xid_errors_ = 0;
  std::vector<Xid> xids_;  // by code
  std::uint64_t clock_events_ = 0;
  bool clock_events_known_ = false;
  std::array<RecentCount, model::kClockEventCount> clock_recent_{};
  std::array<std::uint64_t, model::kClockEventCount> clock_total_{};
};

void Trends::Gpu::follow(model::DeviceSample& device, base::WallTime time, base::SteadyTime now,
                         nanoseconds elapsed, nanoseconds window, model::GpuTrend& out) {
  const std::int64_t recent = recent_step(now);
  fill_rates(device, now);
  fill_link_rates(device, now, out);
  fill_busy(device, elapsed);
  fill_growth(device, recent, out);
  take_events(device, time, recent);
  device.at(Metric::kXidLast) = Reading::of(static_cast<std::int64_t>(xid_last_));
  device.at(Metric::kXidErrors) = Reading::of(static_cast<std::int64_t>(xid_errors_));
  const nanoseconds width = window / steps_;
  fill_windows(device, now.time_since_epoch() / std::max(width, nanoseconds{1}), out);

  out.xids.resize(xids_.size());
  for (std::size_t i = 0; i < xids_.size(); ++i) {
    out.xids[i] = {xids_[i].code, xids_[i].recent.at(recent), xids_[i].total, xids_[i].last};
  }
  for (std::size_t i = 0; i < model::kClockEventCount; ++i) {
    out.clock_events_recent[i] = clock_recent_[i].at(recent);
  }
  out.clock_events_total = clock_total_;
  out.present = answered(device);
  if (out.present) last_seen_ = time;
  out.last_seen = last_seen_;
}

model::AbsentGpu Trends::Gpu::description() const {
  const bool known = inventory && index < inventory->gpus.size();
  return {index, known ? inventory->gpus[index] : model::GpuInfo{}, last_seen_};
}

void Trends::Gpu::fill_rates(model::DeviceSample& device, base::SteadyTime now) {
  constexpr std::array kTotals{Metric::kNvlinkTx, Metric::kNvlinkRx};
  constexpr std::array kRates{Metric::kNvlinkTxRate, Metric::kNvlinkRxRate};
  for (std::size_t i = 0; i < kTotals.size(); ++i) {
    const Reading total = device.at(kTotals[i]);
    Reading& rate = device.at(kRates[i]);
    Total& before = nvlink_[i];
    if (!total.present()) {
      rate = total;
      continue;
    }
    const std::int64_t milliseconds = (now - before.at) / std::chrono::milliseconds{1};
    // A counter that fell has begun anew.
    const bool known =
        before.reading.present() && milliseconds > 0 && total.value >= before.reading.value;
    rate = known ? Reading::of(per_second(total.value - before.reading.value, milliseconds))
                 : Reading::none(Absence::kNotYet);
    before = {total, now};
  }
}

void Trends::Gpu::fill_link_rates(const model::DeviceSample& device, base::SteadyTime now,
                                  model::GpuTrend& out) {
  out.link_rates.resize(device.links.size());
  // A GPU that does not answer has none for a while; its counters go on.
  if (links_.size() < device.links.size()) links_.resize(device.links.size());
  for (std::size_t i = 0; i < device.links.size(); ++i) {
    const model::LinkRow& link = device.links[i];
    const Reading sent = links_[i][0].follow(link[model::column(Metric::kLinkTx)], now);
    const Reading received = links_[i][1].follow(link[model::column(Metric::kLinkRx)], now);
    out.link_rates[i] = !sent.present()       ? sent
                        : !received.present() ? received
                                              : Reading::of(sent.value + received.value);
  }
}

void Trends::Gpu::fill_busy(model::DeviceSample& device, nanoseconds elapsed) {
  const Reading utilization = device.at(Metric::kGpuUtilization);
  if (utilization.present()) busy_ += elapsed * utilization.value / kHundredthsOfAll;
  if (utilization.present()) {
    const bool busy = utilization.value >= model::kBusyPercent * kHundredthsOfAll / 100;
    busy_for_ = busy ? busy_for_ + elapsed : nanoseconds{0};
  }
  device.at(Metric::kBusySeconds) = Reading::of(busy_.count() / kNanosecondsPerMillisecond);
}

void Trends::Gpu::fill_growth(const model::DeviceSample& device, std::int64_t step,
                              model::GpuTrend& out) {
  constexpr std::int64_t kMost = std::numeric_limits<std::uint16_t>::max();
  for (std::size_t i = 0; i < growth_.size(); ++i) {
    Growth& growth = growth_[i];
    const Reading& total = device.at(model::kGrowingMetrics[i]);
    // A counter that fell has begun anew.
    if (total.present() && growth.total.present() && total.value > growth.total.value) {
      growth.recent.add(
          step, 0, static_cast<std::uint16_t>(std::min(total.value - growth.total.value, kMost)));
    }
    if (total.present()) growth.total = total;
    out.growth_recent[i] = growth.recent.at(step);
  }
  const Reading& up = device.at(Metric::kNvlinkActiveLinks);
  if (up.present()) links_up_most_ = std::max(links_up_most_, static_cast<std::uint32_t>(up.value));
  out.links_up_most = links_up_most_;
  out.busy_for = std::chrono::duration_cast<std::chrono::milliseconds>(busy_for_);
}

void Trends::Gpu::take_events(const model::DeviceSample& device, base::WallTime time,
                              std::int64_t step) {
  for (const model::Event& event : device.events) {
    const std::int64_t age = std::max<std::int64_t>((time - event.time) / RecentCount::kStep, 0);
    if (event.kind == model::EventKind::kXid) {
      count_xid(event, step, age);
    } else {
      set_clock_events(event.code, step, age);
    }
  }
  // Not every source tells of changes; what holds the clocks now says those that lasted.
  std::uint64_t mask = clock_events_;
  bool read = false;
  const std::size_t first = model::column(Metric::kClockEventIdle);
  for (std::size_t i = 0; i < model::kClockEventCount; ++i) {
    const Reading& flag = device.gpu[first + i];
    if (!flag.present()) continue;
    read = true;
    const std::uint64_t bit = std::uint64_t{1} << i;
    mask = flag.value != 0 ? mask | bit : mask & ~bit;
  }
  if (read) set_clock_events(mask, step, 0);
}

void Trends::Gpu::count_xid(const model::Event& event, std::int64_t step, std::int64_t age) {
  xid_last_ = event.code;
  ++xid_errors_;
  auto place = std::ranges::lower_bound(xids_, event.code, {}, &Xid::code);
  if (place == xids_.end() || place->code != event.code) {
    if (xids_.size() == kMaxXids) return;
    place = xids_.insert(place, Xid{event.code, 0, {}, {}});
  }
  ++place->total;
  place->last = event.time;
  place->recent.add(step, age, 1);
}

// What held the clocks when the agent first looked did not begin then.
void Trends::Gpu::set_clock_events(std::uint64_t mask, std::int64_t step, std::int64_t age) {
  const std::uint64_t begun = clock_events_known_ ? mask & ~clock_events_ : 0;
  clock_events_ = mask;
  clock_events_known_ = true;
  for (std::size_t i = 0; begun != 0 && i < model::kClockEventCount; ++i) {
    if ((begun >> i & 1) == 0) continue;
    ++clock_total_[i];
    clock_recent_[i].add(step, age, 1);
  }
}

void Trends::Gpu::advance(std::int64_t step) {
  if (step == step_) return;
  const auto size = static_cast<std::int64_t>(steps_) + 1;
  const std::int64_t passed = std::min(step - step_, size);
  for (std::int64_t i = 0; i < passed; ++i) {
    const auto place = static_cast<std::size_t>((step - i) % size) * model::kMovingCount;
    std::fill_n(ring_.begin() + static_cast<std::ptrdiff_t>(place), model::kMovingCount, Extent{});
  }
  step_ = step;
  over_.fill({});
  for (std::int64_t other = 0; other < size; ++other) {
    if (other == step % size) continue;
    const Extent* extents = &ring_[static_cast<std::size_t>(other) * model::kMovingCount];
    for (std::size_t i = 0; i < model::kMovingCount; ++i) over_[i].add(extents[i]);
  }
}

void Trends::Gpu::fill_windows(const model::DeviceSample& device, std::int64_t step,
                               model::GpuTrend& out) {
  advance(step);
  const auto place = static_cast<std::size_t>(step) % (steps_ + 1) * model::kMovingCount;
  for (std::size_t i = 0; i < model::kMovingCount; ++i) {
    Extent& current = ring_[place + i];
    const Reading& reading = device.at(model::kMovingMetrics[i]);
    if (reading.present()) {
      current.add(reading.value);
      const std::size_t sampled = kSampledPlaces[i];
      if (sampled < device.spreads.size()) current.reach(device.spreads[sampled]);
    }
    Extent all = over_[i];
    all.add(current);
    out.windows[i] = all.count == 0
                         ? model::Window{}
                         : model::Window{true, all.min, rounded(all.sum, all.count), all.max};
  }
}

Trends::Trends(const Options& options)
    : options_(options), absent_(std::make_shared<const std::vector<model::AbsentGpu>>()) {}

Trends::~Trends() = default;

void Trends::follow(model::Snapshot& snapshot, base::SteadyTime now) {
  if (snapshot.inventory != inventory_ || bound_.size() != snapshot.devices.size()) {
    bind(snapshot);
    last_ = now;
  }
  const nanoseconds elapsed =
      std::clamp<nanoseconds>(now - last_, nanoseconds{0}, 2 * options_.interval);
  last_ = now;
  snapshot.trends.resize(bound_.size());
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    bound_[i]->follow(snapshot.devices[i], snapshot.time, now, elapsed, options_.window,
                      snapshot.trends[i]);
  }
}

void Trends::change(const Options& options) {
  if (options.window != options_.window) {
    for (const auto& entry : gpus_) entry.second->forget_windows();
  }
  options_ = options;
}

void Trends::bind(const model::Snapshot& snapshot) {
  inventory_ = snapshot.inventory;
  bound_.clear();
  ++binding_;
  const std::size_t count = snapshot.devices.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::string key = "#" + std::to_string(i);
    if (inventory_ && i < inventory_->gpus.size() && !inventory_->gpus[i].uuid().empty()) {
      const std::string& uuid = inventory_->gpus[i].uuid();
      const auto known = gpus_.find(uuid);
      const bool taken = known != gpus_.end() && known->second->bound == binding_;
      // Of two with one UUID, the second is known by its place as well.
      if (!taken) key.clear();
      key.insert(0, uuid);
    }
    std::unique_ptr<Gpu>& gpu = gpus_[std::move(key)];
    if (!gpu) gpu = std::make_unique<Gpu>(count > kManyGpus ? kCoarseSteps : kFineSteps);
    gpu->forget_xid_times();
    gpu->inventory = inventory_;
    gpu->index = i;
    gpu->bound = binding_;
    bound_.push_back(gpu.get());
  }
  auto absent = std::make_shared<std::vector<model::AbsentGpu>>();
  for (const auto& [key, gpu] : gpus_) {
    if (gpu->bound != binding_) absent->push_back(gpu->description());
  }
  absent_ = std::move(absent);
}

std::shared_ptr<const std::vector<model::AbsentGpu>> Trends::everyone() const {
  auto all = std::make_shared<std::vector<model::AbsentGpu>>();
  all->reserve(gpus_.size());
  for (const auto& [key, gpu] : gpus_) all->push_back(gpu->description());
  return all;
}

}  // namespace gpuscope::collect

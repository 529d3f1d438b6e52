#include "device/nvml/device.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

#include "device/nvml/errors.h"
#include "device/nvml/facts.h"
#include "device/nvml/nvml_source.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::seconds;

// More than any GPU has; NVML's own bounds are 18 links and a handful of fans.
constexpr std::size_t kMaxLinks = 64;
constexpr std::size_t kMaxFans = 32;
constexpr Period kHandlePeriod = seconds{10};
constexpr int kNamesPerTick = 2;

constexpr Period kGpmPeriodOfSplit = seconds{2};
// How much less often than they could be the slow queries are asked, where a GPU has profiling
// metrics to give as well, and where it has MIG instances.
constexpr int kSlowerWithGpm = 2;
constexpr int kSlowerWhenSplit = 3;

// What NVML gives only through profiling.
constexpr std::array kProfiling{
    Metric::kGraphicsEngineActivity, Metric::kSmActivity,   Metric::kSmOccupancy,
    Metric::kTensorActivity,         Metric::kFp64Activity, Metric::kFp32Activity,
    Metric::kFp16Activity,           Metric::kDramActivity,
};

}  // namespace

Device::Device(std::shared_ptr<const Session> session, unsigned int index, const Options& options)
    : session_(std::move(session)),
      index_(index),
      want_gpm_(options.gpm),
      subject_{session_->nvml(), handle_, values_, fields_, processes_},
      gpm_meter_(session_, std::nullopt),
      mig_(session_) {
  subject_.meminfo = options.root + "/proc/meminfo";
}

void Device::find_handle() {
  const Functions& nvml = session_->nvml();
  auto* function = nvml.nvmlDeviceGetHandleByIndex_v2 != nullptr
                       ? nvml.nvmlDeviceGetHandleByIndex_v2
                       : nvml.nvmlDeviceGetHandleByIndex;
  handle_code_ = function == nullptr ? NVML_ERROR_FUNCTION_NOT_FOUND : function(index_, &handle_);
  subject_.device = handle_;
}

std::size_t Device::count_fans() {
  const Functions& nvml = session_->nvml();
  unsigned int fans = 0;
  if (nvml.nvmlDeviceGetNumFans != nullptr) {
    if (nvml.nvmlDeviceGetNumFans(handle_, &fans) != NVML_SUCCESS) return 0;
    return std::min<std::size_t>(fans, kMaxFans);
  }
  unsigned int percent = 0;
  return nvml.nvmlDeviceGetFanSpeed != nullptr &&
                 nvml.nvmlDeviceGetFanSpeed(handle_, &percent) == NVML_SUCCESS
             ? 1
             : 0;
}

std::size_t Device::count_links() {
  const Functions& nvml = session_->nvml();
  if (nvml.nvmlDeviceGetFieldValues != nullptr) {
    nvmlFieldValue_t count{};
    count.fieldId = NVML_FI_DEV_NVLINK_LINK_COUNT;
    if (nvml.nvmlDeviceGetFieldValues(handle_, 1, &count) == NVML_SUCCESS &&
        count.nvmlReturn == NVML_SUCCESS) {
      return std::min<std::size_t>(count.value.uiVal, kMaxLinks);
    }
  }
  std::size_t links = 0;
  nvmlEnableState_t state{};
  while (nvml.nvmlDeviceGetNvLinkState != nullptr && links < NVML_NVLINK_MAX_LINKS &&
         nvml.nvmlDeviceGetNvLinkState(handle_, static_cast<unsigned int>(links), &state) ==
             NVML_SUCCESS) {
    ++links;
  }
  return links;
}

void Device::identify() {
  find_handle();
  if (handle_code_ == NVML_SUCCESS) {
    info_ = read_facts(session_->nvml(), handle_);
    values_.fans.resize(count_fans());
    values_.links.resize(count_links());
    fields_.start(values_.links.size());
    gpm_ = gpm_of_whole_ = want_gpm_ && gpm_supported(session_->nvml(), handle_);
    forget();
    ask_all();
    identified_ = true;
  } else {
    info_.facts.fill(model::Text::none(absence_of(handle_code_)));
  }
  ready_.store(true, std::memory_order_release);
}

// Values as they are before anything was asked; what is read once stays.
void Device::forget() {
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    Reading& reading = values_.at(row.id);
    if (row.cadence == model::Cadence::kOnce && reading.present()) continue;
    reading = Reading::none(Absence::kNotYet);
  }
  if (!gpm_) {
    for (const Metric metric : kProfiling) {
      values_.at(metric) = Reading::none(Absence::kUnsupported);
    }
  }
  gpm_meter_.forget();
  clock_times_.fill(Reading{});
  for (model::FanRow& fan : values_.fans) fan.fill(Reading::none(Absence::kUnsupported));
  for (model::LinkRow& link : values_.links) link.fill(Reading::none(Absence::kUnsupported));
  values_.processes.clear();
  values_.processes_absence = Absence::kNotYet;
}

// Everything is asked again, also what was refused before.
void Device::revive() {
  for (Slot& slot : slots_) slot = {};
  gpm_of_whole_ = gpm_;
  fields_.start(values_.links.size());
}

// Gives the slow queries phases that lie apart from each other: multiples of the golden ratio.
void Device::spread(base::WallTime tick) {
  constexpr double kGolden = 0.618'033'988'75;
  double phase = 0;
  const int slower = slower_by();
  for (std::size_t i = 0; i < queries().size(); ++i) {
    phase += kGolden;
    if (phase >= 1) phase -= 1;
    const double micros = phase * static_cast<double>(queries()[i].period.count() * slower);
    slots_[i].turn.next = tick + Period{static_cast<Period::rep>(micros)};
  }
}

// How much less often than they could be slow queries are asked.
int Device::slower_by() const {
  if (split()) return kSlowerWhenSplit;
  return gpm_ ? kSlowerWithGpm : 1;
}

void Device::ask_all() {
  fields_.read(session_->nvml(), handle_, base::WallTime{}, values_);
  fields_.restart();
  for (const Query& query : queries_at_open()) {
    const nvmlReturn_t code = query.ask(subject_);
    for (const Metric metric : query.metrics.get()) {
      if (code != NVML_SUCCESS) values_.at(metric) = Reading::none(absence_of(code));
    }
  }
  for (std::size_t i = 0; i < queries().size(); ++i) {
    const Query& query = queries()[i];
    std::size_t turns = 1;
    if (query.each == Query::Each::kFan) turns = values_.fans.size();
    if (query.each == Query::Each::kLink) turns = values_.links.size();
    // A query that takes turns is refused when no turn of it works: an inactive link says nothing
    // about the others.
    bool works = false;
    for (std::size_t turn = 0; turn < turns && usable(i); ++turn) {
      if (absence_of(ask(i)) != Absence::kUnsupported) works = true;
    }
    if (query.each != Query::Each::kDevice) slots_[i].refused = !works;
  }
  while (processes_.name_one(session_->nvml())) {
  }
  slow_lane_ = std::make_unique<SlowLane>(session_, handle_);
  slow_lane_->run(lacks_pcie_rates());
  take_slow_readings();
  if (split()) mig_.find_all(handle_, gpm_);
  mark_unified_memory();
  derive();
}

// Once: the row says what the memory figures are, where there are any.
void Device::mark_unified_memory() {
  Reading& unified = values_.at(Metric::kUnifiedMemory);
  if (subject_.shares_host_memory.value_or(false)) {
    unified = Reading::of(1);
  } else if (values_.at(Metric::kMemoryTotal).present()) {
    unified = Reading::of(0);
  } else {
    unified = Reading::none(values_.at(Metric::kMemoryTotal).absence);
  }
}

bool Device::usable(std::size_t query) const {
  if (slots_[query].refused) return false;
  switch (queries()[query].when) {
    case Query::When::kAlways:
      return true;
    case Query::When::kUnlessBefore:
      return slots_[query - 1].refused;
    case Query::When::kUnlessField:
      return !fields_.gives(queries()[query].metrics.get().front());
    case Query::When::kWithNewer:
      return !slots_[query - 2].refused;
  }
  return true;
}

nvmlReturn_t Device::ask(std::size_t index) {
  const Query& query = queries()[index];
  const nvmlReturn_t code = query.ask(subject_);
  if (code == NVML_SUCCESS) return code;
  const Absence why = absence_of(code);
  for (const Metric metric : query.metrics.get()) values_.at(metric) = Reading::none(why);
  if (why == Absence::kUnsupported && query.each == Query::Each::kDevice) {
    slots_[index].refused = true;
  }
  // The driver's own word for it, where no field says the same.
  if (code == NVML_ERROR_RESET_REQUIRED) {
    constexpr std::int64_t kResetTheGpu = 1;
    values_.at(Metric::kRecoveryAction) = Reading::of(kResetTheGpu);
  }
  return code;
}

// False when there is nothing more to ask in this tick.
bool Device::judge(nvmlReturn_t code) {
  driver_gone_ = driver_gone(code);
  const bool gone = device_gone(code);
  if (gone && !gone_) {
    forget();
    revive();
  }
  gone_ = gone;
  return !gone_ && !driver_gone_;
}

bool Device::ask_in_tick(std::size_t query) {
  ++calls_;
  return judge(ask(query));
}

bool Device::run_tick(base::WallTime tick) {
  if (!fields_.empty()) {
    ++calls_;
    if (!judge(fields_.read(session_->nvml(), handle_, tick, values_))) return false;
  }
  const std::span<const Query> all = queries();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].period == kEveryTick && usable(i) && !ask_in_tick(i)) return false;
  }
  return run_groups(tick) && run_slow(tick);
}

// What takes more than one call: profiling metrics, and one of the MIG instances.
bool Device::run_groups(base::WallTime tick) {
  if (gpm_of_whole_ && (!split() || gpm_turn_.due(tick, kGpmPeriodOfSplit))) {
    gpm_turn_.done(tick, kGpmPeriodOfSplit);
    const bool with_pcie = !fields_.gives(Metric::kPcieTxTotal);
    const nvmlReturn_t code =
        gpm_meter_.read(handle_, tick, with_pcie ? gpm_rows_of_gpu() : gpm_rows_without_pcie(),
                        values_.gpu, calls_);
    if (absence_of(code) == Absence::kUnsupported) gpm_of_whole_ = false;
    if (!judge(code)) return false;
  }
  return !split() || judge(mig_.read_next(handle_, tick, calls_));
}

// As many of the slow queries that are due as the tick has calls left for, the longest waiting
// first.
bool Device::run_slow(base::WallTime tick) {
  struct Due {
    Period overdue;
    std::size_t query;
  };
  std::array<Due, kMaxQueries> due;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::size_t count = 0;
  const std::span<const Query> all = queries();
  const int slower = slower_by();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Period period = all[i].period * slower;
    if (period == kEveryTick || !slots_[i].turn.due(tick, period) || !usable(i)) continue;
    due[count++] = {slots_[i].turn.overdue(tick), i};
  }
  const std::size_t room = static_cast<std::size_t>(std::max(allowance_ - calls_, 0));
  const std::size_t turns = std::min(count, room);
  std::partial_sort(due.begin(), due.begin() + turns, due.begin() + count,
                    [](const Due& one, const Due& other) { return one.overdue > other.overdue; });
  for (std::size_t i = 0; i < turns; ++i) {
    const std::size_t query = due[i].query;
    slots_[query].turn.done(tick, all[query].period * slower);
    if (!ask_in_tick(query)) return false;
  }
  for (int names = 0; names < kNamesPerTick && calls_ < allowance_; ++names) {
    if (!processes_.name_one(session_->nvml())) break;
    ++calls_;
    processes_.publish(values_);
  }
  return true;
}

// What follows from the values of others.
void Device::derive() {
  Reading& up = values_.at(Metric::kNvlinkActiveLinks);
  Reading sent = Reading::none(Absence::kUnsupported);
  Reading received = sent;
  up = sent;
  const auto add = [](Reading& sum, const Reading& reading) {
    if (reading.present()) sum = Reading::of(sum.value + reading.value);
  };
  for (const model::LinkRow& link : values_.links) {
    add(up, link[model::column(Metric::kLinkState)]);
    add(sent, link[model::column(Metric::kLinkTx)]);
    add(received, link[model::column(Metric::kLinkRx)]);
  }
  if (!fields_.gives(Metric::kNvlinkTx)) values_.at(Metric::kNvlinkTx) = sent;
  if (!fields_.gives(Metric::kNvlinkRx)) values_.at(Metric::kNvlinkRx) = received;
}

// A GPU that is split gives other things than a whole one.
void Device::notice_mig_mode() {
  const Reading now = values_.at(Metric::kMigMode);
  if (!now.present()) return;
  const bool changed = mig_mode_.present() && mig_mode_ != now;
  mig_mode_ = now;
  if (!changed) return;
  revive();
  if (split()) {
    mig_.begin(handle_, gpm_);
  } else {
    mig_.forget();
  }
}

bool Device::lacks_pcie_rates() const {
  return !fields_.gives(Metric::kPcieTxTotal) && !gpm_of_whole_;
}

// What held the clocks for a while between two ticks shows in the counters of time alone: an event
// says that it began, and the flags of this tick that it is over.
void Device::note_clock_events(base::WallTime tick) {
  struct Timed {
    Metric flag;
    Metric time;
  };
  static constexpr std::array<Timed, kTimedReasons> kTimed{{
      {Metric::kClockEventSwPowerCap, Metric::kClockEventSwPowerCapSeconds},
      {Metric::kClockEventSyncBoost, Metric::kClockEventSyncBoostSeconds},
      {Metric::kClockEventSwThermalSlowdown, Metric::kClockEventSwThermalSlowdownSeconds},
      {Metric::kClockEventHwThermalSlowdown, Metric::kClockEventHwThermalSlowdownSeconds},
      {Metric::kClockEventHwPowerBrake, Metric::kClockEventHwPowerBrakeSeconds},
  }};
  constexpr std::size_t kFirst = model::column(Metric::kClockEventIdle);
  constexpr std::size_t kReasons = model::column(Metric::kClockEventDisplayClocks) - kFirst + 1;
  std::uint64_t now = 0;
  for (std::size_t i = 0; i < kReasons; ++i) {
    const Reading& flag = values_.gpu[kFirst + i];
    if (flag.present() && flag.value != 0) now |= std::uint64_t{1} << i;
  }
  std::uint64_t between = 0;
  for (std::size_t i = 0; i < kTimed.size(); ++i) {
    const Reading& time = values_.at(kTimed[i].time);
    const std::uint64_t bit = std::uint64_t{1} << (model::column(kTimed[i].flag) - kFirst);
    const bool rose =
        time.present() && clock_times_[i].present() && time.value > clock_times_[i].value;
    if (rose && ((now | clock_events_) & bit) == 0) between |= bit;
    clock_times_[i] = time;
  }
  if (between != 0) {
    values_.events.push_back({model::EventKind::kClockEvents, clock_events_ | between, tick});
  }
  clock_events_ = now;
}

void Device::take_slow_readings() {
  if (!slow_lane_->take(slow_)) return;
  slow_answer_ = last_tick_;
  values_.at(Metric::kPowerAverage) = slow_.power_average;
  if (lacks_pcie_rates()) {
    values_.at(Metric::kPcieTx) = slow_.pcie_sent;
    values_.at(Metric::kPcieRx) = slow_.pcie_received;
  }
  processes_.set_shares(slow_.shares, slow_.shares_absence);
  processes_.publish(values_);
}

// Never waits: what the lane has is taken, and what it should do next is asked for.
void Device::tend_slow_lane(base::WallTime tick) {
  take_slow_readings();
  if (slow_lane_turn_.due(tick, SlowLane::kPeriod)) {
    slow_lane_turn_.done(tick, SlowLane::kPeriod);
    slow_lane_->request(tick, lacks_pcie_rates());
  }
  // A lane that does not come back has old readings.
  constexpr int kRounds = 4;
  if (tick - slow_answer_ < kRounds * SlowLane::kPeriod) return;
  values_.at(Metric::kPowerAverage) = Reading::none(Absence::kTimedOut);
  if (lacks_pcie_rates()) {
    values_.at(Metric::kPcieTx) = values_.at(Metric::kPcieRx) = Reading::none(Absence::kTimedOut);
  }
  processes_.set_shares({}, Absence::kTimedOut);
  processes_.publish(values_);
}

void Device::publish(model::DeviceSample& out) const {
  out.gpu = values_.gpu;
  out.fans = values_.fans;
  out.links = values_.links;
  mig_.publish(out.mig_instances);
  out.processes = values_.processes;
  out.processes_absence = values_.processes_absence;
  out.events = values_.events;
  out.spreads = values_.spreads;
}

// A GPU that could not be found at open() is looked for again now and then.
Device::Outcome Device::look_again(base::WallTime tick, model::DeviceSample& out) {
  out.mark_absent(absence_of(handle_code_), false);
  out.events.clear();
  out.spreads = {};
  if (!handle_turn_.due(tick, kHandlePeriod)) return Outcome::kFine;
  handle_turn_.done(tick, kHandlePeriod);
  find_handle();
  return handle_code_ == NVML_SUCCESS || driver_gone(handle_code_) ? Outcome::kReopen
                                                                   : Outcome::kFine;
}

Device::Outcome Device::read(base::WallTime tick, model::DeviceSample& out) {
  if (!identified_) return look_again(tick, out);
  if (!started_) {
    spread(tick);
    slow_lane_turn_.next = tick + SlowLane::kPeriod;
    slow_answer_ = tick;
  }
  // Where ticks are rare, more calls fit into one.
  const auto apart = std::chrono::duration_cast<seconds>(tick - last_tick_).count();
  allowance_ = kMaxCallsPerTick * (started_ ? static_cast<int>(std::clamp<long>(apart, 1, 4)) : 1);
  started_ = true;
  last_tick_ = tick;
  if (gone_) slow_answer_ = tick;  // nothing was asked of it meanwhile
  calls_ = 0;
  subject_.tick = tick;
  values_.events.clear();
  values_.spreads = {};
  if (run_tick(tick)) {
    derive();
    note_clock_events(tick);
    notice_mig_mode();
    tend_slow_lane(tick);
  }
  publish(out);
  if (gone_) out.mark_absent(Absence::kGone, true);
  if (driver_gone_) out.mark_absent(Absence::kFailed, true);
  return driver_gone_ ? Outcome::kReopen : Outcome::kFine;
}

}  // namespace gpuscope::device::nvml

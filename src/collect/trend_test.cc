#include "collect/trend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/allocation_count.h"

namespace gpuscope::collect {
namespace {

using model::Absence;
using model::Event;
using model::EventKind;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const model::Inventory> inventory_of(const std::vector<std::string>& uuids) {
  auto inventory = std::make_shared<model::Inventory>();
  for (const std::string& uuid : uuids) {
    model::GpuInfo& gpu = inventory->gpus.emplace_back();
    if (!uuid.empty()) gpu.fact(model::Fact::kUuid) = model::Text::of(uuid);
  }
  return inventory;
}

std::size_t place_of(Metric metric) {
  return static_cast<std::size_t>(std::ranges::find(model::kMovingMetrics, metric) -
                                  model::kMovingMetrics.begin());
}

// Ticks over one snapshot, at times of the test's.
class TrendsTest : public testing::Test {
 protected:
  explicit TrendsTest(Trends::Options options = {}) : trends_(options) { open({"GPU-a"}); }

  void open(const std::vector<std::string>& uuids) {
    snapshot_.inventory = inventory_of(uuids);
    snapshot_.devices.assign(uuids.size(), {});
    for (model::DeviceSample& device : snapshot_.devices) {
      device.at(Metric::kTemperature) = Reading::of(450);
    }
  }
  model::DeviceSample& device(std::size_t gpu = 0) { return snapshot_.devices[gpu]; }
  void set(Metric metric, Reading reading) { device().at(metric) = reading; }
  std::int64_t value(Metric metric, std::size_t gpu = 0) const {
    EXPECT_TRUE(snapshot_.devices[gpu].at(metric).present());
    return snapshot_.devices[gpu].at(metric).value;
  }
  model::Window window(Metric metric, std::size_t gpu = 0) const {
    return snapshot_.trends[gpu].windows[place_of(metric)];
  }
  // Code, recent, total.
  using Counts = std::vector<std::array<std::uint64_t, 3>>;
  Counts xids() const {
    Counts counts;
    for (const model::XidCount& xid : snapshot_.trends[0].xids) {
      counts.push_back({xid.code, xid.recent, xid.total});
    }
    return counts;
  }
  void tick(milliseconds after = seconds{1}) {
    now_ += after;
    snapshot_.time += after;
    trends_.follow(snapshot_, now_);
    for (model::DeviceSample& each : snapshot_.devices) each.events.clear();
  }
  // One that happened `ago` before the tick to come.
  Event event(EventKind kind, std::uint64_t code, milliseconds ago = milliseconds{0}) const {
    return {kind, code, snapshot_.time + seconds{1} - ago};
  }

  model::Snapshot snapshot_;
  base::SteadyTime now_{std::chrono::hours{1}};
  Trends trends_;
};

TEST_F(TrendsTest, AWindowHasMinimumMeanAndMaximum) {
  for (const std::int64_t power : {300, 100, 200, 201}) {
    set(Metric::kPower, Reading::of(power));
    tick();
  }
  EXPECT_EQ(window(Metric::kPower), (model::Window{true, 100, 200, 300}));
  set(Metric::kPower, Reading::of(202));
  tick();
  EXPECT_EQ(window(Metric::kPower).mean, 201);  // 200.6
}

TEST_F(TrendsTest, MeansRoundToTheNearestBelowZeroAsWell) {
  for (const std::int64_t margin : {-5, -6, -6}) {
    set(Metric::kTemperatureMargin, Reading::of(margin));
    tick();
  }
  EXPECT_EQ(window(Metric::kTemperatureMargin), (model::Window{true, -6, -6, -5}));
}

TEST_F(TrendsTest, WhatIsMissingIsMissing) {
  set(Metric::kPower, Reading::none(Absence::kUnsupported));
  tick();
  EXPECT_EQ(window(Metric::kPower), model::Window{});
  set(Metric::kPower, Reading::of(7));
  tick();
  set(Metric::kPower, Reading::none(Absence::kTimedOut));
  tick();
  // The one reading that there was, not a zero.
  EXPECT_EQ(window(Metric::kPower), (model::Window{true, 7, 7, 7}));
  for (int i = 0; i < 31; ++i) tick();
  EXPECT_EQ(window(Metric::kPower), model::Window{});
}

TEST_F(TrendsTest, ABurstIsSeenForAsLongAsTheWindow) {
  set(Metric::kGpuUtilization, Reading::of(10'000));
  tick();
  set(Metric::kGpuUtilization, Reading::of(0));
  for (int i = 0; i < 30; ++i) {
    tick();
    ASSERT_EQ(window(Metric::kGpuUtilization).max, 10'000) << i;
  }
  tick();
  EXPECT_EQ(window(Metric::kGpuUtilization).max, 0);
}

TEST_F(TrendsTest, ABurstBetweenTwoTicksIsSeenInTheDriversSamples) {
  constexpr std::size_t kBusy = 0;
  static_assert(model::kSampledMetrics[kBusy] == Metric::kGpuUtilization);
  set(Metric::kGpuUtilization, Reading::of(100));
  tick();
  set(Metric::kGpuUtilization, Reading::of(1500));  // the samples' mean
  device().spreads[kBusy] = {true, 0, 9800};
  tick();
  EXPECT_EQ(window(Metric::kGpuUtilization), (model::Window{true, 0, 800, 9800}));
  EXPECT_EQ(value(Metric::kBusySeconds), 150) << "milliseconds of one second";
  device().spreads = {};
  set(Metric::kGpuUtilization, Reading::of(100));
  for (int i = 0; i < 31; ++i) tick();
  EXPECT_EQ(window(Metric::kGpuUtilization), (model::Window{true, 100, 100, 100}));
  // Without a reading there is no window to widen.
  set(Metric::kGpuUtilization, Reading::none(Absence::kUnsupported));
  device().spreads[kBusy] = {true, 0, 9800};
  for (int i = 0; i < 32; ++i) tick();
  EXPECT_EQ(window(Metric::kGpuUtilization), model::Window{});
}

TEST_F(TrendsTest, KnowsHowMuchACounterGrewLately) {
  const auto growth = [this] { return snapshot_.trends[0].growth_recent[0]; };
  for (const std::int64_t replays : {1000, 1000, 1007, 3, 5}) {
    set(Metric::kPcieReplays, Reading::of(replays));
    tick();
  }
  EXPECT_EQ(growth(), 9U) << "7, and 2 of the counter that begins anew";
  set(Metric::kPcieReplays, Reading::none(Absence::kTimedOut));
  tick(std::chrono::minutes{5} - seconds{20});
  EXPECT_EQ(growth(), 9U);
  tick(seconds{60});
  EXPECT_EQ(growth(), 0U);
}

TEST_F(TrendsTest, KnowsForHowLongAGpuHasBeenBusy) {
  set(Metric::kGpuUtilization, Reading::of(5000));
  for (int i = 0; i < 5; ++i) tick();
  EXPECT_EQ(snapshot_.trends[0].busy_for, seconds{4}) << "from the first tick on";
  set(Metric::kGpuUtilization, Reading::none(Absence::kTimedOut));
  tick();
  EXPECT_EQ(snapshot_.trends[0].busy_for, seconds{4});
  set(Metric::kGpuUtilization, Reading::of(4999));
  tick();
  EXPECT_EQ(snapshot_.trends[0].busy_for, seconds{0});
}

TEST_F(TrendsTest, AnXidIsLateUntilTheDevicesAreOpenedAnew) {
  device().events = {event(EventKind::kXid, 119)};
  tick();
  EXPECT_EQ(snapshot_.trends[0].xids[0].last, snapshot_.time);
  snapshot_.inventory = inventory_of({"GPU-a"});
  tick();
  EXPECT_EQ(snapshot_.trends[0].xids[0].last, base::WallTime{});
  EXPECT_EQ(snapshot_.trends[0].xids[0].total, 1U);
}

TEST_F(TrendsTest, KnowsHowManyLinksWereEverUp) {
  for (const std::int64_t up : {4, 18, 12}) {
    set(Metric::kNvlinkActiveLinks, Reading::of(up));
    tick();
  }
  EXPECT_EQ(snapshot_.trends[0].links_up_most, 18U);
  set(Metric::kNvlinkActiveLinks, Reading::none(Absence::kGone));
  tick();
  EXPECT_EQ(snapshot_.trends[0].links_up_most, 18U);
}

TEST_F(TrendsTest, AnotherWindowBeginsAnew) {
  for (const milliseconds length : {milliseconds{60'000}, milliseconds{3'000}}) {
    set(Metric::kGpuUtilization, Reading::of(10'000));
    tick();
    set(Metric::kGpuUtilization, Reading::of(100));
    trends_.change({.window = length});
    tick();
    EXPECT_EQ(window(Metric::kGpuUtilization).max, 100);
    set(Metric::kGpuUtilization, Reading::of(200));
    tick(length - milliseconds{1'000});
    EXPECT_EQ(window(Metric::kGpuUtilization).min, 100);
    tick(milliseconds{4'000});
    EXPECT_EQ(window(Metric::kGpuUtilization).min, 200);
  }
}

// Whatever the spacing of ticks: nothing of the last 30 s is left out, nothing older than 31 s is
// in.
TEST_F(TrendsTest, AgreesWithAListOfAllReadings) {
  std::mt19937_64 random(1);
  std::deque<std::pair<base::SteadyTime, std::int64_t>> all;
  for (int i = 0; i < 3000; ++i) {
    const milliseconds after(i % 500 == 499 ? 40'000 : 50 + random() % 1900);
    const bool present = random() % 5 != 0;
    const auto power = static_cast<std::int64_t>(random() % 1'000'000);
    set(Metric::kPower, present ? Reading::of(power) : Reading::none(Absence::kFailed));
    tick(after);
    if (present) all.emplace_back(now_, power);
    std::int64_t inner_min = 1'000'000;
    std::int64_t inner_max = -1;
    std::int64_t outer_min = 1'000'000;
    std::int64_t outer_max = -1;
    for (const auto& [at, each] : all) {
      if (now_ - at >= seconds{31}) continue;
      outer_min = std::min(outer_min, each);
      outer_max = std::max(outer_max, each);
      if (now_ - at > seconds{30}) continue;
      inner_min = std::min(inner_min, each);
      inner_max = std::max(inner_max, each);
    }
    const model::Window got = window(Metric::kPower);
    ASSERT_TRUE(got.present || inner_max < 0);
    if (!got.present) continue;
    ASSERT_GE(outer_max, 0) << "there is a window without a reading";
    ASSERT_LE(got.min, inner_min);
    ASSERT_GE(got.min, outer_min);
    ASSERT_GE(got.max, inner_max);
    ASSERT_LE(got.max, outer_max);
    ASSERT_LE(got.min, got.mean);
    ASSERT_LE(got.mean, got.max);
  }
}

TEST_F(TrendsTest, BusyTimeIsUtilizationTimesTime) {
  set(Metric::kGpuUtilization, Reading::of(5000));
  tick();
  EXPECT_EQ(value(Metric::kBusySeconds), 0);  // nothing is known of the time before
  tick();
  EXPECT_EQ(value(Metric::kBusySeconds), 500);
  set(Metric::kGpuUtilization, Reading::of(10'000));
  tick(milliseconds{500});
  EXPECT_EQ(value(Metric::kBusySeconds), 1000);
  set(Metric::kGpuUtilization, Reading::none(Absence::kTimedOut));
  tick();
  EXPECT_EQ(value(Metric::kBusySeconds), 1000);
  set(Metric::kGpuUtilization, Reading::of(10'000));
  tick(seconds{60});  // a machine that slept: nobody knows what was
  EXPECT_EQ(value(Metric::kBusySeconds), 3000);
}

TEST_F(TrendsTest, NvlinkRatesComeFromTheTotals) {
  tick();
  EXPECT_EQ(device().at(Metric::kNvlinkTxRate).absence, Absence::kNotYet);
  set(Metric::kNvlinkTx, Reading::none(Absence::kUnsupported));
  tick();
  EXPECT_EQ(device().at(Metric::kNvlinkTxRate).absence, Absence::kUnsupported);
  set(Metric::kNvlinkTx, Reading::of(1'000'000'000'000'000));
  tick();
  EXPECT_EQ(device().at(Metric::kNvlinkTxRate).absence, Absence::kNotYet);
  set(Metric::kNvlinkTx, Reading::of(1'000'900'000'000'000));
  tick(milliseconds{500});
  EXPECT_EQ(value(Metric::kNvlinkTxRate), 1'800'000'000'000);
  set(Metric::kNvlinkTx, Reading::of(5));  // it began anew
  tick();
  EXPECT_EQ(device().at(Metric::kNvlinkTxRate).absence, Absence::kNotYet);
  set(Metric::kNvlinkTx, Reading::of(1005));
  tick();
  EXPECT_EQ(value(Metric::kNvlinkTxRate), 1000);
  EXPECT_TRUE(window(Metric::kNvlinkTxRate).present);
}

// A source reads them every few seconds: between two readings a rate holds.
TEST_F(TrendsTest, LinkRatesGoFromChangeToChange) {
  const auto set_link = [&](std::int64_t sent, std::int64_t received) {
    device().links.resize(2);
    device().links[1][model::column(Metric::kLinkTx)] = Reading::of(sent);
    device().links[1][model::column(Metric::kLinkRx)] = Reading::of(received);
  };
  const auto rate = [&] { return snapshot_.trends[0].link_rates.at(1); };
  set_link(1000, 50);
  tick();
  EXPECT_EQ(rate(), Reading::none(Absence::kNotYet));
  for (int i = 0; i < 4; ++i) tick();
  EXPECT_EQ(rate(), Reading::none(Absence::kNotYet));
  set_link(6000, 10'050);  // after five seconds
  tick();
  EXPECT_EQ(rate(), Reading::of(1000 + 2000));
  for (int i = 0; i < 14; ++i) tick();
  EXPECT_EQ(rate(), Reading::of(3000));
  tick();
  EXPECT_EQ(rate(), Reading::of(0));
  // It moves again after a minute: nobody knows since when, but not for longer than was seen.
  for (int i = 0; i < 60; ++i) tick();
  set_link(6000 + 16'000, 10'050);
  tick();
  EXPECT_EQ(rate(), Reading::of(1000));
  // A GPU that is silent has no links; what they carried meanwhile is of all that time.
  device().links.clear();
  tick(seconds{90});
  EXPECT_TRUE(snapshot_.trends[0].link_rates.empty());
  set_link(22'000 + 100'000, 10'050 + 200'000);
  tick(seconds{10});
  EXPECT_EQ(rate(), Reading::of(1000 + 200'000 / 115));
  set_link(5, 5);  // it began anew
  tick();
  EXPECT_EQ(rate(), Reading::none(Absence::kNotYet));
  set_link(1005, 1005);
  device().links[1][model::column(Metric::kLinkRx)] = Reading::none(Absence::kDenied);
  tick();
  EXPECT_EQ(rate(), Reading::none(Absence::kDenied));
  EXPECT_FALSE(snapshot_.trends[0].link_rates.at(0).present());
}

TEST_F(TrendsTest, CountsXids) {
  tick();
  EXPECT_EQ(value(Metric::kXidLast), 0);
  EXPECT_EQ(value(Metric::kXidErrors), 0);
  EXPECT_TRUE(snapshot_.trends[0].xids.empty());
  device().events = {event(EventKind::kXid, 79), event(EventKind::kXid, 13),
                     event(EventKind::kXid, 79)};
  tick();
  tick();
  EXPECT_EQ(value(Metric::kXidLast), 79);
  EXPECT_EQ(value(Metric::kXidErrors), 3);
  EXPECT_EQ(xids(), (Counts{{13, 1, 1}, {79, 2, 2}}));
  tick(seconds{299});
  EXPECT_EQ(snapshot_.trends[0].xids[1].recent, 2U);
  tick(seconds{20});
  // Once seen it stays, with nothing recent.
  EXPECT_EQ(xids(), (Counts{{13, 0, 1}, {79, 0, 2}}));
}

TEST_F(TrendsTest, AnOldXidCountsAndIsNotRecent) {
  tick();
  device().events = {event(EventKind::kXid, 31, seconds{400}),
                     event(EventKind::kXid, 31, seconds{200})};
  tick();
  EXPECT_EQ(xids(), (Counts{{31, 1, 2}}));
  tick(seconds{120});
  EXPECT_EQ(snapshot_.trends[0].xids[0].recent, 0U);
}

TEST_F(TrendsTest, AStormOfDifferentXidsIsBounded) {
  for (std::uint64_t code = 1; code <= 200; ++code) {
    device().events.push_back(event(EventKind::kXid, code));
  }
  tick();
  EXPECT_EQ(snapshot_.trends[0].xids.size(), Trends::kMaxXids);
  EXPECT_EQ(value(Metric::kXidErrors), 200);
  EXPECT_EQ(value(Metric::kXidLast), 200);
}

TEST_F(TrendsTest, CountsWhatBeginsToHoldTheClocks) {
  const auto power_cap =
      model::column(Metric::kClockEventSwPowerCap) - model::column(Metric::kClockEventIdle);
  const auto total = [&] { return snapshot_.trends[0].clock_events_total[power_cap]; };
  set(Metric::kClockEventSwPowerCap, Reading::of(1));
  tick();
  EXPECT_EQ(total(), 0U);  // it held them before anybody looked
  set(Metric::kClockEventSwPowerCap, Reading::of(0));
  tick();
  set(Metric::kClockEventSwPowerCap, Reading::of(1));
  tick();
  tick();
  EXPECT_EQ(total(), 1U);
  // Two that came and went between two ticks, and the one that lasts: told of, and not counted
  // twice.
  const std::uint64_t bit = std::uint64_t{1} << power_cap;
  device().events = {event(EventKind::kClockEvents, 0), event(EventKind::kClockEvents, bit),
                     event(EventKind::kClockEvents, 0), event(EventKind::kClockEvents, bit)};
  tick();
  EXPECT_EQ(total(), 3U);
  EXPECT_EQ(snapshot_.trends[0].clock_events_recent[power_cap], 3U);
  // A flag that could not be read did not change.
  set(Metric::kClockEventSwPowerCap, Reading::none(Absence::kTimedOut));
  tick();
  set(Metric::kClockEventSwPowerCap, Reading::of(1));
  tick(seconds{400});
  EXPECT_EQ(total(), 3U);
  EXPECT_EQ(snapshot_.trends[0].clock_events_recent[power_cap], 0U);
}

TEST_F(TrendsTest, CountersGoOnWhenADriverComesBack) {
  open({"GPU-a", "GPU-b"});
  const auto work = [&](std::size_t gpu) {
    device(gpu).at(Metric::kGpuUtilization) = Reading::of(10'000);
  };
  work(0);
  work(1);
  device(1).events = {event(EventKind::kXid, 48)};
  tick();
  tick();
  // They come back in another order, after a pause that nobody saw.
  open({"GPU-b", "GPU-a", "GPU-c"});
  work(0);
  tick(seconds{100});
  EXPECT_EQ(value(Metric::kBusySeconds, 0), 1000);
  EXPECT_EQ(value(Metric::kBusySeconds, 2), 0);
  EXPECT_EQ(value(Metric::kXidErrors, 0), 1);
  EXPECT_EQ(value(Metric::kXidErrors, 1), 0);
  EXPECT_EQ(snapshot_.trends[0].xids.size(), 1U);
}

TEST_F(TrendsTest, KnowsWhoIsMissing) {
  open({"GPU-a", "GPU-b"});
  tick();
  const base::WallTime seen = snapshot_.time;
  EXPECT_TRUE(trends_.absent()->empty());
  device(1).mark_absent(Absence::kGone, true);
  tick();
  EXPECT_TRUE(snapshot_.trends[0].present);
  EXPECT_FALSE(snapshot_.trends[1].present);
  EXPECT_EQ(snapshot_.trends[0].last_seen, snapshot_.time);
  EXPECT_EQ(snapshot_.trends[1].last_seen, seen);
  open({"GPU-a"});
  tick();
  EXPECT_EQ(trends_.expected(), 2U);
  ASSERT_EQ(trends_.absent()->size(), 1U);
  EXPECT_EQ(trends_.absent()->front().info.uuid(), "GPU-b");
  EXPECT_EQ(trends_.absent()->front().index, 1U);
  EXPECT_EQ(trends_.absent()->front().last_seen, seen);
  EXPECT_EQ(trends_.everyone()->size(), 2U);
  open({"GPU-b", "GPU-a"});
  tick();
  EXPECT_TRUE(trends_.absent()->empty());
}

TEST_F(TrendsTest, ADeviceThatNeverAnsweredWasNeverSeen) {
  open({"GPU-a"});
  device().mark_absent(Absence::kTimedOut, true);
  tick();
  EXPECT_FALSE(snapshot_.trends[0].present);
  EXPECT_EQ(snapshot_.trends[0].last_seen, std::nullopt);
}

TEST_F(TrendsTest, GpusWithoutOrWithTheSameUuidAreKeptApart) {
  open({"", "", "GPU-x", "GPU-x"});
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    device(gpu).at(Metric::kPower) = Reading::of(static_cast<std::int64_t>(gpu));
  }
  tick();
  EXPECT_EQ(trends_.expected(), 4U);
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    EXPECT_EQ(window(Metric::kPower, gpu).max, static_cast<std::int64_t>(gpu));
  }
}

TEST_F(TrendsTest, ASteadyMachineAllocatesNothing) {
  device().events.reserve(4);
  device().events = {event(EventKind::kXid, 79)};
  tick();
  const std::size_t before = base::allocation_count();
  for (int i = 0; i < 1000; ++i) {
    set(Metric::kPower, Reading::of(i));
    if (i % 10 == 0) device().events.push_back(event(EventKind::kXid, 79));
    tick(milliseconds{100});
  }
  EXPECT_EQ(base::allocation_count() - before, 0U);
}

// Every metric of the row that moves is one whose window is kept, and no other is.
TEST(MovingMetrics, AreTheGaugesOfEveryTick) {
  // Constant, or another's complement.
  const std::vector<Metric> kept_out{Metric::kMemoryFree, Metric::kMemoryTotal,
                                     Metric::kMemoryReserved};
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    const bool moves = row.kind == model::Kind::kGauge && row.cadence == model::Cadence::kTick &&
                       std::ranges::find(kept_out, row.id) == kept_out.end();
    EXPECT_EQ(std::ranges::find(model::kMovingMetrics, row.id) != model::kMovingMetrics.end(),
              moves)
        << row.key;
  }
}

TEST(RecentCount, ForgetsStepByStep) {
  RecentCount count;
  count.add(1000, 0, 2);
  count.add(1010, 5, 1);   // in step 1005
  count.add(1010, 31, 9);  // too long ago
  EXPECT_EQ(count.at(1010), 3U);
  EXPECT_EQ(count.at(1030), 3U);
  EXPECT_EQ(count.at(1031), 1U);
  EXPECT_EQ(count.at(1036), 0U);
  for (int i = 0; i < 100; ++i) count.add(2000, 0, 60'000);
  EXPECT_EQ(count.at(2000), 65'535U);
  EXPECT_EQ(count.at(2031), 0U);
}

}  // namespace
}  // namespace gpuscope::collect

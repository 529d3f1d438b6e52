// What a simulated driver reports between two ticks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "device/sim/machine.h"
#include "device/sim/machine_testing.h"
#include "device/sim/sim_source.h"

namespace gpuscope::device::sim {
namespace {

using model::EventKind;
using model::Metric;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint64_t> codes(const Machine& machine, std::size_t gpu, seconds from,
                                 seconds until, EventKind kind) {
  std::vector<model::Event> events;
  machine.events(gpu, kBoot + from, kBoot + until, events);
  std::vector<std::uint64_t> found;
  for (const model::Event& event : events) {
    EXPECT_GT(event.time, kBoot + from);
    EXPECT_LE(event.time, kBoot + until);
    if (event.kind == kind) found.push_back(event.code);
  }
  return found;
}

std::vector<std::uint64_t> xids(const Machine& machine, std::size_t gpu, seconds from,
                                seconds until) {
  return codes(machine, gpu, from, until, EventKind::kXid);
}

TEST(SimEvents, AGpuThatFallsOffTheBusSaysSoOnce) {
  Scenario scenario = steady(50, 50, seconds(120));
  Fault lost = make_fault(FaultKind::kLost);
  lost.gpus = {1};
  lost.from = seconds(20);
  scenario.faults = {lost};
  const Machine machine(with(scenario, 2));
  EXPECT_THAT(xids(machine, 1, seconds(10), seconds(19)), IsEmpty());
  EXPECT_THAT(xids(machine, 1, seconds(19), seconds(21)), ElementsAre(79));
  EXPECT_THAT(xids(machine, 1, seconds(21), seconds(80)), IsEmpty());
  EXPECT_THAT(xids(machine, 1, seconds(139), seconds(141)), ElementsAre(79)) << "the next period";
  EXPECT_THAT(xids(machine, 0, seconds(19), seconds(21)), IsEmpty());
}

TEST(SimEvents, UncorrectedErrorsAreContainedWhileThereAreSpareRows) {
  Scenario scenario = steady(50, 50, seconds(120));
  Fault errors = make_fault(FaultKind::kEccUncorrected, 6);  // one every ten seconds
  Fault failure = make_fault(FaultKind::kRemapFailure);
  failure.from = seconds(60);
  scenario.faults = {errors, failure};
  const Machine machine(with(scenario));
  EXPECT_THAT(xids(machine, 0, seconds(9), seconds(11)), ElementsAre(94, 63));
  EXPECT_THAT(xids(machine, 0, seconds(69), seconds(71)), ElementsAre(95, 64));
}

TEST(SimEvents, EveryTickFindsEachEventOnce) {
  Scenario scenario = steady(50, 50, seconds(120));
  scenario.faults = {make_fault(FaultKind::kEccUncorrected, 30)};
  const Machine machine(with(scenario));
  std::size_t found = 0;
  for (int i = 0; i < 60; ++i) found += xids(machine, 0, seconds(i), seconds(i + 1)).size();
  EXPECT_EQ(found, xids(machine, 0, seconds(0), seconds(60)).size());
  EXPECT_EQ(found, 60U) << "thirty errors, two XIDs each";
  EXPECT_LE(xids(machine, 0, seconds(0), std::chrono::hours(1)).size(), 64U);
}

TEST(SimEvents, ClockReasonsChangeWithTheFlags) {
  Scenario scenario = steady(98, 95, seconds(60));
  Phase rest;
  rest.duration = seconds(60);
  scenario.phases.push_back(rest);
  Fault cap = make_fault(FaultKind::kPowerCap, 50);
  scenario.faults = {cap};
  const Machine machine(with(scenario));
  const auto changes = codes(machine, 0, seconds(1190), seconds(1240), EventKind::kClockEvents);
  ASSERT_FALSE(changes.empty());
  constexpr std::uint64_t kIdle = 1;
  constexpr std::uint64_t kPowerCap = 4;
  EXPECT_EQ(changes.back() & kPowerCap, kPowerCap);
  EXPECT_EQ(changes.back() & kIdle, 0U);
  EXPECT_EQ(value(machine, 0, kBoot + seconds(1240), Metric::kClockEventSwPowerCap), 1);
}

TEST(SimEvents, TheSourceGivesWhatCameSinceItsLastRead) {
  Scenario scenario = steady(50, 50, seconds(120));
  Fault lost = make_fault(FaultKind::kLost);
  lost.from = seconds(20);
  scenario.faults = {lost};
  const auto source = make_sim_source(with(scenario));
  ASSERT_TRUE(source->open());
  model::DeviceSample sample;
  source->read(0, kBoot + seconds(19), sample);
  EXPECT_THAT(sample.events, IsEmpty()) << "the first read has nothing before it";
  source->read(0, kBoot + seconds(21), sample);
  ASSERT_FALSE(sample.events.empty());
  EXPECT_EQ(sample.events[0], (model::Event{EventKind::kXid, 79, kBoot + seconds(20)}));
  EXPECT_EQ(sample.at(Metric::kPower).absence, model::Absence::kGone);
  source->read(0, kBoot + seconds(22), sample);
  EXPECT_THAT(sample.events, IsEmpty());
}

TEST(SimEvents, AFrozenSimulationHasNone) {
  Options options = with(steady(50, 50));
  options.scenario->faults = {make_fault(FaultKind::kEccUncorrected, 600)};
  options.frozen_at = kBoot + seconds(100);
  EXPECT_TRUE(Machine(options).has_faults(0));
  EXPECT_FALSE(Machine(with(steady(50, 50))).has_faults(0));
  EXPECT_THAT(
      [&] {
        std::vector<model::Event> events;
        Machine(options).events(0, kBoot + seconds(1), kBoot + seconds(50), events);
        return events;
      }(),
      IsEmpty());
}

}  // namespace
}  // namespace gpuscope::device::sim

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>

#include "base/allocation_count.h"
#include "device/sim/machine.h"
#include "device/sim/machine_testing.h"
#include "device/sim/sim_source.h"

namespace gpuscope::device::sim {
namespace {

using base::WallTime;
using model::Absence;
using model::Entity;
using model::Fact;
using model::Kind;
using model::Metric;
using model::Reading;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// ---- a pure function

TEST(Machine, GivesTheSameForTheSameSeedAndTime) {
  const Machine one(gpus(5, 7));
  const Machine other(gpus(5, 7));
  const std::string before = text_of(one, kNow);
  text_of(one, kNow + minutes(7));  // what was read in between leaves no trace
  EXPECT_EQ(before, text_of(other, kNow));
  EXPECT_EQ(before, text_of(one, kNow));
}

TEST(Machine, DiffersByTheSeed) {
  const Machine one(gpus(4, 1));
  const Machine other(gpus(4, 2));
  EXPECT_NE(text_of(one, kNow), text_of(other, kNow));
  EXPECT_NE(one.info(3).uuid(), other.info(3).uuid());
  EXPECT_EQ(one.info(0).uuid(), other.info(0).uuid());
}

TEST(Machine, DoesNotDependOnHowManyGpusThereAre) {
  const Machine few(gpus(4));
  const Machine many(gpus(40));
  model::DeviceSample one;
  model::DeviceSample other;
  few.read(3, kNow, one);
  many.read(3, kNow, other);
  EXPECT_EQ(text_of(one), text_of(other));
}

TEST(Machine, MovesInStepsAndBeginsAtTheBoot) {
  const Machine machine(gpus(4));
  EXPECT_EQ(text_of(machine, kNow), text_of(machine, kNow + kStep - std::chrono::microseconds(1)));
  EXPECT_NE(text_of(machine, kNow), text_of(machine, kNow + kStep));
  EXPECT_EQ(text_of(machine, kBoot), text_of(machine, kBoot - hours(10)));
  EXPECT_EQ(text_of(machine, WallTime::max()), text_of(machine, WallTime::max() - hours(1)));
  EXPECT_EQ(text_of(machine, WallTime::min()), text_of(machine, kBoot));
}

TEST(Machine, StandsStillWhenFrozen) {
  Options options = gpus(4);
  options.frozen_at = kNow;
  const Machine frozen(options);
  EXPECT_EQ(text_of(frozen, kNow), text_of(frozen, kNow + hours(5)));
  EXPECT_EQ(frozen.shown(kNow + hours(5)), kNow);
  EXPECT_EQ(Machine(gpus(4)).shown(kNow + milliseconds(199)), kNow + kStep);
  EXPECT_EQ(text_of(frozen, kBoot), text_of(Machine(gpus(4)), kNow));
}

TEST(Machine, SampleThatHeldAnotherInstantIsWrittenAnew) {
  const Machine machine(gpus(3));
  model::DeviceSample used;
  for (int i = 0; i < 50; ++i) machine.read(1, kNow + minutes(i), used);
  machine.read(1, kNow, used);
  model::DeviceSample fresh;
  machine.read(1, kNow, fresh);
  EXPECT_EQ(text_of(used), text_of(fresh));
}

// ---- the three that everybody knows

TEST(Machine, KnowsTheThreeDefaultGpus) {
  const Machine machine(gpus(3));
  EXPECT_EQ(machine.rules(), model::RuleSet::kSimulatedDefault);
  ASSERT_EQ(machine.size(), 3U);
  const auto text = [&](std::size_t i, Fact fact) { return machine.info(i).fact(fact).value; };
  EXPECT_EQ(text(0, Fact::kName), "SIM-RTX4090");
  EXPECT_EQ(text(1, Fact::kUuid), "GPU-1b2c3d4e-5f6a-7b8c-9d0e-112233445566");
  EXPECT_EQ(text(2, Fact::kSerial), "SIM000001");
  EXPECT_EQ(text(0, Fact::kVbios), "90.00.01.00.AB");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(text(i, Fact::kDriverVersion), "525.00");
    EXPECT_EQ(value(machine, i, kNow, Metric::kMinorNumber), static_cast<std::int64_t>(i));
    EXPECT_EQ(value(machine, i, kNow, Metric::kPerformanceState), static_cast<std::int64_t>(i));
    EXPECT_EQ(value(machine, i, kNow, Metric::kEccCorrectedVolatile), 0);
    EXPECT_EQ(value(machine, i, kNow, Metric::kEccUncorrectedVolatile), 0);
  }
  EXPECT_EQ(value(machine, 1, kNow, Metric::kPcieGenerationMax), 3);
  EXPECT_EQ(value(machine, 1, kNow, Metric::kPcieWidthMax), 8);
  EXPECT_EQ(value(machine, 2, kNow, Metric::kPowerLimit), 150'000);
  EXPECT_EQ(value(machine, 0, kNow, Metric::kMemoryTotal), std::int64_t{24'000} << 20);
}

struct Range {
  Metric metric;
  std::array<double, 3> base;  // in the reading's own scale
  double share;
  double ceiling = 1e18;
};

TEST(Machine, DefaultGpusWanderAroundTheirBaseAndReachBothEnds) {
  const std::vector<Range> ranges{
      {Metric::kTemperature, {450, 550, 650}, 0.05},
      {Metric::kFanSpeed, {1050, 2400, 9500}, 0.10},
      {Metric::kPower, {100e3, 200e3, 300e3}, 0.15},
      {Metric::kSmClock, {2100, 1800, 1500}, 0.05},
      {Metric::kMemoryClock, {1100, 900, 700}, 0.05},
      {Metric::kGpuUtilization, {3000, 6000, 9000}, 0.20, 10'000},
      {Metric::kMemoryUtilization, {2400, 4800, 7200}, 0.20, 10'000},
      {Metric::kMemoryUsed, {3000.0 * (1 << 20), 6000.0 * (1 << 20), 2000.0 * (1 << 20)}, 0.15},
  };
  const Machine machine(gpus(3));
  for (std::size_t gpu = 0; gpu < 3; ++gpu) {
    std::map<Metric, std::pair<std::int64_t, std::int64_t>> seen;
    model::DeviceSample sample;
    for (int i = 0; i < 4000; ++i) {
      machine.read(gpu, kNow + milliseconds(1700) * i, sample);
      for (const Range& range : ranges) {
        const std::int64_t now = value(sample, range.metric);
        const auto [at, is_new] = seen.try_emplace(range.metric, now, now);
        at->second = {std::min(at->second.first, now), std::max(at->second.second, now)};
      }
      EXPECT_EQ(value(sample, Metric::kMemoryUsed) % (1 << 20), 0);
      EXPECT_LE(sample.processes.size(), 5U);
    }
    for (const Range& range : ranges) {
      const double low = range.base[gpu] * (1 - range.share);
      const double high = std::min(range.base[gpu] * (1 + range.share), range.ceiling);
      const auto [least, most] = seen[range.metric];
      // Utilisation counts whole percents.
      const bool coarse = model::info(range.metric).unit == model::Unit::kPercent;
      const double near = std::max((high - low) * 0.05, coarse ? 100 : 0.0);
      SCOPED_TRACE(std::string(model::info(range.metric).key) + " of GPU " + std::to_string(gpu));
      EXPECT_GE(static_cast<double>(least), low);
      EXPECT_LE(static_cast<double>(most), high);
      EXPECT_LE(static_cast<double>(least), low + near);
      EXPECT_GE(static_cast<double>(most), high - near);
    }
  }
}

TEST(Machine, FanPercentAgreesWithItsSpeed) {
  const Machine machine(gpus(4));
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    model::DeviceSample sample;
    machine.read(gpu, kNow, sample);
    EXPECT_NEAR(static_cast<double>(value(sample, Metric::kFanSpeed)) / 10'500,
                static_cast<double>(value(sample, Metric::kFanSpeedPercent)) / 10'000, 0.005);
    ASSERT_EQ(sample.fans.size(), 2U);
    EXPECT_EQ(sample.fans[0][column(Metric::kFanRpm)], sample.at(Metric::kFanSpeed));
    EXPECT_LT(sample.fans[1][column(Metric::kFanRpm)].value,
              sample.fans[0][column(Metric::kFanRpm)].value);
  }
}

TEST(Machine, MemoryAddsUp) {
  const Machine machine(gpus(5));
  for (std::size_t gpu = 0; gpu < 5; ++gpu) {
    model::DeviceSample sample;
    machine.read(gpu, kNow + seconds(33), sample);
    const std::int64_t used = value(sample, Metric::kMemoryUsed);
    const std::int64_t total = value(sample, Metric::kMemoryTotal);
    EXPECT_EQ(used + value(sample, Metric::kMemoryFree) + value(sample, Metric::kMemoryReserved),
              total);
    EXPECT_NEAR(static_cast<double>(value(sample, Metric::kMemoryUsagePercent)),
                static_cast<double>(used) / static_cast<double>(total) * 10'000, 0.51);
    std::int64_t held = 0;
    for (const auto& process : sample.processes) {
      held += process.row[column(Metric::kProcessMemory)].value;
    }
    EXPECT_LE(held, used);
  }
}

TEST(Machine, ProcessesChangeSlowlyAndOneInFiveHidesItsMemory) {
  const Machine machine(gpus(3));
  std::set<std::size_t> counts;
  int changes = 0;
  int hidden = 0;
  int all = 0;
  std::vector<std::uint32_t> last;
  model::DeviceSample sample;
  for (int second = 0; second < 6 * 3600; ++second) {
    machine.read(0, kNow + seconds(second), sample);
    std::vector<std::uint32_t> pids;
    for (const auto& process : sample.processes) {
      pids.push_back(process.pid);
      EXPECT_FALSE(process.name.empty());
      EXPECT_LE(process.name.size(), 15U);  // so that no string allocates
      const Reading& memory = process.row[column(Metric::kProcessMemory)];
      ++all;
      if (!memory.present()) {
        ++hidden;
        EXPECT_EQ(memory.absence, Absence::kUnsupported);
      }
    }
    EXPECT_EQ(std::set(pids.begin(), pids.end()).size(), pids.size());
    EXPECT_EQ(sample.processes_absence, Absence::kPresent);
    EXPECT_EQ(value(sample, Metric::kComputeProcesses), static_cast<std::int64_t>(pids.size()));
    if (pids != last) ++changes;
    last = pids;
    counts.insert(pids.size());
  }
  EXPECT_EQ(counts, (std::set<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_LT(changes, 6 * 3600 / 10);
  EXPECT_NEAR(static_cast<double>(hidden) / all, 0.2, 0.06);
}

// ---- everything is given

TEST(Machine, GivesEveryMetricOfTheCatalogueAndEveryFact) {
  Scenario split = steady(50, 50);
  split.card->mig_instances = 7;
  for (const Options& options : {gpus(5), with(steady(50, 50), 5), with(split)}) {
    const Machine machine(options);
    for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
      model::DeviceSample sample;
      machine.read(gpu, kNow, sample);
      expect_all_present(sample);
      for (const auto& process : sample.processes) {
        for (const auto& row : model::metrics(Entity::kProcess)) {
          if (row.id == Metric::kProcessMemory) continue;  // one in five does not tell it
          if (!sample.mig_instances.empty()) continue;
          EXPECT_TRUE(process.row[column(row.id)].present()) << row.key;
        }
      }
      EXPECT_EQ(sample.fans.size(), 2U);
      EXPECT_GE(sample.links.size(), 4U);
      for (const auto& row : model::facts()) {
        EXPECT_TRUE(machine.info(gpu).fact(row.id).present()) << row.key;
        EXPECT_FALSE(machine.info(gpu).fact(row.id).value.empty()) << row.key;
      }
    }
  }
}

TEST(Machine, WithholdsWhatAScenarioSaysIsUnsupported) {
  Scenario scenario = steady(50, 50);
  scenario.unsupported = {Metric::kPower, Metric::kFanRpm, Metric::kLinkTx, Metric::kProcessMemory,
                          Metric::kMemoryTotal};
  const Machine machine(with(scenario));
  model::DeviceSample sample;
  machine.read(0, kNow, sample);
  EXPECT_EQ(sample.at(Metric::kPower), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(sample.at(Metric::kMemoryTotal), Reading::none(Absence::kUnsupported));
  EXPECT_FALSE(sample.fans[1][column(Metric::kFanRpm)].present());
  EXPECT_FALSE(sample.links[17][column(Metric::kLinkTx)].present());
  EXPECT_FALSE(sample.processes[0].row[column(Metric::kProcessMemory)].present());
  EXPECT_TRUE(sample.at(Metric::kEnergy).present());
}

TEST(Machine, GivesEveryGpuItsOwnName) {
  const Machine machine(gpus(kMaxGpus));
  std::set<std::string> uuids;
  std::set<std::string> buses;
  for (std::size_t i = 0; i < machine.size(); ++i) {
    EXPECT_EQ(machine.info(i).uuid().size(), 40U);
    uuids.insert(machine.info(i).uuid());
    buses.insert(machine.info(i).fact(Fact::kPciBusId).value);
  }
  EXPECT_EQ(uuids.size(), machine.size());
  EXPECT_EQ(buses.size(), machine.size());
  EXPECT_EQ(machine.info(3).name(), "SIM-H100");
}

// ---- counters

TEST(Machine, CountersOnlyRise) {
  Scenario faulty = steady(98, 100, seconds(37));
  faulty.faults = {
      make_fault(FaultKind::kEccCorrected, 40), make_fault(FaultKind::kEccUncorrected, 0.3),
      make_fault(FaultKind::kNvlinkErrors, 7),  make_fault(FaultKind::kPcieReplays, 3),
      make_fault(FaultKind::kNvlinkDown, 2),    make_fault(FaultKind::kCooling, 4)};
  for (Fault& each : faulty.faults) {
    each.from = seconds(5);
    each.until = seconds(30);
  }
  std::mt19937_64 random(3);
  for (const Options& options : {gpus(5), with(faulty, 2)}) {
    const Machine machine(options);
    for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
      std::vector<WallTime> times;
      for (int i = 0; i < 600; ++i) times.push_back(kNow + milliseconds(random() % 4'000'000));
      for (int i = 0; i < 200; ++i) times.push_back(kBoot + hours(random() % 250'000));
      for (int i = 0; i < 700; ++i) times.push_back(kNow + kStep * i);
      std::ranges::sort(times);
      model::DeviceSample last;
      machine.read(gpu, kBoot, last);
      for (const WallTime time : times) {
        model::DeviceSample now;
        machine.read(gpu, time, now);
        for (const auto& row : model::metrics(Entity::kGpu)) {
          if (row.kind != Kind::kCounter || !given(row, now)) continue;
          EXPECT_GE(value(now, row.id), value(last, row.id)) << row.key;
        }
        for (std::size_t link = 0; link < now.links.size(); ++link) {
          for (const auto& row : model::metrics(Entity::kLink)) {
            if (row.kind != Kind::kCounter) continue;
            EXPECT_GE(now.links[link][column(row.id)].value, last.links[link][column(row.id)].value)
                << row.key;
          }
        }
        last = now;
      }
    }
  }
}

TEST(Machine, CountersAreTheIntegralsOfTheirRates) {
  const Machine machine(gpus(5));
  for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
    double joules = 0;
    double received = 0;
    constexpr int kSteps = 9000;
    for (int i = 0; i < kSteps; ++i) {
      const WallTime time = kNow + kStep * i;
      joules += static_cast<double>(value(machine, gpu, time, Metric::kPower)) / 1e3 * 0.1;
      received += static_cast<double>(value(machine, gpu, time, Metric::kPcieRx)) * 0.1;
    }
    const auto grown = [&](Metric metric) {
      return static_cast<double>(value(machine, gpu, kNow + kStep * kSteps, metric) -
                                 value(machine, gpu, kNow, metric));
    };
    EXPECT_NEAR(grown(Metric::kEnergy) / 1e3 / joules, 1, 0.01) << gpu;
    EXPECT_NEAR(grown(Metric::kPcieRxTotal) / received, 1, 0.01) << gpu;
  }
}

TEST(Machine, ReadsASteadyMachineWithoutAllocating) {
  for (const Options& options : {gpus(5), with(steady(60, 60), 3)}) {
    const Machine machine(options);
    for (std::size_t gpu = 0; gpu < machine.size(); ++gpu) {
      model::DeviceSample sample;
      sample.processes.reserve(kMaxProcesses);
      machine.read(gpu, kNow, sample);
      const std::size_t before = base::thread_allocation_count();
      for (int i = 0; i < 500; ++i) machine.read(gpu, kNow + seconds(7 * i), sample);
      EXPECT_EQ(base::thread_allocation_count(), before) << gpu;
    }
  }
}

// ---- the source

TEST(SimSource, SaysThatItIsSimulated) {
  const auto source = make_sim_source(gpus(3));
  EXPECT_FALSE(source->devices_may_block());
  const auto inventory = source->open();
  ASSERT_TRUE(inventory.has_value());
  EXPECT_EQ((*inventory)->method, "sim");
  EXPECT_TRUE((*inventory)->simulated);
  EXPECT_EQ((*inventory)->rules, model::RuleSet::kSimulatedDefault);
  EXPECT_EQ((*inventory)->gpus.size(), 3U);
  const auto judged = make_sim_source(with(steady(1, 1)))->open();
  EXPECT_EQ((*judged)->rules, model::RuleSet::kHardware);
  model::DeviceSample sample;
  source->read(0, kNow, sample);
  EXPECT_TRUE(sample.at(Metric::kPower).present());
  EXPECT_FALSE(source->lost());
}

}  // namespace
}  // namespace gpuscope::device::sim

// Both ends of one simulation: what comes through the C ABI of the simulated driver is what the
// simulation says. One process per case, since a library reads its environment once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "base/clock.h"
#include "device/nvml/nvml_source.h"
#include "device/sim/machine.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Fact;
using model::Metric;
using model::MetricInfo;
using model::Reading;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr base::WallTime kTime{seconds{1'780'000'000}};

// Told from two moments, of which a frozen one has one; or counted by whoever collects.
const std::set<Metric> kElsewhere{Metric::kPowerAverage, Metric::kPcieTx,       Metric::kPcieRx,
                                  Metric::kNvlinkTxRate, Metric::kNvlinkRxRate, Metric::kXidLast,
                                  Metric::kXidErrors,    Metric::kBusySeconds};
// Given through profiling, by GPUs of the Hopper generation or newer.
const std::set<Metric> kProfiling{
    Metric::kGraphicsEngineActivity, Metric::kSmActivity,   Metric::kSmOccupancy,
    Metric::kTensorActivity,         Metric::kFp64Activity, Metric::kFp32Activity,
    Metric::kFp16Activity,           Metric::kDramActivity};

// NVML's own unit, in the catalogue's: what may be lost on the way.
std::int64_t grain(const MetricInfo& row) {
  switch (row.unit) {
    case model::Unit::kPercent:
      if (row.json_path == "activity" || row.entity == model::Entity::kMigInstance) return 1;
      return row.id == Metric::kMemoryUsagePercent ? 1 : 100;
    case model::Unit::kCelsius:
      return 10;
    case model::Unit::kBytes:
      return row.json_path.starts_with("nvlink") || row.entity == model::Entity::kLink ? 1024 : 1;
    default:
      return 1;
  }
}

void expect_close(const MetricInfo& row, const Reading& is, const Reading& should) {
  EXPECT_EQ(is.absence, should.absence) << row.key;
  if (!is.present() || !should.present()) return;
  EXPECT_LE(std::abs(is.value - should.value), grain(row) - (grain(row) == 1 ? 1 : 0))
      << row.key << ": " << is.value << ", not " << should.value;
}

template <typename Row>
void expect_rows(model::Entity entity, const std::vector<Row>& is, const std::vector<Row>& should) {
  ASSERT_EQ(is.size(), should.size()) << model::entity_name(entity);
  for (std::size_t i = 0; i < is.size(); ++i) {
    for (const MetricInfo& row : model::metrics(entity)) {
      SCOPED_TRACE(i);
      expect_close(row, is[i][model::column(row.id)], should[i][model::column(row.id)]);
    }
  }
}

void expect_processes(const DeviceSample& is, DeviceSample& should) {
  EXPECT_EQ(is.processes_absence, should.processes_absence);
  std::ranges::sort(should.processes, {}, &model::Process::pid);
  ASSERT_EQ(is.processes.size(), should.processes.size());
  for (std::size_t i = 0; i < is.processes.size(); ++i) {
    const model::Process& one = is.processes[i];
    const model::Process& other = should.processes[i];
    EXPECT_EQ(one.pid, other.pid);
    EXPECT_EQ(one.type, other.type);
    EXPECT_EQ(one.name, other.name);
    const std::size_t memory = model::column(Metric::kProcessMemory);
    EXPECT_EQ(one.row[memory].present(), other.row[memory].present());
    if (one.row[memory].present()) {
      EXPECT_EQ(one.row[memory], other.row[memory]);
    }
    for (const MetricInfo& row : model::metrics(model::Entity::kProcess)) {
      const std::size_t column = model::column(row.id);
      if (column != memory) expect_close(row, one.row[column], other.row[column]);
    }
  }
}

class SimulatedDriverTest : public ::testing::Test {
 protected:
  SimulatedDriverTest() {
    options_.library = SIMULATED_NVML;
    options_.root = "/nonexistent";  // no kernel driver: a simulation needs none
  }
  ~SimulatedDriverTest() override {
    source_.reset();
    for (const auto& name : variables_) unsetenv(name.c_str());
    std::filesystem::remove(scenario_);
  }

  void write_scenario(const std::string& text) {
    scenario_ = testing::TempDir() + "gpuscope-scenario-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(scenario_) << text;
    set("GPUSCOPE_SIM_SCENARIO", scenario_);
  }

  void set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables_.insert(name);
  }

  base::Result<std::shared_ptr<const model::Inventory>> open() {
    source_ = make_nvml_source(options_, clock_);
    return source_->open();
  }

  base::SystemClock clock_;
  Options options_;
  std::set<std::string> variables_;
  std::string scenario_;  // the file, when there is one
  std::unique_ptr<model::Source> source_;
};

TEST_F(SimulatedDriverTest, GivesTheSimulationsValues) {
  sim::Options simulation;
  simulation.gpus = 5;
  simulation.frozen_at = kTime;
  const sim::Machine machine(simulation);
  set("GPUSCOPE_SIM_GPUS", "5");
  set("GPUSCOPE_SIM_TIME", "1780000000");

  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_TRUE((*inventory)->simulated);
  ASSERT_EQ((*inventory)->gpus.size(), 5U);
  for (std::size_t gpu = 0; gpu < 5; ++gpu) {
    SCOPED_TRACE("GPU " + std::to_string(gpu));
    for (const model::FactInfo& fact : model::facts()) {
      const model::Text& is = (*inventory)->gpus[gpu].fact(fact.id);
      // Older chips have no such firmware; the simulation gives every fact to all.
      if (fact.id == Fact::kGspFirmware && !is.present()) continue;
      EXPECT_EQ(is.value, machine.info(gpu).fact(fact.id).value) << fact.key;
    }
    DeviceSample is;
    DeviceSample should;
    for (int tick = 0; tick < 3; ++tick) source_->read(gpu, kTime + seconds{tick}, is);
    machine.read(gpu, kTime, should);
    const bool hopper = machine.info(gpu).fact(Fact::kArchitecture).value == "Hopper";
    for (const MetricInfo& row : model::metrics(model::Entity::kGpu)) {
      if (kElsewhere.contains(row.id)) continue;
      if (kProfiling.contains(row.id) && !hopper) {
        EXPECT_EQ(is.at(row.id), Reading::none(Absence::kUnsupported)) << row.key;
      } else {
        expect_close(row, is.at(row.id), should.at(row.id));
      }
    }
    expect_rows(model::Entity::kFan, is.fans, should.fans);
    expect_rows(model::Entity::kLink, is.links, should.links);
    expect_processes(is, should);
  }
}

TEST_F(SimulatedDriverTest, GivesTheSimulationsMigInstances) {
  sim::Options simulation;
  simulation.gpus = 1;
  simulation.frozen_at = kTime;
  simulation.scenario.emplace();
  simulation.scenario->card.emplace().mig_instances = 7;
  simulation.scenario->phases.resize(1);
  simulation.scenario->phases[0].utilization_percent = 60;
  simulation.scenario->phases[0].power_percent = 60;
  simulation.scenario->phases[0].memory_used_percent = 50;
  const sim::Machine machine(simulation);
  write_scenario(
      "version: 1\ncard: {mig_instances: 7}\nphases:\n"
      "  - {utilization_percent: 60, power_percent: 60, memory_used_percent: 50}\n");
  set("GPUSCOPE_SIM_GPUS", "1");
  set("GPUSCOPE_SIM_TIME", "1780000000");
  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  DeviceSample is;
  DeviceSample should;
  for (int tick = 0; tick < 30; ++tick) source_->read(0, kTime + seconds{tick}, is);
  machine.read(0, kTime, should);
  ASSERT_EQ(is.mig_instances.size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) {
    SCOPED_TRACE(i);
    const model::MigInstance& one = is.mig_instances[i];
    const model::MigInstance& other = should.mig_instances[i];
    EXPECT_EQ(one.uuid, other.uuid);
    EXPECT_EQ(one.profile, other.profile);
    EXPECT_EQ(one.gpu_instance_id, other.gpu_instance_id);
    for (const MetricInfo& row : model::metrics(model::Entity::kMigInstance)) {
      expect_close(row, one.row[model::column(row.id)], other.row[model::column(row.id)]);
    }
  }
  // What NVML does not tell of a GPU that is split.
  for (const Metric metric : {Metric::kGpuUtilization, Metric::kMemoryUtilization,
                              Metric::kEncoderUtilization, Metric::kJpegUtilization}) {
    EXPECT_EQ(is.at(metric), Reading::none(Absence::kUnsupported)) << model::info(metric).key;
  }
  EXPECT_EQ(is.at(Metric::kSmActivity), should.at(Metric::kSmActivity));
}

TEST_F(SimulatedDriverTest, KnowsAVgpuHost) {
  set("GPUSCOPE_SIM_SCENARIO", "vgpu_host");
  ASSERT_TRUE(open());
  DeviceSample sample;
  source_->read(0, kTime, sample);
  EXPECT_EQ(sample.at(Metric::kVirtualizationMode), Reading::of(4));
  EXPECT_EQ(sample.at(Metric::kVgpuInstances), Reading::of(4));
  EXPECT_EQ(sample.at(Metric::kVgpuLicense), Reading::none(Absence::kUnsupported));
}

TEST_F(SimulatedDriverTest, TakesTheHostsMemoryForAGpuWithoutItsOwn) {
  options_.root = "/";
  set("GPUSCOPE_SIM_SCENARIO", "unified_memory");
  ASSERT_TRUE(open());
  DeviceSample sample;
  source_->read(0, kTime, sample);
  EXPECT_EQ(sample.at(Metric::kUnifiedMemory), Reading::of(1));
  const auto pages = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_NEAR(static_cast<double>(sample.at(Metric::kMemoryTotal).value),
              static_cast<double>(pages * page), 0.05 * static_cast<double>(pages * page));
  EXPECT_TRUE(sample.at(Metric::kMemoryUsed).present());
}

TEST_F(SimulatedDriverTest, TellsOfXidsAsTheyHappen) {
  write_scenario(
      "version: 1\ncard: {}\nphases:\n  - {duration: 2s, utilization_percent: 60}\n"
      "faults:\n  - {kind: ecc_uncorrected, gpus: [1], per_minute: 600}\n");
  set("GPUSCOPE_SIM_GPUS", "2");
  ASSERT_TRUE(open());
  DeviceSample sample;
  std::set<std::uint64_t> xids;
  base::WallTime tick = kTime;
  while (!xids.contains(94) || !xids.contains(63)) {
    tick += seconds{1};
    source_->read(0, tick, sample);
    for (const model::Event& event : sample.events) EXPECT_NE(event.kind, model::EventKind::kXid);
    source_->read(1, tick, sample);
    for (const model::Event& event : sample.events) {
      if (event.kind == model::EventKind::kXid) xids.insert(event.code);
    }
  }
  EXPECT_EQ(xids, (std::set<std::uint64_t>{94, 63}));
}

TEST_F(SimulatedDriverTest, SaysThatLibraryAndDriverDiffer) {
  set("GPUSCOPE_SIM_FAULTS", "init=mismatch");
  const auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_THAT(inventory.error().message, HasSubstr("differ in version"));
}

TEST_F(SimulatedDriverTest, LosesOneGpuAndKeepsTheOthers) {
  set("GPUSCOPE_SIM_FAULTS", "1:*=error:15");
  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  DeviceSample sample;
  source_->read(1, kTime, sample);
  EXPECT_EQ(sample.at(Metric::kTemperature).absence, Absence::kGone);
  source_->read(2, kTime, sample);
  EXPECT_TRUE(sample.at(Metric::kTemperature).present());
}

}  // namespace
}  // namespace gpuscope::device::nvml

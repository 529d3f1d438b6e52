// Both ends of one simulation: what comes through the C ABI of the simulated driver is what the
// simulation says. One process per case, since a library reads its environment once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
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

// Not given by NVML but through profiling, or told from two moments, of which a frozen one has one.
const std::set<Metric> kElsewhere{Metric::kGraphicsEngineActivity,
                                  Metric::kSmActivity,
                                  Metric::kSmOccupancy,
                                  Metric::kTensorActivity,
                                  Metric::kFp64Activity,
                                  Metric::kFp32Activity,
                                  Metric::kFp16Activity,
                                  Metric::kDramActivity,
                                  Metric::kPowerAverage,
                                  Metric::kPcieTx,
                                  Metric::kPcieRx};

// NVML's own unit, in the catalogue's: what may be lost on the way.
std::int64_t grain(const MetricInfo& row) {
  switch (row.unit) {
    case model::Unit::kPercent:
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
    for (const MetricInfo& row : model::metrics(model::Entity::kGpu)) {
      if (!kElsewhere.contains(row.id)) expect_close(row, is.at(row.id), should.at(row.id));
    }
    expect_rows(model::Entity::kFan, is.fans, should.fans);
    expect_rows(model::Entity::kLink, is.links, should.links);
    expect_processes(is, should);
  }
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

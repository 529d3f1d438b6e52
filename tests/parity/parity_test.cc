// Both sources on one simulated machine, instant by instant: nvml through the simulated driver, smi
// through the simulated tools. They agree on all that both have, and what only one of them has
// stands here by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/subprocess.h"
#include "device/nvml/nvml_source.h"
#include "device/smi/query.h"
#include "device/smi/smi_source.h"
#include "parity/compare.h"

namespace gpuscope::parity {
namespace {

using model::Metric;
using std::chrono::seconds;

constexpr base::WallTime kStart{seconds{1'780'000'000}};

// What the tools have no word for.
const std::set<Metric> not_in_tools{
    // Profiling.
    Metric::kGraphicsEngineActivity, Metric::kSmActivity, Metric::kSmOccupancy,
    Metric::kTensorActivity, Metric::kFp64Activity, Metric::kFp32Activity, Metric::kFp16Activity,
    Metric::kDramActivity,
    // Counters and times that only the library counts.
    Metric::kEnergy, Metric::kViolationPowerSeconds, Metric::kViolationThermalSeconds,
    Metric::kViolationSyncBoostSeconds, Metric::kViolationBoardLimitSeconds,
    Metric::kViolationLowUtilizationSeconds, Metric::kViolationReliabilitySeconds,
    Metric::kPcieTxTotal, Metric::kPcieRxTotal, Metric::kNvlinkTx, Metric::kNvlinkRx,
    Metric::kNvlinkTxRate, Metric::kNvlinkRxRate, Metric::kNvlinkActiveLinks,
    // nvidia-smi gives the fans' share alone.
    Metric::kFanSpeed,
    // Of vGPU hosts, and of GPUs without memory of their own.
    Metric::kVgpuInstances, Metric::kUnifiedMemory,
    // Counted by the agent itself.
    Metric::kXidLast, Metric::kXidErrors, Metric::kBusySeconds};

// What documents of older drivers lack.
const std::set<Metric> not_in_v12{Metric::kPowerAverage,
                                  Metric::kClockEventSwPowerCapSeconds,
                                  Metric::kClockEventSyncBoostSeconds,
                                  Metric::kClockEventSwThermalSlowdownSeconds,
                                  Metric::kClockEventHwThermalSlowdownSeconds,
                                  Metric::kClockEventHwPowerBrakeSeconds};

// Facts that only the library tells.
const std::set<std::string> facts_not_in_tools{"fact nvml"};

struct Case {
  const char* scenario;
  const char* schema;
  // A driver without counters of PCIe traffic: its rates are those of one moment, as the tools'
  // are. Counters stand still on a machine whose time does.
  bool without_pcie_counters = false;
};

class Parity : public testing::TestWithParam<Case> {
 protected:
  Parity() {
    nvml_.library = SIMULATED_NVML;
    nvml_.root = "/nonexistent";
    smi_.nvidia_smi = SIMULATED_NVIDIA_SMI;
    smi_.dcgmi = "/nonexistent/dcgmi";
    smi_.tool_timeout = seconds{60};
    set("GPUSCOPE_SIM_GPUS", "4");
    set("GPUSCOPE_SIM_SEED", "7");
    set("GPUSCOPE_SIM_SCENARIO", GetParam().scenario);
    set("GPUSCOPE_SIM_SMI_SCHEMA", GetParam().schema);
    if (GetParam().without_pcie_counters) {
      set("GPUSCOPE_SIM_FAULTS", "*:field/197=not_supported;*:field/198=not_supported");
      nvml_.gpm = false;
    }
  }
  ~Parity() override {
    for (const auto& name : variables_) unsetenv(name.c_str());
  }
  void set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables_.insert(name);
  }

  // One instant of the machine, as a source sees it that was opened then.
  static void look(model::Source& source, base::WallTime now, View& view,
                   std::shared_ptr<const model::Inventory>& inventory) {
    auto opened = source.open();
    ASSERT_TRUE(opened) << opened.error().message;
    inventory = *opened;
    view.inventory = inventory.get();
    view.devices.resize(inventory->gpus.size());
    // Some values need two ticks, and some take turns.
    for (int tick = 0; tick < 3; ++tick) {
      for (std::size_t i = 0; i < view.devices.size(); ++i) {
        source.read(i, now + seconds{tick}, view.devices[i]);
      }
    }
  }

  // The same instant with what the loop's lines say laid over the document.
  View with_lines(const View& document) {
    View view = document;
    const auto run = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), smi_.nvidia_smi);
      base::RunLimits limits;
      limits.timeout = seconds{60};
      const auto done = base::run_command({std::move(arguments), {}}, limits);
      EXPECT_TRUE(done);
      return done ? done->output : std::string();
    };
    const device::smi::Query query(run({"--help-query-gpu"}));
    std::string lines = run({"--query-gpu=" + query.fields(), "--format=csv,noheader,nounits"});
    std::size_t gpu = 0;
    for (std::size_t end = lines.find('\n'); end != std::string::npos; end = lines.find('\n')) {
      const auto row = query.parse(lines.substr(0, end));
      lines.erase(0, end + 1);
      EXPECT_TRUE(row);
      if (!row || gpu >= view.devices.size()) break;
      EXPECT_EQ(row->uuid, view.inventory->gpus[gpu].uuid());
      for (const Metric metric : query.metrics()) {
        const model::Reading& reading = row->row[model::column(metric)];
        if (reading.absence != model::Absence::kUnsupported) view.devices[gpu].at(metric) = reading;
      }
      ++gpu;
    }
    EXPECT_EQ(gpu, view.devices.size());
    return view;
  }

  bool v12() const { return std::string(GetParam().schema) == "v12"; }

  // Everything that one has and the other has not is expected, by name.
  void expect_named(const Comparison& comparison) const {
    for (const std::string& key : comparison.only_nvml) {
      const auto metric = model::find_metric(key);
      if (!metric || model::info(*metric).entity != model::Entity::kGpu) continue;
      EXPECT_TRUE(not_in_tools.contains(*metric) || (v12() && not_in_v12.contains(*metric)))
          << key
          << " is dropped on the way through the tools: read it in device/smi, or name it in "
          << "not_in_tools";
    }
    for (const std::string& key : comparison.only_nvml) {
      EXPECT_TRUE(!key.starts_with("fact ") || facts_not_in_tools.contains(key)) << key;
    }
    for (const std::string& key : comparison.only_smi) {
      const auto metric = model::find_metric(key);
      EXPECT_FALSE(metric && not_in_tools.contains(*metric))
          << key << " is in the tools, after all";
    }
  }

  const base::SystemClock clock_;
  device::nvml::Options nvml_;
  device::smi::Options smi_;
  std::set<std::string> variables_;
};

TEST_P(Parity, BothSourcesSeeTheSameMachine) {
  Comparison documents;
  Comparison lines;
  constexpr int kTicks = 5;
  for (int tick = 0; tick < kTicks; ++tick) {
    const base::WallTime now = kStart + tick * seconds{7};
    set("GPUSCOPE_SIM_TIME", std::to_string(now.time_since_epoch().count() / 1'000'000));
    const auto nvml = device::nvml::make_nvml_source(nvml_, clock_);
    const auto smi = device::smi::make_smi_source(smi_, clock_);
    View through_nvml;
    View through_smi;
    std::shared_ptr<const model::Inventory> one;
    std::shared_ptr<const model::Inventory> other;
    ASSERT_NO_FATAL_FAILURE(look(*nvml, now, through_nvml, one));
    ASSERT_NO_FATAL_FAILURE(look(*smi, now, through_smi, other));
    EXPECT_EQ(one->simulated, other->simulated);
    compare(through_nvml, through_smi, documents);
    compare(through_nvml, with_lines(through_smi), lines);
  }
  for (const Comparison* comparison : {&documents, &lines}) {
    for (const Difference& difference : comparison->differences) {
      ADD_FAILURE() << difference.where << ": nvml " << difference.nvml << ", smi "
                    << difference.smi;
    }
    EXPECT_GE(comparison->both.size(), 50U) << table_of(*comparison);
    for (const Metric metric : {Metric::kPcieTx, Metric::kPcieRx}) {
      const auto found = comparison->both.find(std::string(model::info(metric).key));
      if (!GetParam().without_pcie_counters) continue;
      ASSERT_NE(found, comparison->both.end()) << model::info(metric).key;
      EXPECT_GT(found->second.nvml, 0) << model::info(metric).key;
    }
  }
  expect_named(documents);
  expect_named(lines);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Parity,
                         testing::Values(Case{"", "v13"}, Case{"", "v12"}, Case{"training", "v13"},
                                         Case{"inference", "v12"}, Case{"throttled", "v13"},
                                         Case{"overheating", "v13"}, Case{"ecc_failing", "v13"},
                                         Case{"fallen_off_bus", "v13"}, Case{"mig", "v13"},
                                         Case{"training", "v13", true}),
                         [](const auto& of) {
                           const std::string scenario = of.param.scenario;
                           return (scenario.empty() ? "wandering" : scenario) + "_" +
                                  of.param.schema + (of.param.without_pcie_counters ? "_pcie" : "");
                         });

}  // namespace
}  // namespace gpuscope::parity

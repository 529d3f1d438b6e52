#include "model/naming.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/trend.h"

namespace gpuscope::model {
namespace {

const Family& family(std::string_view name) {
  for (const Family& row : gpu_metric_naming().families) {
    if (row.name == name) return row;
  }
  ADD_FAILURE() << "no family " << name;
  return gpu_metric_naming().families[0];
}

TEST(Naming, GpuMetricHasTheDocumentedFamiliesInTheirOrder) {
  std::vector<std::string> names;
  for (const Family& row : gpu_metric_naming().families) names.emplace_back(row.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "gpu_power_watts", "gpu_temperature_celsius", "gpu_clock_mhz",
                "gpu_memory_clock_mhz", "gpu_utilization_percent", "gpu_memory_utilization_percent",
                "gpu_memory_used_mib", "gpu_memory_total_mib", "gpu_memory_usage_percent",
                "gpu_fan_speed", "gpu_health_status", "gpu_fan_speed_percent"}));
  std::vector<std::string> labels;
  for (const Label& label : gpu_metric_naming().labels) labels.emplace_back(label.name);
  EXPECT_EQ(labels, (std::vector<std::string>{"gpu_uuid", "gpu_index", "gpu_name", "gpu_health"}));
}

TEST(Naming, RowsAreWhole) {
  std::set<std::string_view> names;
  std::set<std::string_view> keys;
  for (const Family& row : gpu_metric_naming().families) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(keys.insert(row.json_key).second) << row.json_key;
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_EQ(row.help.find_first_of("\\\n"), row.help.npos) << row.name;
    EXPECT_GE(decimals(row), 0) << row.name;
    EXPECT_LE(decimals(row), 18) << row.name;
    // A name says its unit: what turns bytes into MiB is called so.
    EXPECT_EQ(row.binary_shift == 20, row.name.ends_with("_mib")) << row.name;
  }
}

TEST(Naming, ScalesToTheFamilysUnit) {
  EXPECT_EQ(scale(family("gpu_power_watts"), 102'072), (Scaled{102'072, 3}));
  EXPECT_EQ(scale(family("gpu_memory_used_mib"), std::int64_t{3000} << 20), (Scaled{3000, 0}));
  // To the nearest whole MiB.
  EXPECT_EQ(scale(family("gpu_memory_used_mib"), (std::int64_t{7} << 20) + (1 << 19)),
            (Scaled{8, 0}));
  EXPECT_EQ(scale(family("gpu_memory_used_mib"), (std::int64_t{7} << 20) + (1 << 19) - 1),
            (Scaled{7, 0}));
  EXPECT_EQ(scale(family("gpu_health_status"), 4), (Scaled{4, 0}));
  const Family ratio{.metric = Metric::kGpuUtilization,
                     .name = "x_ratio",
                     .json_key = "x",
                     .help = "x",
                     .decimal_shift = 2};
  EXPECT_EQ(scale(ratio, 5000), (Scaled{5000, 4}));
}

// dcgm-exporter's list of counters as it comes, in its order; what it has as a label is another
// table's.
TEST(Naming, TheDefaultTierIsDcgmExporters) {
  std::vector<std::string_view> names;
  for (const MetricsFamily& row : dcgm_families()) {
    if (row.tier == Tier::kDefault) names.push_back(row.name);
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"DCGM_FI_DEV_SM_CLOCK",
                                                  "DCGM_FI_DEV_MEM_CLOCK",
                                                  "DCGM_FI_DEV_MEMORY_TEMP",
                                                  "DCGM_FI_DEV_GPU_TEMP",
                                                  "DCGM_FI_DEV_POWER_USAGE",
                                                  "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
                                                  "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
                                                  "DCGM_FI_DEV_GPU_UTIL",
                                                  "DCGM_FI_DEV_MEM_COPY_UTIL",
                                                  "DCGM_FI_DEV_ENC_UTIL",
                                                  "DCGM_FI_DEV_DEC_UTIL",
                                                  "DCGM_FI_DEV_XID_ERRORS",
                                                  "DCGM_FI_DEV_FB_FREE",
                                                  "DCGM_FI_DEV_FB_USED",
                                                  "DCGM_FI_DEV_FB_RESERVED",
                                                  "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
                                                  "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
                                                  "DCGM_FI_DEV_ROW_REMAP_FAILURE",
                                                  "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
                                                  "DCGM_FI_DEV_VGPU_LICENSE_STATUS",
                                                  "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
                                                  "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
                                                  "DCGM_FI_PROF_DRAM_ACTIVE",
                                                  "DCGM_FI_PROF_PCIE_TX_BYTES",
                                                  "DCGM_FI_PROF_PCIE_RX_BYTES"}));
}

TEST(Naming, RowsOfMetricsAreWhole) {
  std::set<std::string_view> names;
  for (const auto& rows : {dcgm_families(), gpuscope_families()}) {
    for (const MetricsFamily& row : rows) {
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      EXPECT_NE(row.new_name, row.name);
      EXPECT_TRUE(row.new_name.empty() || names.insert(row.new_name).second) << row.new_name;
      EXPECT_FALSE(row.help.empty()) << row.name;
      EXPECT_EQ(row.help.find_first_of("\\\n\""), row.help.npos) << row.name;
      EXPECT_LE(info(row.metric).decimals + row.decimal_shift, 18) << row.name;
      EXPECT_EQ(info(row.of_instance.value_or(row.metric)).unit, info(row.metric).unit) << row.name;
    }
  }
}

// What is ours is in base units, and a counter, and nothing else, says that it is a total.
TEST(Naming, OurNamesSayTheirUnit) {
  for (const MetricsFamily& row : gpuscope_families()) {
    EXPECT_TRUE(row.name.starts_with("gpuscope_")) << row.name;
    EXPECT_EQ(row.name.ends_with("_total"), row.kind == Kind::kCounter) << row.name;
    for (const std::string_view other : {"percent", "mhz", "mib", "milli"}) {
      EXPECT_EQ(row.name.find(other), row.name.npos) << row.name;
    }
    EXPECT_EQ(row.tier, Tier::kCommon);
  }
}

TEST(Naming, EveryMetricHasAName) {
  for (const MetricInfo& row : metrics()) EXPECT_FALSE(metrics_names(row.id).empty()) << row.key;
}

TEST(Naming, ClockEventsHaveDcgmsWords) {
  EXPECT_EQ(clock_event_names().size(), kClockEventCount);
  const auto name_of = [](Metric metric) {
    return clock_event_names()[column(metric) - column(Metric::kClockEventIdle)];
  };
  EXPECT_EQ(name_of(Metric::kClockEventSwPowerCap), "power_cap");
  EXPECT_EQ(name_of(Metric::kClockEventHwThermalSlowdown), "hw_thermal");
  EXPECT_EQ(name_of(Metric::kClockEventDisplayClocks), "display_clocks");
}

TEST(Naming, StatesAreGauges) {
  EXPECT_EQ(prometheus_type(Kind::kState), "gauge");
  EXPECT_EQ(prometheus_type(Kind::kGauge), "gauge");
  EXPECT_EQ(prometheus_type(Kind::kCounter), "counter");
}

}  // namespace
}  // namespace gpuscope::model

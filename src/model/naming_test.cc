#include "model/naming.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

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

TEST(Naming, StatesAreGauges) {
  EXPECT_EQ(prometheus_type(Kind::kState), "gauge");
  EXPECT_EQ(prometheus_type(Kind::kGauge), "gauge");
  EXPECT_EQ(prometheus_type(Kind::kCounter), "counter");
}

}  // namespace
}  // namespace gpuscope::model

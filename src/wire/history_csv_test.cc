#include "wire/history_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "wire/history_openmetrics.h"

namespace gpuscope::wire {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;

constexpr base::WallTime kTick{std::chrono::milliseconds{1'795'339'482'250}};

TEST(HistoryCsv, HasTheColumnsThatScriptsKnow) {
  std::string out;
  append_csv_header(out, standard_columns("GPU-a"));
  EXPECT_EQ(out,
            "timestamp,power_watts,temperature_celsius,gpu_clock_mhz,memory_clock_mhz,"
            "gpu_utilization_percent,memory_utilization_percent,memory_used_mib,memory_total_mib,"
            "memory_usage_percent,fan_speed,health_status,health_status_numeric\n");
}

TEST(HistoryCsv, WritesRows) {
  const auto columns = standard_columns("GPU-a");
  std::vector<Reading> readings(columns.size(), Reading::none(Absence::kUnsupported));
  std::string out;
  append_csv_row(out, kTick, columns, readings);
  EXPECT_EQ(out, "2026-11-22T09:24:42.250000+00:00,,,,,,,,,,,unknown,4\n");
  readings[0] = Reading::of(46'100);
  readings[6] = Reading::of(3'145'728'000 + 524'288);
  readings[10] = Reading::of(2);
  out.clear();
  append_csv_row(out, kTick, columns, readings);
  EXPECT_EQ(out, "2026-11-22T09:24:42.250000+00:00,46.1,,,,,,3001,,,,warning,2\n");
}

TEST(HistoryCsv, AddsWhatTheStandardColumnsDoNotHave) {
  const auto columns = further_columns({{"GPU-a", Metric::kPower, 0},
                                        {"GPU-a", Metric::kMemoryUsed, 0},
                                        {"GPU-a", Metric::kEnergy, 0},
                                        {"GPU-a", Metric::kFanPercent, 1},
                                        {"GPU-a", Metric::kMigMemoryUsed, 65'538}});
  std::string out;
  append_csv_header(out, columns);
  EXPECT_EQ(
      out, "timestamp,memory_used_bytes,energy_joules,fan_percent[1],mig_memory_used_bytes[1/2]\n");
}

const ExportFamily& family(const std::vector<ExportFamily>& families, std::string_view name) {
  for (const ExportFamily& each : families) {
    if (each.name == name) return each;
  }
  ADD_FAILURE() << "no family " << name;
  return families.front();
}

TEST(HistoryOpenMetrics, HasTheNamesUnitsAndLabelsOfThePages) {
  const auto families = export_families(true);
  EXPECT_EQ(export_families(false).size(), 12U);
  ExportGpu gpu{.uuid = "GPU-a", .simulated = true};
  gpu.info.fact(model::Fact::kUuid) = model::Text::of("GPU-a");
  gpu.info.fact(model::Fact::kName) = model::Text::of("X \"1\"");
  const auto line = [&](std::string_view name, const model::SeriesKey& key, std::int64_t value) {
    std::string out;
    const ExportFamily& of = family(families, name);
    append_export_sample(out, of,
                         export_labels(of, gpu, key, model::Health::kWarning, {{"job", "g"}}),
                         {kTick, Reading::of(value)});
    return out;
  };
  EXPECT_EQ(
      line("gpu_memory_used_mib", {"GPU-a", Metric::kMemoryUsed, 0}, 3'145'728),
      "gpu_memory_used_mib{gpu_uuid=\"GPU-a\",gpu_name=\"X \\\"1\\\"\",gpu_health=\"warning\","
      "simulated=\"true\",job=\"g\"} 3 1795339482.25\n");
  EXPECT_EQ(line("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", {"GPU-a", Metric::kEnergy, 0}, 1500),
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID=\"GPU-a\",modelName=\"X \\\"1\\\"\","
            "simulated=\"true\",job=\"g\"} 1500 1795339482.25\n");
  gpu.index = 3;
  gpu.host = "node-7";
  gpu.simulated = false;
  gpu.mig_profiles[(5 << 16) + 1] = "1g.10gb";
  gpu.info.fact(model::Fact::kDriverVersion) = model::Text::of("535.1");
  EXPECT_EQ(line("gpu_power_watts", {"GPU-a", Metric::kPower, 0}, 1500),
            "gpu_power_watts{gpu_uuid=\"GPU-a\",gpu_index=\"3\",gpu_name=\"X \\\"1\\\"\","
            "gpu_health=\"warning\",job=\"g\"} 1.5 1795339482.25\n");
  EXPECT_EQ(
      line("DCGM_FI_DEV_GPU_TEMP", {"GPU-a", Metric::kTemperature, 0}, 460),
      "DCGM_FI_DEV_GPU_TEMP{gpu=\"3\",UUID=\"GPU-a\",pci_bus_id=\"\",device=\"nvidia3\","
      "modelName=\"X \\\"1\\\"\",Hostname=\"node-7\",DCGM_FI_DRIVER_VERSION=\"535.1\",job=\"g\""
      "} 46 1795339482.25\n");
  const auto mig = std::ranges::find_if(families, [](const ExportFamily& each) {
    return each.metric && model::info(*each.metric).entity == model::Entity::kMigInstance;
  });
  ASSERT_NE(mig, families.end());
  EXPECT_THAT(line(mig->name, {"GPU-a", *mig->metric, (5 << 16) + 1}, 7),
              testing::HasSubstr(",GPU_I_PROFILE=\"1g.10gb\",GPU_I_ID=\"5\","
                                 "compute_instance=\"1\",Hostname=\"node-7\",job=\"g\"}"));
  std::string out;
  append_export_sample(out, families.front(), "{} ", {kTick, Reading::none(Absence::kGone)});
  EXPECT_EQ(out, "");
  append_export_header(out, family(families, "gpu_power_watts"));
  EXPECT_EQ(out,
            "# HELP gpu_power_watts GPU power consumption in watts\n"
            "# TYPE gpu_power_watts gauge\n");
}

TEST(HistoryOpenMetrics, HasNoFamilyTwice) {
  const auto families = export_families(true);
  std::vector<std::string_view> names;
  for (const ExportFamily& each : families) {
    EXPECT_EQ(std::ranges::find(names, each.name), names.end()) << each.name;
    names.push_back(each.name);
  }
}

}  // namespace
}  // namespace gpuscope::wire

#include "wire/prometheus_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

std::string render(PrometheusText& text, const model::Snapshot& snapshot) {
  std::string out;
  text.append(snapshot, "", out);
  return out;
}

constexpr std::string_view kFirst =
    R"({gpu_uuid="GPU-0a1b2c3d-4e5f-6172-8192-334455667788",gpu_index="0",gpu_name="SIM-RTX4090",gpu_health="healthy"} )";
constexpr std::string_view kSecond =
    "{gpu_uuid=\"GPU-BBBB\",gpu_index=\"1\",gpu_name=\"Odd \\\"name\\\" \\\\ \xef\xbf\xbd\\n\","
    "gpu_health=\"unknown\"} ";

std::string sample(std::string_view family, std::string_view labels, std::string_view value) {
  return std::string(family).append(labels).append(value).append("\n");
}

TEST(PrometheusText, IsTheDocumentedText) {
  PrometheusText text(model::gpu_metric_naming());
  std::string expected;
  const auto family = [&](std::string_view name, std::string_view help) {
    expected.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    expected.append(name).append(" gauge\n");
  };
  const auto line = [&](std::string_view name, std::string_view labels, std::string_view value) {
    expected += sample(name, labels, value);
  };
  family("gpu_power_watts", "GPU power consumption in watts");
  line("gpu_power_watts", kFirst, "102.072");
  family("gpu_temperature_celsius", "GPU temperature in celsius");
  line("gpu_temperature_celsius", kFirst, "46.1");
  family("gpu_clock_mhz", "GPU clock frequency in MHz");
  line("gpu_clock_mhz", kFirst, "2100");
  line("gpu_clock_mhz", kSecond, "1500");
  family("gpu_memory_clock_mhz", "GPU memory clock frequency in MHz");
  line("gpu_memory_clock_mhz", kFirst, "1100");
  family("gpu_utilization_percent", "GPU utilization percentage");
  line("gpu_utilization_percent", kFirst, "30");
  family("gpu_memory_utilization_percent", "GPU memory utilization percentage");
  line("gpu_memory_utilization_percent", kFirst, "24.05");
  family("gpu_memory_used_mib", "GPU memory used in MiB");
  line("gpu_memory_used_mib", kFirst, "3000");
  family("gpu_memory_total_mib", "GPU memory total in MiB");
  line("gpu_memory_total_mib", kFirst, "24000");
  family("gpu_memory_usage_percent", "GPU memory usage percentage");
  line("gpu_memory_usage_percent", kFirst, "12.5");
  family("gpu_fan_speed", "GPU fan speed in rpm");
  line("gpu_fan_speed", kFirst, "1050");
  family("gpu_health_status",
         "GPU health status (0=Healthy, 1=Caution, 2=Warning, 3=Critical, 4=Unknown)");
  line("gpu_health_status", kFirst, "0");
  line("gpu_health_status", kSecond, "4");
  family("gpu_fan_speed_percent", "GPU fan speed as a percentage of its maximum");
  line("gpu_fan_speed_percent", kFirst, "30");
  line("gpu_fan_speed_percent", kSecond, "42");
  EXPECT_EQ(render(text, test_snapshot()), expected);
}

// A renderer that has seen other machines and healths writes what a fresh one writes.
TEST(PrometheusText, FollowsHealthAndInventory) {
  PrometheusText text(model::gpu_metric_naming());
  model::Snapshot snapshot = test_snapshot();
  render(text, snapshot);
  for (const model::Health health :
       {model::Health::kCritical, model::Health::kCaution, model::Health::kUnknown}) {
    snapshot.verdicts[0].overall = health;
    PrometheusText fresh(model::gpu_metric_naming());
    const std::string out = render(text, snapshot);
    EXPECT_EQ(out, render(fresh, snapshot));
    // One scrape never holds two series for one GPU.
    EXPECT_EQ(out.find("gpu_index=\"0\",gpu_name=\"SIM-RTX4090\",gpu_health=\"healthy\""),
              out.npos);
  }
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->gpus.resize(3);
  inventory->gpus[2].fact(model::Fact::kName) =
      model::Text::of("A name that is a good deal longer than all the others on this machine");
  snapshot.inventory = inventory;
  snapshot.devices.resize(3);
  snapshot.devices[2].at(model::Metric::kPower) = model::Reading::of(1);
  // A device that nobody judged.
  PrometheusText fresh(model::gpu_metric_naming());
  const std::string out = render(text, snapshot);
  EXPECT_EQ(out, render(fresh, snapshot));
  EXPECT_NE(out.find("on this machine\",gpu_health=\"unknown\"} 0.001\n"), out.npos);
}

// Tick after tick from the document before, whatever changes: always what a fresh renderer writes.
TEST(PrometheusText, ContinuesTheDocumentBefore) {
  std::mt19937_64 random(7);
  model::Snapshot snapshot = test_snapshot();
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->gpus.resize(5);
  snapshot.inventory = inventory;
  snapshot.devices.resize(5);
  snapshot.verdicts.resize(5);
  PrometheusText text(model::gpu_metric_naming());
  std::string last;
  const auto number = [&] {
    // Every length and sign; one in three is as short as most are.
    const auto any = static_cast<std::int64_t>(random());
    return random() % 3 == 0 ? any % 1000 : any >> (random() % 64);
  };
  for (int tick = 0; tick < 2000; ++tick) {
    model::DeviceSample& device = snapshot.devices[random() % snapshot.devices.size()];
    for (std::size_t i = random() % 40; i > 0; --i) {
      device.gpu[random() % device.gpu.size()] = model::Reading::of(number());
    }
    if (random() % 20 == 0) {
      device.at(model::Metric::kPower) = model::Reading::none(model::Absence::kTimedOut);
    }
    if (random() % 50 == 0) {
      snapshot.verdicts[random() % snapshot.verdicts.size()].overall = model::Health::kWarning;
    }
    if (random() % 100 == 0) {
      snapshot.devices.resize(1 + random() % 5);
      snapshot.inventory = std::make_shared<model::Inventory>(*inventory);
    }
    PrometheusText fresh(model::gpu_metric_naming());
    std::string now = "kept ";
    text.append(snapshot, last, now);
    ASSERT_EQ(now, "kept " + render(fresh, snapshot)) << "tick " << tick;
    last = now.substr(5);
    if (random() % 100 == 0) last.clear();  // nobody kept it
  }
}

TEST(PrometheusText, WithoutGpusHasHeadersAlone) {
  PrometheusText text(model::gpu_metric_naming());
  model::Snapshot snapshot;
  snapshot.inventory = std::make_shared<model::Inventory>();
  const std::string out = render(text, snapshot);
  EXPECT_NE(out.find("# TYPE gpu_power_watts gauge\n"), out.npos);
  EXPECT_EQ(out.find('{'), out.npos);
}

TEST(PrometheusText, WritesEveryNumberThereIs) {
  PrometheusText text(model::gpu_metric_naming());
  model::Snapshot snapshot = test_snapshot();
  snapshot.devices[0].at(model::Metric::kPower) =
      model::Reading::of(std::numeric_limits<std::int64_t>::min());
  snapshot.devices[0].at(model::Metric::kSmClock) =
      model::Reading::of(std::numeric_limits<std::int64_t>::max());
  snapshot.devices[0].at(model::Metric::kTemperature) = model::Reading::of(-5);
  const std::string out = render(text, snapshot);
  EXPECT_NE(out.find("\"} -9223372036854775.808\n"), out.npos);
  EXPECT_NE(out.find("\"} 9223372036854775807\n"), out.npos);
  EXPECT_NE(out.find("\"} -0.5\n"), out.npos);
}

}  // namespace
}  // namespace gpuscope::wire

#include "prom/tick_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>

#include "model/naming.h"
#include "prom/write_request_testing.h"
#include "wire/test_snapshot.h"

namespace gpuscope::prom {
namespace {

using model::Metric;
using model::Reading;

const Labels our_labels{{"Hostname", "other"}, {"instance", "node-1:9555"}, {"job", "gpuscope"}};

wire::MetricsOptions metrics() {
  wire::MetricsOptions options;
  options.hostname = "node-1";
  return options;
}

// All requests of the batch, by the text of their labels.
std::map<std::string, ReadSeries> sent(const TickBatch& batch, std::size_t max_bytes = 1 << 20,
                                       std::size_t* requests = nullptr) {
  std::map<std::string, ReadSeries> all;
  WriteRequest request;
  std::size_t from = 0;
  while (batch.next_request(from, max_bytes, request)) {
    if (requests != nullptr) ++*requests;
    for (ReadSeries& series : read_request(request.compressed())) {
      std::string key;
      for (const auto& [name, value] : series.labels)
        key.append(name).append("=").append(value).append(";");
      EXPECT_FALSE(all.contains(key)) << key;
      all.emplace(key, std::move(series));
    }
  }
  return all;
}

const ReadSeries* find(const std::map<std::string, ReadSeries>& all, const std::string& name,
                       const std::string& uuid) {
  for (const auto& [key, series] : all) {
    if (series.label("__name__") != name) continue;
    if (series.label("UUID") == uuid || series.label("gpu_uuid") == uuid) return &series;
  }
  return nullptr;
}

constexpr std::int64_t kTime = 1'795'339'482'736;
constexpr const char* kFirst = "GPU-0a1b2c3d-4e5f-6172-8192-334455667788";

TEST(TickBatch, SendsWhatThePagesShow) {
  const model::Snapshot tick = wire::test_snapshot();
  TickBatch batch(metrics(), our_labels);
  batch.add(tick);
  const auto all = sent(batch);

  std::string page;
  wire::PrometheusText(model::gpu_metric_naming()).append(tick, {}, page);
  wire::MetricsText(metrics()).append_kept(tick, page);
  std::string_view rest = page;
  std::size_t lines = 0;
  while (const auto line = next_sample(rest)) {
    ++lines;
    const Labels labels = parse_series(line->series).value_or(Labels{});
    EXPECT_FALSE(labels.empty());
    const bool found = std::ranges::any_of(all, [&](const auto& entry) {
      const ReadSeries& series = entry.second;
      return std::ranges::all_of(
                 labels,
                 [&](const auto& label) { return series.label(label.first) == label.second; }) &&
             series.samples == std::vector<ReadSample>{{kTime, line->value}};
    });
    EXPECT_TRUE(found) << line->series;
  }
  EXPECT_EQ(all.size(), lines);
  EXPECT_EQ(batch.samples(), lines);
  EXPECT_GT(lines, 50U);

  const ReadSeries* power = find(all, "gpu_power_watts", kFirst);
  ASSERT_NE(power, nullptr);
  EXPECT_EQ(power->samples[0].value, 102.072);
  EXPECT_EQ(power->label("gpu_health"), "healthy");
  const ReadSeries* temperature = find(all, "DCGM_FI_DEV_GPU_TEMP", kFirst);
  ASSERT_NE(temperature, nullptr);
  EXPECT_EQ(temperature->samples[0].value, 46.1);
  EXPECT_NE(find(all, "gpuscope_gpu_health", kFirst), nullptr);
  EXPECT_EQ(find(all, "DCGM_EXP_GPU_HEALTH_STATUS", kFirst), nullptr) << "findings are not kept";
  EXPECT_EQ(find(all, "gpu_power_watts", "GPU-BBBB"), nullptr) << "absent is not sent";
}

// A running agent takes other names: the old series end, the new ones begin.
TEST(TickBatch, SeriesThatAreRenamedEndAndBeginAnew) {
  model::Snapshot tick = wire::test_snapshot();
  TickBatch batch(metrics(), our_labels);
  batch.add(tick);
  batch.clear();
  wire::MetricsOptions renamed = metrics();
  renamed.names = model::DcgmNames::kNew;
  batch.change(renamed);
  tick.time += std::chrono::seconds{1};
  batch.add(tick);
  const auto all = sent(batch);
  const ReadSeries* before = find(all, "DCGM_FI_DEV_GPU_TEMP", kFirst);
  const ReadSeries* after = find(all, "DCGM_FI_DEV_GPU_TEMP_CELSIUS", kFirst);
  ASSERT_NE(before, nullptr);
  ASSERT_NE(after, nullptr);
  EXPECT_TRUE(std::isnan(before->samples[0].value)) << "a stale marker";
  EXPECT_EQ(after->samples[0].value, 46.1);
}

TEST(TickBatch, SortsLabelsAndAddsOurs) {
  TickBatch batch(metrics(), our_labels);
  batch.add(wire::test_snapshot());
  for (const auto& [key, series] : sent(batch)) {
    EXPECT_TRUE(std::ranges::is_sorted(series.labels)) << key;
    EXPECT_EQ(series.label("job"), "gpuscope");
    EXPECT_EQ(series.label("instance"), "node-1:9555");
    EXPECT_EQ(series.label("simulated"), "true") << key;
    const bool is_page = series.label("__name__").starts_with("gpu_");
    EXPECT_EQ(series.label("Hostname"), is_page ? "other" : "node-1")
        << "the series' own goes first";
    for (const auto& [name, value] : series.labels) EXPECT_NE(value, "") << key << name;
  }
}

TEST(TickBatch, GathersTheTicksOfASeries) {
  model::Snapshot tick = wire::test_snapshot();
  TickBatch batch(metrics(), {});
  for (int i = 0; i < 3; ++i) {
    tick.devices[0].at(Metric::kPower) = Reading::of(100'000 + i);
    batch.add(tick);
    tick.time += std::chrono::microseconds{1'000'500};
  }
  EXPECT_EQ(batch.ticks(), 3U);
  const auto all = sent(batch);
  const ReadSeries* power = find(all, "gpu_power_watts", kFirst);
  ASSERT_NE(power, nullptr);
  EXPECT_EQ(power->samples, (std::vector<ReadSample>{
                                {kTime, 100}, {kTime + 1000, 100.001}, {kTime + 2001, 100.002}}));
  batch.clear();
  EXPECT_EQ(batch.samples(), 0U);
  EXPECT_TRUE(sent(batch).empty());
}

TEST(TickBatch, MarksSeriesThatEnd) {
  const ReadSample ended{kTime + 1000, stale_marker()};
  for (const bool in_one_batch : {true, false}) {
    for (const bool restarted : {false, true}) {
      SCOPED_TRACE(in_one_batch);
      SCOPED_TRACE(restarted);
      if (restarted && in_one_batch) continue;
      model::Snapshot tick = wire::test_snapshot();
      TickBatch batch(metrics(), {});
      if (restarted) {
        batch.begin_behind(tick);
        EXPECT_EQ(batch.samples(), 0U);
      } else {
        batch.add(tick);
      }
      if (!in_one_batch) batch.clear();
      tick.time += std::chrono::seconds{1};
      tick.devices[0].at(Metric::kPower) = Reading::none(model::Absence::kTimedOut);
      tick.verdicts[0].overall = model::Health::kWarning;
      batch.add(tick);
      const auto all = sent(batch);
      int healthy = 0;
      int warned = 0;
      for (const auto& [key, series] : all) {
        if (series.label("gpu_uuid") != kFirst) continue;
        if (series.label("gpu_health") == "healthy") {
          ++healthy;
          EXPECT_EQ(series.samples.back(), ended) << key;
          EXPECT_EQ(series.samples.size(), in_one_batch ? 2U : 1U);
        } else {
          ++warned;
          EXPECT_EQ(series.samples.size(), 1U) << key;
          EXPECT_NE(series.samples.back(), ended) << key;
        }
      }
      EXPECT_GT(healthy, 5);
      EXPECT_EQ(warned, healthy - 1) << "power is absent now";
      const ReadSeries* power = find(all, "DCGM_FI_DEV_POWER_USAGE", kFirst);
      ASSERT_NE(power, nullptr);
      EXPECT_EQ(power->samples.back(), ended);
      // Told once.
      batch.clear();
      tick.time += std::chrono::seconds{1};
      batch.add(tick);
      EXPECT_EQ(find(sent(batch), "DCGM_FI_DEV_POWER_USAGE", kFirst), nullptr);
    }
  }
}

TEST(TickBatch, EndsAllSeriesOfAGpuThatIsGone) {
  model::Snapshot tick = wire::test_snapshot();
  TickBatch batch(metrics(), {});
  batch.add(tick);
  const std::size_t before = sent(batch).size();
  batch.clear();
  auto inventory = std::make_shared<model::Inventory>(*tick.inventory);
  inventory->gpus.pop_back();
  tick.inventory = inventory;
  tick.devices.pop_back();
  tick.verdicts.pop_back();
  tick.time += std::chrono::seconds{1};
  batch.add(tick);
  const auto all = sent(batch);
  EXPECT_EQ(all.size(), before);
  std::size_t ended = 0;
  for (const auto& [key, series] : all) {
    const bool is_gone =
        series.label("UUID") == "GPU-BBBB" || series.label("gpu_uuid") == "GPU-BBBB";
    EXPECT_EQ(series.samples[0].bits() == 0x7ff0000000000002U, is_gone) << key;
    if (is_gone) ++ended;
  }
  EXPECT_GT(ended, 5U);
}

// A history may hold both, one after the other.
TEST(TickBatch, KeepsSimulatedAndRealApart) {
  model::Snapshot tick = wire::test_snapshot();
  TickBatch batch(metrics(), {});
  batch.add(tick);
  auto inventory = std::make_shared<model::Inventory>(*tick.inventory);
  inventory->simulated = false;
  tick.inventory = inventory;
  tick.time += std::chrono::seconds{1};
  batch.add(tick);
  for (const auto& [key, series] : sent(batch)) {
    const bool simulated = series.label("simulated") == "true";
    ASSERT_EQ(series.samples.size(), simulated ? 2U : 1U) << key;
    EXPECT_EQ(series.samples.back().bits() == 0x7ff0000000000002U, simulated) << key;
  }
}

TEST(TickBatch, FitsRequestsIntoTheirBound) {
  TickBatch batch(metrics(), our_labels);
  batch.add(wire::test_snapshot());
  std::size_t requests = 0;
  const auto all = sent(batch, 4096, &requests);
  EXPECT_GT(requests, 3U);
  EXPECT_EQ(all, sent(batch));
}

}  // namespace

}  // namespace gpuscope::prom

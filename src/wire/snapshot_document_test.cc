#include "wire/snapshot_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "wire/catalog_document.h"
#include "wire/stream_event.h"
#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;
using model::Metric;
using model::Reading;

Json document(const model::Snapshot& snapshot) {
  std::string out;
  append_snapshot(out, snapshot);
  EXPECT_EQ(out.find('\n'), std::string::npos) << "an event's data is one line";
  return Json::parse(out);
}

TEST(SnapshotDocument, HasEveryReadingWithItsValueOrTheReason) {
  const model::Snapshot snapshot = test_snapshot();
  const Json json = document(snapshot);
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["sequence"], 1);
  EXPECT_EQ(json["time"], "2026-11-22T09:24:42.736284+00:00");
  EXPECT_EQ(json["method"], "sim");
  EXPECT_EQ(json["simulated"], true);
  EXPECT_EQ(json["recorded"], nullptr);
  ASSERT_EQ(json["gpus"].size(), 2U);
  for (std::size_t gpu = 0; gpu < 2; ++gpu) {
    const Json& metrics = json["gpus"][gpu]["metrics"];
    EXPECT_EQ(json["gpus"][gpu]["index"], gpu);
    ASSERT_EQ(metrics.size(), model::kGpuMetricCount);
    for (const auto& row : model::metrics(model::Entity::kGpu)) {
      const Reading& reading = snapshot.devices[gpu].at(row.id);
      if (reading.present()) {
        EXPECT_TRUE(metrics[row.key].is_number()) << row.key;
      } else {
        EXPECT_EQ(metrics[row.key], model::absence_name(reading.absence)) << row.key;
      }
    }
  }
  const Json& first = json["gpus"][0];
  EXPECT_EQ(first["metrics"]["temperature_celsius"], 46.1);
  EXPECT_EQ(first["metrics"]["power_watts"], 102.072);
  EXPECT_EQ(first["metrics"]["memory_used_bytes"], 3000 * kMib);
  EXPECT_EQ(first["facts"]["serial"], "SIM123456");
  EXPECT_EQ(first["absent_facts"]["brand"], "not_yet");
  EXPECT_EQ(first["facts"].size() + first["absent_facts"].size(), model::kFactCount);
  EXPECT_EQ(first["health"].dump(),
            R"({"status":"healthy","status_numeric":0,"gpu":"healthy","temperature":"Normal",)"
            R"("memory":"Stable","findings":[],"source":null})");
  EXPECT_EQ(json["gpus"][1]["metrics"]["temperature_celsius"], "gone");
  EXPECT_EQ(json["gpus"][1]["health"]["status"], "unknown");
  EXPECT_EQ(json["gpus"][1]["health"]["temperature"], nullptr);
  EXPECT_EQ(json["gpus"][1]["processes_absence"], "gone");
}

TEST(SnapshotDocument, HasTheRowsOfEveryEntity) {
  model::Snapshot snapshot = test_snapshot();
  model::DeviceSample& device = snapshot.devices[0];
  device.fans.resize(2);
  device.fans[1][model::column(Metric::kFanRpm)] = Reading::of(900);
  device.links.resize(1);
  device.links[0][model::column(Metric::kLinkState)] = Reading::none(model::Absence::kDenied);
  device.mig_instances.resize(1);
  device.mig_instances[0].gpu_instance_id = 7;
  device.mig_instances[0].profile = "1g.10gb";
  device.mig_instances[0].row[model::column(Metric::kMigMemoryUsed)] = Reading::of(kMib);
  device.events = {{model::EventKind::kXid, 79, snapshot.time}};
  device.source_verdict = {model::Health::kWarning, "PCIe replays"};
  const Json gpu = document(snapshot)["gpus"][0];
  EXPECT_EQ(gpu["fans"].dump(), R"([{"index":0,"metrics":{"fan_percent":"not_yet",)"
                                R"("fan_rpm":"not_yet"}},{"index":1,"metrics":)"
                                R"({"fan_percent":"not_yet","fan_rpm":900}}])");
  EXPECT_EQ(gpu["links"][0]["metrics"].size(), model::kLinkMetricCount);
  EXPECT_EQ(gpu["links"][0]["metrics"][model::info(Metric::kLinkState).key], "denied");
  EXPECT_EQ(gpu["mig_instances"][0]["gpu_instance_id"], 7);
  EXPECT_EQ(gpu["mig_instances"][0]["uuid"], nullptr);
  EXPECT_EQ(gpu["mig_instances"][0]["profile"], "1g.10gb");
  EXPECT_EQ(gpu["mig_instances"][0]["metrics"][model::info(Metric::kMigMemoryUsed).key], kMib);
  EXPECT_EQ(gpu["processes"].size(), 3U);
  EXPECT_EQ(gpu["processes"][0]["pid"], 4242);
  EXPECT_EQ(gpu["processes"][0]["type"], "C");
  EXPECT_EQ(gpu["processes"][0]["name"], nullptr);
  EXPECT_EQ(gpu["processes"][2]["metrics"][model::info(Metric::kProcessMemory).key], "denied");
  EXPECT_EQ(gpu["processes_absence"], nullptr);
  EXPECT_EQ(gpu["events"].dump(),
            R"([{"kind":"xid","code":79,"time":"2026-11-22T09:24:42.736284+00:00"}])");
  EXPECT_EQ(gpu["health"]["source"].dump(), R"({"status":"warning","text":"PCIe replays"})");
}

TEST(SnapshotDocument, SaysWhatWasRecordedAndWhatWasFound) {
  model::Snapshot snapshot = test_snapshot();
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->method = "replay";
  inventory->recorded = model::Recorded{"nvml", snapshot.time};
  snapshot.inventory = inventory;
  snapshot.verdicts[0].add({.rule = "hot",
                            .component = "Temperature",
                            .severity = model::Health::kWarning,
                            .reason = "seen",
                            .action = "do",
                            .metric = Metric::kTemperature,
                            .value = Reading::of(905),
                            .limit = {}});
  const Json json = document(snapshot);
  EXPECT_EQ(json["recorded"].dump(),
            R"({"method":"nvml","time":"2026-11-22T09:24:42.736284+00:00"})");
  EXPECT_EQ(json["gpus"][0]["health"]["findings"].dump(),
            R"([{"rule":"hot","component":"Temperature","severity":"warning","reason":"seen",)"
            R"("action":"do","metric":"temperature_celsius","value":90.5}])");
}

TEST(SnapshotDocument, WithoutGpusIsOneToo) {
  model::Snapshot snapshot;
  snapshot.inventory = std::make_shared<model::Inventory>();
  EXPECT_EQ(document(snapshot)["gpus"], Json::array());
}

TEST(CatalogDocument, HasEveryMetricAndFact) {
  std::string out;
  append_catalog(out);
  const Json json = Json::parse(out);
  ASSERT_EQ(json["metrics"].size(), model::kMetricCount);
  ASSERT_EQ(json["facts"].size(), model::kFactCount);
  std::set<std::string> keys;
  for (const Json& metric : json["metrics"]) {
    keys.insert(metric["key"]);
    for (const char* text : {"entity", "unit", "kind", "cadence", "label", "help"}) {
      EXPECT_FALSE(metric[text].get<std::string>().empty()) << metric["key"] << text;
    }
    EXPECT_TRUE(metric["decimals"].is_number());
    EXPECT_TRUE(metric["unit_symbol"].is_string());
  }
  EXPECT_EQ(keys.size(), model::kMetricCount);
  const Json& temperature = json["metrics"][model::column(Metric::kTemperature)];
  EXPECT_EQ(temperature["key"], "temperature_celsius");
  EXPECT_EQ(temperature["entity"], "gpu");
  EXPECT_EQ(temperature["unit"], "celsius");
  EXPECT_EQ(temperature["unit_symbol"], "°C");
  EXPECT_EQ(temperature["kind"], "gauge");
  EXPECT_EQ(temperature["cadence"], "tick");
  EXPECT_EQ(temperature["names"]["/gpu/metric"], Json({"gpu_temperature_celsius"}));
  EXPECT_EQ(temperature["names"]["/metrics"][0], "DCGM_FI_DEV_GPU_TEMP");
  EXPECT_EQ(json["facts"][0]["key"], "name");
}

TEST(StreamEvent, IsAnEventOfItsStandard) {
  std::string out;
  append_event(out, "tick", 18'446'744'073, R"({"a":1})");
  EXPECT_EQ(out, "event: tick\nid: 18446744073\ndata: {\"a\":1}\n\n");
  EXPECT_TRUE(kHeartbeat.starts_with(':') && kHeartbeat.ends_with("\n\n"));
  EXPECT_TRUE(kRetry.starts_with("retry: ") && kRetry.ends_with("\n\n"));
}

}  // namespace
}  // namespace gpuscope::wire

#include "wire/rest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;

TEST(Rest, ListHasPlainValues) {
  std::string out;
  append_gpu_list(out, test_snapshot());
  EXPECT_EQ(
      out.substr(0, out.find("},")),
      R"({"gpus":[{"uuid":"GPU-0a1b2c3d-4e5f-6172-8192-334455667788","name":"SIM-RTX4090",)"
      R"("serial":"SIM123456","vbios":"90.00.01.00.AB","driver":"525.00","minor":0,"pciegen":4,)"
      R"("pciewidth":16,"plimit":350)");
  const Json second = Json::parse(out)["gpus"][1];
  EXPECT_EQ(second["serial"], nullptr);
  EXPECT_EQ(second["plimit"], nullptr);
  EXPECT_EQ(second.size(), 9U);
  model::Snapshot none;
  none.inventory = std::make_shared<model::Inventory>();
  out.clear();
  append_gpu_list(out, none);
  EXPECT_EQ(out, R"({"gpus":[]})");
}

TEST(Rest, StaticIsTheListsItem) {
  std::string list;
  std::string one;
  append_gpu_list(list, test_snapshot());
  append_static_document(one, test_snapshot(), 1);
  EXPECT_EQ(Json::parse(list)["gpus"][1].dump(), Json::parse(one).dump());
}

TEST(Rest, MetricsHaveNoKeyForWhatIsAbsent) {
  std::string out;
  append_metrics(out, test_snapshot());
  const Json document = Json::parse(out);
  EXPECT_EQ(document["timestamp"], "2026-11-22T09:24:42.736284+00:00");
  EXPECT_EQ(
      document["gpus"][0].dump(),
      R"({"gpu_index":"0","uuid":"GPU-0a1b2c3d-4e5f-6172-8192-334455667788","name":"SIM-RTX4090",)"
      R"("metrics":{"power_watts":102.072,"temperature_celsius":46.1,"gpu_clock_mhz":2100,)"
      R"("memory_clock_mhz":1100,"gpu_utilization_percent":30,"memory_utilization_percent":24.05,)"
      R"("memory_used_mib":3000,"memory_total_mib":24000,"memory_usage_percent":12.5,)"
      R"("fan_speed":1050,"health_status":"healthy","health_status_numeric":0,)"
      R"("fan_speed_percent":30}})");
  EXPECT_EQ(document["gpus"][1]["metrics"].dump(),
            R"({"gpu_clock_mhz":1500,"health_status":"unknown","health_status_numeric":4,)"
            R"("fan_speed_percent":42})");
}

TEST(Rest, OneGpusMetricsHaveTheTimeInside) {
  std::string all;
  std::string one;
  append_metrics(all, test_snapshot());
  append_gpu_metrics(one, test_snapshot(), 0);
  Json expected = Json::parse(all)["gpus"][0];
  expected["timestamp"] = Json::parse(all)["timestamp"];
  EXPECT_EQ(Json::parse(one).dump(), expected.dump());
}

TEST(Rest, FindsAGpuByAnyFormOfItsUuid) {
  const model::Snapshot snapshot = test_snapshot();
  for (const char* uuid :
       {"GPU-0a1b2c3d-4e5f-6172-8192-334455667788", "0a1b2c3d-4e5f-6172-8192-334455667788",
        "gpu-0A1B2C3D-4E5F-6172-8192-334455667788", "0A1B2C3D-4E5F-6172-8192-334455667788"}) {
    EXPECT_EQ(find_gpu(*snapshot.inventory, uuid), 0U) << uuid;
  }
  EXPECT_EQ(find_gpu(*snapshot.inventory, "gpu-bbbb"), 1U);
  for (const char* uuid : {"", "GPU-", "GPU-0a1b", "0a1b2c3d-4e5f-6172-8192-3344556677889", "0"}) {
    EXPECT_EQ(find_gpu(*snapshot.inventory, uuid), std::nullopt) << uuid;
  }
  // A card without a UUID is not what an empty one asks for.
  model::Inventory anonymous;
  anonymous.gpus.resize(1);
  EXPECT_EQ(find_gpu(anonymous, ""), std::nullopt);
  EXPECT_EQ(find_gpu(anonymous, "GPU-"), std::nullopt);
}

TEST(Rest, HealthTellsOfSettingsRecordingAndHistory) {
  std::string out;
  append_health_document(
      out, "healthy", "0.1.0", {},
      {.settings = {.file = "/etc/a.yaml", .error = "cannot use it", .restart = {"listen"}},
       .recording =
           RecordingHealth{
               .file = "/r", .error = "full", .ticks = 7, .dropped_ticks = 2, .bytes = 99},
       .history = HistoryHealth{.file = "/h",
                                .error = "",
                                .ticks = 8,
                                .dropped_ticks = 1,
                                .bytes = 4096,
                                .last_write = base::WallTime{}},
       .remote_write = RemoteWriteHealth{.server = "http://h:1",
                                         .error = "down",
                                         .sent_samples = 1,
                                         .refused_samples = 2,
                                         .lost_ticks = 3,
                                         .pending_ticks = 4,
                                         .lag = std::chrono::microseconds{1500},
                                         .newest = std::nullopt}});
  EXPECT_EQ(Json::parse(out)["settings"].dump(),
            R"({"file":"/etc/a.yaml","error":"cannot use it","restart":["listen"]})");
  EXPECT_EQ(Json::parse(out)["recording"].dump(),
            R"({"file":"/r","error":"full","ticks":7,"dropped_ticks":2,"bytes":99})");
  EXPECT_EQ(Json::parse(out)["history"].dump(),
            R"({"file":"/h","error":null,"ticks":8,"dropped_ticks":1,"bytes":4096,)"
            R"("last_write":"1970-01-01T00:00:00.000000+00:00"})");
  EXPECT_EQ(Json::parse(out)["remote_write"].dump(),
            R"({"server":"http://h:1","error":"down","sent_samples":1,"refused_samples":2,)"
            R"("lost_ticks":3,"pending_ticks":4,"lag_seconds":0.0015,"newest":null})");
}

TEST(Rest, PathAnswerEscapesThePath) {
  std::string out;
  append_path_answer(out, "a\"b/c", "[1,2]");
  EXPECT_EQ(out, R"({"a\"b/c":[1,2]})");
}

TEST(Rest, ServiceAndHealth) {
  SourceHealth source{.method = "nvml",
                      .state = "failed",
                      .error = "cannot load libnvidia-ml.so.1",
                      .simulated = {},
                      .gpus = {},
                      .last_tick = {}};
  std::string out;
  append_service_document(out, "0.1.0", source, std::vector<Endpoint>{{"list", "/gpu/list"}});
  EXPECT_EQ(out, R"({"service":"gpuscope","version":"0.1.0","role":"agent","method":"nvml",)"
                 R"("simulated":null,"endpoints":{"list":"/gpu/list"}})");
  out.clear();
  append_health_document(out, "degraded", "0.1.0", {&source, 1});
  EXPECT_EQ(
      out,
      R"({"status":"degraded","version":"0.1.0","sources":[{"method":"nvml","state":"failed",)"
      R"("error":"cannot load libnvidia-ml.so.1","simulated":null,"gpus":null,"last_tick":null,)"
      R"("ticks":0,"missed_ticks":0,"device_timeouts":0,"last_tick_duration_seconds":0}],)"
      R"("settings":{"file":null,"error":null,"restart":[]},"recording":null,"history":null,)"
      R"("remote_write":null,"alerting":null,"notifications":null})");
  source = {.method = "sim",
            .state = "running",
            .error = "",
            .simulated = true,
            .gpus = 3,
            .last_tick = base::WallTime{},
            .ticks = 7,
            .missed_ticks = 1,
            .device_timeouts = 2,
            .last_tick_duration = std::chrono::microseconds{1500}};
  out.clear();
  append_health_document(out, "healthy", "0.1.0", {&source, 1});
  EXPECT_EQ(Json::parse(out)["sources"][0].dump(),
            R"({"method":"sim","state":"running","error":null,"simulated":true,"gpus":3,)"
            R"("last_tick":"1970-01-01T00:00:00.000000+00:00","ticks":7,"missed_ticks":1,)"
            R"("device_timeouts":2,"last_tick_duration_seconds":0.0015})");
}

}  // namespace
}  // namespace gpuscope::wire

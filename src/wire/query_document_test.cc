#include "wire/query_document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

using Json = nlohmann::ordered_json;

std::string document(const model::Snapshot& snapshot, const Query& query) {
  std::string out;
  append_query_document(out, snapshot, query);
  return out;
}

TEST(QueryDocument, IsTheDocumentedShape) {
  std::string out;
  append_gpu_document(out, test_snapshot(), 0, FieldSet::all());
  EXPECT_EQ(
      out,
      R"({"name":{"value":"SIM-RTX4090","has_error":false,"error":""},)"
      R"("uuid":{"value":"GPU-0a1b2c3d-4e5f-6172-8192-334455667788","has_error":false,"error":""},)"
      R"("serial":{"value":"SIM123456","has_error":false,"error":""},)"
      R"("vbios":{"value":"90.00.01.00.AB","has_error":false,"error":""},)"
      R"("driver":{"value":"525.00","has_error":false,"error":""},)"
      R"("temp":{"value":46.1,"has_error":false,"error":""},)"
      R"("fan":{"value":1050,"has_error":false,"error":""},)"
      R"("power":{"value":102.072,"has_error":false,"error":""},)"
      R"("clocks":{"value":{"gpu_clock_mhz":2100,"memory_clock_mhz":1100},"has_error":false,"error":""},)"
      R"("util":{"value":{"gpu_utilization_percent":30,"memory_utilization_percent":24.05},"has_error":false,"error":""},)"
      R"("mem":{"value":{"memory_used_mib":3000,"memory_total_mib":24000,"memory_usage_percent":12.5},"has_error":false,"error":""},)"
      R"("minor":{"value":0,"has_error":false,"error":""},)"
      R"("pstate":{"value":0,"has_error":false,"error":""},)"
      R"("pciegen":{"value":4,"has_error":false,"error":""},)"
      R"("pciewidth":{"value":16,"has_error":false,"error":""},)"
      R"("plimit":{"value":350,"has_error":false,"error":""},)"
      R"("processes":[{"pid":4242,"gpu_memory":1288490188},{"pid":4244,"gpu_memory":null}],)"
      R"("health":{"value":{"header":["Health Report"],"body":{"Overall Health":{"value":"Healthy"},)"
      R"("GPU":{"children":{"0":{"value":"Healthy","children":{"Temperature":{"value":"Normal"},"Memory":{"value":"Stable"}}}}}}},)"
      R"("has_error":false,"error":""},)"
      R"("ecc":{"value":{"ecc_corrected_errors":0,"ecc_uncorrected_errors":0},"has_error":false,"error":""}})");
}

// The keys and their order, against what the earlier tool answered.
TEST(QueryDocument, HasTheEarlierToolsKeys) {
  const std::string expected[] = {"name",   "uuid",      "serial", "vbios",   "driver",
                                  "temp",   "fan",       "power",  "clocks",  "util",
                                  "mem",    "minor",     "pstate", "pciegen", "pciewidth",
                                  "plimit", "processes", "health", "ecc"};
  ASSERT_EQ(fields().size(), std::size(expected));
  for (std::size_t i = 0; i < fields().size(); ++i) EXPECT_EQ(fields()[i].key, expected[i]);
  EXPECT_EQ(find_field("procs"), Field::kProcesses);
  EXPECT_EQ(find_field("temp"), Field::kTemp);
  EXPECT_EQ(find_field("processes"), std::nullopt);
  EXPECT_EQ(find_field(""), std::nullopt);
}

TEST(QueryDocument, SaysWhyAValueIsAbsent) {
  std::string out;
  append_gpu_document(out, test_snapshot(), 1, FieldSet::all());
  const Json gpu = Json::parse(out);
  for (const char* key : {"temp", "power", "mem", "util", "ecc", "pstate", "plimit"}) {
    EXPECT_EQ(gpu[key], Json::parse(R"({"value":null,"has_error":true,"error":"the GPU is lost"})"))
        << key;
  }
  EXPECT_EQ(gpu["serial"]["error"], "this GPU or driver does not give it");
  EXPECT_EQ(gpu["fan"].dump(),
            R"({"value":null,"fan_percent":42,"has_error":true,"error":"the GPU is lost"})");
  // One part of two: the field has a value, and says what it lacks.
  EXPECT_EQ(gpu["clocks"].dump(),
            R"({"value":{"gpu_clock_mhz":1500,"memory_clock_mhz":null},"has_error":false,)"
            R"("error":"memory_clock_mhz: the GPU is lost"})");
  EXPECT_EQ(gpu["processes"], Json::array());
  EXPECT_EQ(gpu["processes_error"], "the GPU is lost");
  EXPECT_EQ(
      gpu["health"].dump(),
      R"({"value":{"header":["Health Report"],"body":{"Overall Health":{"value":"Unknown"},)"
      R"("GPU":{"children":{"0":{"value":"Unknown","children":{"Temperature":{"value":"Unknown"},)"
      R"("Memory":{"value":"Unknown"}}}}}}},"has_error":false,)"
      R"("error":"nothing is judged for want of data"})");
}

TEST(QueryDocument, HasOnlyWhatIsAskedFor) {
  const model::Snapshot snapshot = test_snapshot();
  Query query{.fields = FieldSet().add(Field::kTemp), .gpu = 0, .count = false, .indent = 4};
  EXPECT_EQ(document(snapshot, query),
            "{\n"
            "    \"gpus\": {\n"
            "        \"0\": {\n"
            "            \"temp\": {\n"
            "                \"value\": 46.1,\n"
            "                \"has_error\": false,\n"
            "                \"error\": \"\"\n"
            "            }\n"
            "        }\n"
            "    }\n"
            "}");
  query = {.fields = FieldSet().add(Field::kMinor), .gpu = 1, .count = true, .indent = 0};
  EXPECT_EQ(
      document(snapshot, query),
      R"({"count":2,"gpus":{"1":{"minor":{"value":null,"has_error":true,"error":"the GPU is lost"}}}})");
  query = {.fields = {}, .gpu = {}, .count = true, .indent = 0};
  EXPECT_EQ(document(snapshot, query), R"({"count":2})");
  query = {.fields = FieldSet().add(Field::kProcesses), .gpu = {}, .count = false, .indent = 0};
  EXPECT_EQ(Json::parse(document(snapshot, query))["gpus"].size(), 2U);
}

TEST(QueryDocument, WithoutGpusSaysSo) {
  model::Snapshot snapshot;
  snapshot.inventory = std::make_shared<model::Inventory>();
  EXPECT_EQ(document(snapshot, {.fields = FieldSet::all(), .gpu = {}, .count = false, .indent = 0}),
            R"({"error":"No NVIDIA GPUs found"})");
  EXPECT_EQ(document(snapshot, {.fields = {}, .gpu = {}, .count = true, .indent = 0}),
            R"({"count":0,"error":"No NVIDIA GPUs found"})");
}

TEST(QueryDocument, HealthNamesFindings) {
  model::Snapshot snapshot = test_snapshot();
  model::Verdict& verdict = snapshot.verdicts[0];
  verdict.overall = model::Health::kCritical;
  verdict.gpu = model::Health::kCritical;
  verdict.temperature = "High";
  const auto finding = [](std::string_view rule, std::string_view component,
                          model::Health severity) {
    return model::Finding{.rule = rule,
                          .component = component,
                          .severity = severity,
                          .reason = "seen",
                          .action = "do",
                          .metric = model::Metric::kTemperature,
                          .value = model::Reading::of(905),
                          .limit = model::Reading::of(900)};
  };
  verdict.add(finding("hot", "Temperature", model::Health::kWarning));
  verdict.add(finding("ecc_a", "ECC", model::Health::kWarning));
  verdict.add(finding("ecc_b", "ECC", model::Health::kCritical));
  snapshot.devices[0].source_verdict = {model::Health::kWarning, "PCIe replays"};
  std::string out;
  append_gpu_document(out, snapshot, 0, FieldSet().add(Field::kHealth));
  const Json child = Json::parse(out)["health"]["value"]["body"]["GPU"]["children"]["0"];
  EXPECT_EQ(
      child["children"].dump(),
      R"({"Temperature":{"value":"High"},"Memory":{"value":"Stable"},"ECC":{"value":"Critical"}})");
  ASSERT_EQ(child["findings"].size(), 3U);
  EXPECT_EQ(child["findings"][0].dump(),
            R"({"rule":"hot","component":"Temperature","severity":"Warning","reason":"seen",)"
            R"("action":"do","metric":"temperature_celsius","value":90.5,"limit":90})");
  EXPECT_EQ(child["source"].dump(), R"({"value":"Warning","text":"PCIe replays"})");
}

}  // namespace
}  // namespace gpuscope::wire

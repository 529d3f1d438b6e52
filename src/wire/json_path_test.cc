#include "wire/json_path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gpuscope::wire {
namespace {

constexpr std::string_view kDocument =
    R"({"temp":{"value":46.1,"has_error":false,"error":""},)"
    R"("clocks":{"value":{"gpu_clock_mhz":2100,"memory_clock_mhz":1100},"has_error":false,"error":""},)"
    R"("fan":{"value":null,"fan_percent":42,"has_error":true,"error":"none"},)"
    R"("processes":[{"pid":1,"gpu_memory":null},{"pid":2,"gpu_memory":1288490188}],)"
    R"("health":{"value":{"header":["Health Report"],"body":{"Overall Health":{"value":"Healthy"},)"
    R"("GPU":{"children":{"0":{"value":"Healthy"}}}}},"has_error":false,"error":""}})";

struct Case {
  std::vector<std::string> path;
  std::optional<std::string> expected;
};

TEST(JsonPath, FindsWhatIsThere) {
  const std::vector<Case> cases = {
      {{"temp", "value"}, "46.1"},
      {{"temp"}, R"({"value":46.1,"has_error":false,"error":""})"},
      {{"clocks", "value", "memory_clock_mhz"}, "1100"},
      {{"clocks", "memory_clock_mhz"}, "1100"},
      {{"fan", "value"}, "null"},
      {{"fan", "fan_percent"}, "42"},
      {{"fan", "error"}, R"("none")"},
      {{"processes", "1", "gpu_memory"}, "1288490188"},
      {{"processes", "0"}, R"({"pid":1,"gpu_memory":null})"},
      {{"health", "value", "body", "Overall Health", "value"}, R"("Healthy")"},
      {{"health", "body", "Overall Health", "value"}, R"("Healthy")"},
      {{"health", "header", "0"}, R"("Health Report")"},
      {{"health", "body", "GPU", "children", "0", "value"}, R"("Healthy")"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(find_value(kDocument, one.path), one.expected) << one.path.back();
  }
}

TEST(JsonPath, FindsNothingElse) {
  const std::vector<std::vector<std::string>> paths = {{"none"},
                                                       {""},
                                                       {"temp", "value", "x"},
                                                       {"temp", "x"},
                                                       {"fan", "x"},
                                                       {"processes", "2"},
                                                       {"processes", "-1"},
                                                       {"processes", "1x"},
                                                       {"processes", ""},
                                                       {"processes", "99999999999999999999"},
                                                       {"processes", "pid"},
                                                       {"clocks", "value", "value"},
                                                       {"temp", ""}};
  for (const auto& path : paths)
    EXPECT_EQ(find_value(kDocument, path), std::nullopt) << path.back();
  EXPECT_EQ(find_value("{", {}), std::nullopt);
  EXPECT_EQ(find_value("", std::vector<std::string>{"a"}), std::nullopt);
}

}  // namespace
}  // namespace gpuscope::wire

#include "api/series_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace gpuscope::api {
namespace {

using testing::HasSubstr;

bool fits(std::string_view text, std::string_view name = "power_watts") {
  const std::map<std::string, std::string, std::less<>> labels{{"gpu_uuid", "GPU-a"}, {"fan", "1"}};
  const auto selector = SeriesSelector::parse(text);
  EXPECT_TRUE(selector) << selector.error().message;
  return selector && selector->fits_name(name) &&
         selector->fits_labels([&](std::string_view label) -> std::string_view {
           const auto found = labels.find(label);
           return found == labels.end() ? std::string_view() : found->second;
         });
}

TEST(SeriesSelector, FitsAsPrometheusHasIt) {
  for (const char* text :
       {"power_watts", " power_watts { } ", "{}", "power_watts{gpu_uuid=\"GPU-a\"}",
        "{gpu_uuid=~\"GPU-.\"}", "{gpu_uuid!=\"GPU-b\"}", "{gpu_uuid!~\"GPU-[b-z]\"}",
        "{gpu_uuid=~'GPU-a|GPU-b', fan=\"1\",}", "{__name__=~\"power_.*\"}",
        "{__name__=\"power_watts\"}", "{none=\"\"}", "{none!~\".+\"}", "{gpu_uuid=`GPU-a`}"}) {
    EXPECT_TRUE(fits(text)) << text;
  }
  for (const char* text :
       {"temperature_celsius", "{gpu_uuid=\"a\"}", "{gpu_uuid=~\"GPU\"}", "{gpu_uuid=~\"PU-a\"}",
        "{gpu_uuid!=\"GPU-a\"}", "{fan=\"1\",gpu_uuid=\"GPU-b\"}", "{__name__!=\"power_watts\"}",
        "{none=\"x\"}", "{none=~\".+\"}", "{fan=\"\"}"}) {
    EXPECT_FALSE(fits(text)) << text;
  }
}

TEST(SeriesSelector, KnowsWhetherItNames) {
  EXPECT_TRUE(SeriesSelector::parse("up")->names());
  EXPECT_TRUE(SeriesSelector::parse("{__name__!=\"x\"}")->names());
  EXPECT_FALSE(SeriesSelector::parse("{job=\"x\"}")->names());
}

TEST(SeriesSelector, SaysWhereItGoesWrong) {
  const std::pair<std::string, std::string> wrong[] = {
      {"", "expected a metric's name or '{' at character 1"},
      {"1up", "expected a metric's name or '{' at character 1"},
      {"up}", "expected its end at character 3"},
      {"up[5m]", "expected its end"},
      {"sum(up)", "expected its end"},
      {"up{", "expected a label's name or '}' at character 4"},
      {"{=\"x\"}", "expected a label's name"},
      {"{a}", "expected one of =, !=, =~, !~"},
      {"{a==\"x\"}", "expected a quoted text"},
      {"{a=x}", "expected a quoted text"},
      {"{a=\"x}", "expected a quoted text"},
      {"{a=\"x\\", "expected a quoted text"},
      {"{a=\"\\q\"}", "expected a quoted text"},
      {"{a=\"x\" b=\"y\"}", "expected ',' or '}'"},
      {"{a=~\"(\"}", "cannot read the regular expression '('"},
      {"{a=~\"(?=x)\"}", "cannot read the regular expression"},
      {std::string(5000, 'a'), "more than 4096 bytes"},
  };
  for (const auto& [text, said] : wrong) {
    const auto selector = SeriesSelector::parse(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_THAT(selector.error().message, HasSubstr(said)) << text;
  }
}

}  // namespace
}  // namespace gpuscope::api

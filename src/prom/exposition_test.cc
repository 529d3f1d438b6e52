#include "prom/exposition.h"

#include <gtest/gtest.h>

namespace gpuscope::prom {
namespace {

TEST(Exposition, GivesSampleAfterSample) {
  std::string_view text =
      "# HELP a b\n# TYPE a gauge\na 1\n\na{x=\"y z\",} -0.25\nb{x=\"}\\\"\"} 1e+20\n";
  const std::pair<std::string_view, double> expected[] = {
      {"a", 1}, {"a{x=\"y z\",}", -0.25}, {"b{x=\"}\\\"\"}", 1e20}};
  for (const auto& [series, value] : expected) {
    const SampleLine sample = next_sample(text).value_or(SampleLine{});
    EXPECT_EQ(sample.series, series);
    EXPECT_EQ(sample.value, value);
  }
  EXPECT_FALSE(next_sample(text));
  EXPECT_TRUE(text.empty());
}

TEST(Exposition, StopsAtWhatIsNoSample) {
  for (const std::string_view bad : {"a 1", "a\n", " 1\n", "a x\n", "a 1x\n", "a \n"}) {
    std::string_view text = bad;
    EXPECT_FALSE(next_sample(text)) << bad;
    EXPECT_FALSE(text.empty()) << bad;
  }
}

TEST(Exposition, SortsLabelsAndTakesEscapesAway) {
  EXPECT_EQ(parse_series("up"), (Labels{{"__name__", "up"}}));
  EXPECT_EQ(
      parse_series(R"(n:s{gpu="0",UUID="GPU-1",empty="",name="a\\b\"c\n}{,"})"),
      (Labels{{"UUID", "GPU-1"}, {"__name__", "n:s"}, {"gpu", "0"}, {"name", "a\\b\"c\n}{,"}}));
}

TEST(Exposition, RefusesMalformedSeries) {
  for (const std::string_view bad :
       {"", "1a", "a{", "a{b}", "a{b=}", "a{b=\"}", "a{b=\"c\"", "a{b=\"c\"}x", "a{b=\"\\x\"}",
        "a{b=\"\\", "a{b=\"c\" d=\"e\"}", "a{:b=\"c\"}", "a{b=\"c\",b=\"d\"}", "a{__name__=\"b\"}",
        "a b"}) {
    EXPECT_FALSE(parse_series(bad)) << bad;
  }
}

}  // namespace
}  // namespace gpuscope::prom

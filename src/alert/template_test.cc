#include "alert/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

namespace gpuscope::alert {
namespace {

const model::Labels kLabels{
    {"gpu_index", "3"}, {"instance", "node:9555"}, {"text", "ab cd-ef'gh i_j"}};

std::string expand(const std::string& text, double value = 86.25) {
  const auto parsed = Template::parse(text);
  if (!parsed) return "refused: " + parsed.error().message;
  const auto expanded = parsed->expand({kLabels, value});
  return expanded ? *expanded : "failed: " + expanded.error().message;
}

// What Prometheus 2.42 makes of the same (seen with `promtool test rules`).
TEST(Template, WritesNumbersAsPrometheusDoes) {
  constexpr const char* kNumbers =
      R"({{ $value }}|{{ printf "%5.1f|%-8.2f|%+.1f|%08.3f|%e" $value $value $value $value $value }})";
  constexpr const char* kHumane =
      "{{ $value | humanize }} {{ humanize1024 $value }} {{ humanizeDuration $value }} "
      "{{ humanizePercentage $value }}";
  for (const auto& [value, plain, humane] :
       std::vector<std::tuple<double, std::string, std::string>>{
           {1e6, "1e+06|1000000.0|1000000.00|+1000000.0|1000000.000|1.000000e+06",
            "1M 976.6ki 11d 13h 46m 40s 1e+08%"},
           {123456789,
            "1.23456789e+08|123456789.0|123456789.00|+123456789.0|123456789.000|1.234568e+08",
            "123.5M 117.7Mi 1428d 21h 33m 9s 1.235e+10%"},
           {0.00001, "1e-05|  0.0|0.00    |+0.0|0000.000|1.000000e-05", "10u 1e-05 10us 0.001%"},
           {86.25, "86.25| 86.2|86.25   |+86.2|0086.250|8.625000e+01", "86.25 86.25 1m 26s 8625%"},
           {0.1, "0.1|  0.1|0.10    |+0.1|0000.100|1.000000e-01", "100m 0.1 100ms 10%"},
           {-3700.5, "-3700.5|-3700.5|-3700.50|-3700.5|-3700.500|-3.700500e+03",
            "-3.7k -3.614ki -1h 1m 40s -3.7e+05%"},
           {90061, "90061|90061.0|90061.00|+90061.0|90061.000|9.006100e+04",
            "90.06k 87.95ki 1d 1h 1m 1s 9.006e+06%"},
           {2048, "2048|2048.0|2048.00 |+2048.0|2048.000|2.048000e+03",
            "2.048k 2ki 34m 8s 2.048e+05%"},
           {-0.002, "-0.002| -0.0|-0.00   |-0.0|-000.002|-2.000000e-03",
            "-2m -0.002 -2ms -0.2%"}}) {
    EXPECT_EQ(expand(kNumbers, value), plain);
    EXPECT_EQ(expand(kHumane, value), humane);
  }
}

TEST(Template, PutsInLabelsAndCallsFunctions) {
  for (const auto& [text, becomes] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"plain } { text", "plain } { text"},
           {"GPU {{ $labels.gpu_index }} on {{.Labels.instance}}", "GPU 3 on node:9555"},
           {"[{{ $labels.none }}]", "[]"},
           {"{{ .Value }}", "86.25"},
           {"{{ title $labels.text }}", "Ab Cd-Ef'Gh I_j"},
           {"{{ $labels.instance | toUpper }} {{ toLower \"AB\" }}", "NODE:9555 ab"},
           {"{{ stripPort $labels.instance }} {{ stripPort \"[::1]:1\" }} {{ stripPort \"::1\" }}",
            "node ::1 ::1"},
           {R"({{ printf "%s=%d %v %t %% %q" "a" 3 true false "x\"y" }})",
            R"(a=3 true false % "x\"y")"},
           {R"({{ print 1 2 "a" "b" 3 }})", "1 2ab3"},
           {R"({{ $value | printf "%.0f" | printf "%4s|" }})", "  86|"},
           {"{{ (printf \"%.0f\" $value) }}", "86"},
           {"a {{- /* nothing */ -}} b", "ab"},
           {"a {{- 1 -}} b", "a1b"},
           {"{{ `raw \\n }}` }}", "raw \\n }}"},
           {"{{ $externalLabels.cluster }}", ""}}) {
    EXPECT_EQ(expand(text), becomes) << text;
  }
}

TEST(Template, TakesBranches) {
  constexpr const char* kText =
      "{{ if gt $value 90.0 }}high{{ else if ge $value 80.0 }}hot{{ else }}fine{{ end }}"
      "{{ if and $labels.gpu_index (not $labels.none) }}!{{ end }}";
  EXPECT_EQ(expand(kText, 95), "high!");
  EXPECT_EQ(expand(kText, 80), "hot!");
  EXPECT_EQ(expand(kText, 7), "fine!");
  EXPECT_EQ(expand("{{ if 0 }}a{{ else }}b{{ end }}{{ if \"\" }}c{{ end }}"), "b");
  EXPECT_EQ(expand("{{ if or $labels.none $labels.gpu_index }}{{ if eq $labels.gpu_index \"3\" "
                   "}}x{{ end }}{{ end }}"),
            "x");
}

TEST(Template, RefusesWhatIsNotSupportedAndSaysSo) {
  for (const char* text : {"{{",
                           "{{ }}",
                           "{{ $value",
                           "{{ nothing }}",
                           "{{ query \"up\" }}",
                           "{{ range .x }}{{ end }}",
                           "{{ end }}",
                           "{{ if 1 }}",
                           "{{ if 1 }}a{{ else }}b",
                           "{{ else }}",
                           "{{ $other }}",
                           "{{ $labels }}",
                           "{{ .Labels. }}",
                           "{{ humanize }}",
                           "{{ humanize 1 2 }}",
                           "{{ \"open }}",
                           "{{ 1 2 }}",
                           "{{ 1abc }}",
                           "{{ (1 }}",
                           "{{ 1) }}",
                           "{{ printf \"%d\" $value }}",
                           "{{ printf \"%s\" }}",
                           "{{ printf \"%y\" 1 }}",
                           "{{ eq $value 3 }}",
                           "{{ /* no end }}",
                           "{{ end x }}",
                           "{{ $x := 1 }}",
                           "{{ \"\\q\" }}",
                           "{{ toUpper 1 }}",
                           "{{ printf \"%9999d\" 1 }}",
                           "{{ printf \"%\" 1 }}",
                           "{{ 1 | }}",
                           "{{ true | 1 }}"}) {
    const auto parsed = Template::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_TRUE(parsed.error().message.starts_with("cannot ")) << parsed.error().message;
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "{{ if 1 }}";
  EXPECT_FALSE(Template::parse(deep));
  EXPECT_FALSE(
      Template::parse("{{ " + std::string(1000, '(') + "1" + std::string(1000, ')') + " }}"));
  EXPECT_FALSE(Template::parse(std::string(70'000, 'x')));
}

TEST(Template, FailsOnALabelThatIsNoNumber) {
  EXPECT_EQ(expand("{{ humanize $labels.gpu_index }}"), "3");
  EXPECT_TRUE(
      expand("{{ humanize $labels.instance }}").starts_with("failed: cannot expand humanize"));
}

TEST(Template, KnowsWhatIsNoNumber) {
  EXPECT_EQ(expand("{{ $value }} {{ humanize $value }} {{ printf \"%.1f\" $value }}",
                   std::numeric_limits<double>::quiet_NaN()),
            "NaN NaN NaN");
  EXPECT_EQ(
      expand("{{ $value }} {{ humanizeDuration $value }}", std::numeric_limits<double>::infinity()),
      "+Inf +Inf");
}

}  // namespace
}  // namespace gpuscope::alert

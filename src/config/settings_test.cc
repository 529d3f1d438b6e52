#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "config/nearest.h"
#include "config/settings_testing.h"

namespace gpuscope::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string only_digits(const Setting& row, std::string_view value) {
  const bool digits =
      !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  return digits ? "" : is_not(row, value);
}

std::string anything(const Setting&, std::string_view) { return ""; }

constexpr std::array<Setting, 4> kTable{{
    {"config", "", "T_CONFIG", "FILE", "a file", "", "where the rest is", anything},
    {"method", "method", "T_METHOD", "NAME", "a name", "auto", "how", anything},
    {"data-dir", "data_dir", "T_DATA_DIR", "DIR", "a directory", "", "where", anything},
    {"sim-gpus", "sim.gpus", "T_SIM_GPUS", "N", "a number", "3", "how many", only_digits},
}};

FileSettings parse(const std::string& text) { return parse_settings(kTable, "f.yaml", text); }

TEST(SettingsFile, GivesValuesWithTheirPlace) {
  const FileSettings got = parse("# the agent\nmethod: sim\nsim:\n  gpus: 8\n");
  EXPECT_THAT(got.mistakes, IsEmpty());
  ASSERT_THAT(got.values, SizeIs(2));
  EXPECT_EQ(got.values.at("method").text, "sim");
  EXPECT_EQ(got.values.at("sim-gpus").text, "8");
  EXPECT_EQ(got.values.at("sim-gpus").origin, "f.yaml:4: sim.gpus");
}

TEST(SettingsFile, MayBeEmpty) {
  EXPECT_THAT(parse("").mistakes, IsEmpty());
  EXPECT_THAT(parse("# nothing yet\n").mistakes, IsEmpty());
  EXPECT_THAT(parse("sim:\n").mistakes, IsEmpty());
}

TEST(SettingsFile, TellsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      parse("metod: sim\n"
            "sim: {gpus: many, sed: 4}\n"
            "data-dir: /x\n"
            "method: [a, b]\n"
            "config: other.yaml\n")
          .mistakes,
      ElementsAre("f.yaml:1: metod: there is no such setting; did you mean 'method'?",
                  "f.yaml:2: sim.gpus: 'many' is not a number",
                  "f.yaml:2: sim.sed: there is no such setting",
                  "f.yaml:3: data-dir: there is no such setting; did you mean 'data_dir'?",
                  "f.yaml:4: method: takes a name", "f.yaml:5: config: there is no such setting"));
}

TEST(SettingsFile, RefusesWhatIsNotAListOfSettings) {
  EXPECT_THAT(parse("- a\n- b\n").mistakes, ElementsAre(HasSubstr("f.yaml:1: takes lines")));
  EXPECT_THAT(parse("method: a\nmethod: b\n").mistakes,
              ElementsAre("f.yaml:2: method: stands here for the second time"));
  EXPECT_THAT(parse("method: a\n---\nmethod: b\n").mistakes,
              ElementsAre(HasSubstr("a second document begins here")));
  EXPECT_THAT(parse("method: &m sim\ndata_dir: *m\n").mistakes,
              ElementsAre(HasSubstr("aliases (*name) are not taken here")));
  EXPECT_THAT(parse("sim: 3\n").mistakes, ElementsAre(HasSubstr("takes settings of its own")));
  EXPECT_THAT(parse("method: {a: b}\n").mistakes, ElementsAre("f.yaml:1: method: takes a name"));
  EXPECT_THAT(parse("method:\n").mistakes, ElementsAre("f.yaml:1: method: takes a name"));
  EXPECT_THAT(parse("a: b: c\n").mistakes, ElementsAre(HasSubstr("f.yaml:1: not YAML: ")));
  EXPECT_THAT(parse("? [x]\n: y\n").mistakes, ElementsAre(HasSubstr("a key is one word")));
}

TEST(SettingsFile, StaysWithinItsBounds) {
  EXPECT_THAT(parse(std::string(kMaxSettingsBytes + 1, '#')).mistakes,
              ElementsAre(HasSubstr("the file is longer than 1048576 bytes")));
  EXPECT_THAT(parse("method: " + std::string(100'000, '[')).mistakes, SizeIs(1));
  EXPECT_THAT(parse("a\x1b[2J: 1\n").mistakes, SizeIs(1));
}

TEST(Settings, FlagsStandOverEnvironmentOverFile) {
  const auto flags = settings_from_flags(kTable, {{"sim-gpus", "1"}});
  const auto variables = settings_from_environment(
      kTable, environment({{"T_SIM_GPUS", "2"}, {"T_METHOD", "bash"}, {"T_DATA_DIR", ""}}));
  ASSERT_TRUE(flags && variables);
  const Values all = overlay(
      *flags, overlay(*variables, parse("sim: {gpus: 3}\nmethod: sim\ndata_dir: /d\n").values));
  EXPECT_EQ(all.at("sim-gpus").text, "1");
  EXPECT_EQ(all.at("method").text, "bash");
  EXPECT_EQ(all.at("data-dir").text, "/d");
}

TEST(Settings, AMistakeNamesItsFlagOrVariable) {
  const auto flag = settings_from_flags(kTable, {{"sim-gpus", "x"}});
  ASSERT_FALSE(flag);
  EXPECT_EQ(flag.error().message, "cannot use --sim-gpus: 'x' is not a number");
  const auto variable = settings_from_environment(kTable, environment({{"T_SIM_GPUS", "-1"}}));
  ASSERT_FALSE(variable);
  EXPECT_EQ(variable.error().message, "cannot use T_SIM_GPUS: '-1' is not a number");
}

TEST(Settings, ChangesAreOfValuesAndNothingElse) {
  const auto values = [](const std::string& text) { return parse(text).values; };
  EXPECT_THAT(changes(kTable, values("method: sim\n"), values("# moved\nmethod: sim\n")),
              IsEmpty());
  EXPECT_THAT(changes(kTable, {}, values("method: auto\n")), IsEmpty())
      << "the fallback, written out";
  const auto found = changes(kTable, values("method: sim\ndata_dir: /a\n"),
                             values("data_dir: /b\nsim: {gpus: 7}\n"));
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].setting->flag, "method");
  EXPECT_EQ(found[0].before, "sim");
  EXPECT_EQ(found[0].after, "auto");
  EXPECT_EQ(found[1].setting->flag, "data-dir");
  EXPECT_EQ(found[2].before, "3");
  EXPECT_EQ(found[2].after, "7");
}

TEST(Nearest, FindsASlipButNotAGuess) {
  constexpr std::array<std::string_view, 3> kWords{"interval", "listen", "log_level"};
  EXPECT_EQ(nearest("intervall", kWords), "interval");
  EXPECT_EQ(nearest("lisen", kWords), "listen");
  EXPECT_EQ(nearest("colour", kWords), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), kWords), "");
}

}  // namespace
}  // namespace gpuscope::config

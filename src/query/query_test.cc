#include "query/query.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "query/memory_series.h"

namespace gpuscope::query {
namespace {

using model::LabelledSample;
using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kNow = 1'000'000;

std::string text_of(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value);
  }
  return text;
}

// By labels: "a=1,b=2".
using Answer = std::map<std::string, double>;

bool same_answer(const Answer& arg, const Answer& wanted) {
  if (arg.size() != wanted.size()) return false;
  for (const auto& [labels, value] : wanted) {
    const auto found = arg.find(labels);
    if (found == arg.end()) return false;
    const bool same = found->second == value || (std::isnan(value) && std::isnan(found->second)) ||
                      std::abs(found->second - value) < 1e-12 * std::abs(value);
    if (!same) return false;
  }
  return true;
}

// A machine with two GPUs and one that left: temperatures every 15 s, the last of them at kNow.
MemorySeries machine() {
  MemorySeries series;
  const auto line = [](double first, double step) {
    std::vector<LabelledSample> samples;
    samples.reserve(41);
    for (int i = 0; i < 41; ++i) {
      samples.push_back({kNow - 600'000 + std::int64_t{15'000} * i, first + step * i});
    }
    return samples;
  };
  series.add({{"__name__", "temp"}, {"gpu", "0"}, {"model", "A"}}, line(40, 1));
  series.add({{"__name__", "temp"}, {"gpu", "1"}, {"model", "B"}}, line(90, -1));
  auto gone = line(10, 0);
  gone.back().value = model::stale_marker();
  series.add({{"__name__", "temp"}, {"gpu", "2"}, {"model", "B"}}, gone);
  series.add({{"__name__", "limit"}, {"model", "A"}}, line(70, 0));
  series.add({{"__name__", "limit"}, {"model", "B"}}, line(60, 0));
  auto energy = line(1000, 30);
  for (std::size_t i = 20; i < energy.size(); ++i) energy[i].value -= 1600;  // a reload
  series.add({{"__name__", "energy"}, {"gpu", "0"}}, energy);
  return series;
}

base::Result<Answer> ask(const MemorySeries& series, std::string_view text,
                         std::int64_t time = kNow) {
  const auto expression = Expression::parse(text);
  if (!expression) return std::unexpected(expression.error());
  const auto vector = Querier(series, time).vector(*expression);
  if (!vector) return std::unexpected(vector.error());
  Answer answer;
  for (const Sample& sample : *vector) answer[text_of(*sample.labels)] = sample.value;
  EXPECT_EQ(answer.size(), vector->size()) << text;
  return answer;
}

TEST(Query, MeansWhatPrometheusMeans) {
  const MemorySeries series = machine();
  const std::string gpu0 = "__name__=temp,gpu=0,model=A";
  const std::string gpu1 = "__name__=temp,gpu=1,model=B";
  const std::vector<std::pair<std::string, Answer>> cases{
      // Numbers and precedence.
      {"1 + 2 * 3 ^ 2", {{"", 19}}},
      {"2 ^ 3 ^ 2", {{"", 512}}},
      {"-2 ^ 2", {{"", -4}}},
      {"-(2) * 3 - -1", {{"", -5}}},
      {"2 ^ -1 * 4", {{"", 2}}},
      {"7 % 4 / 2 - 1", {{"", 0.5}}},
      {"-7 % 4", {{"", -3}}},
      {"1 / 0", {{"", kInf}}},
      {"0x1F + 010 + 08 + 1e2 + .5 + 1.", {{"", 148.5}}},
      {"iNf", {{"", kInf}}},
      {"NaN == bool NaN", {{"", 0}}},
      {"1 <= bool 1 # the same\n + 1", {{"", 1}}},
      {"time()", {{"", 1000}}},
      {"vector(3) or temp", {{"", 3}, {gpu0, 80}, {gpu1, 50}}},
      // Selectors.
      {"temp", {{gpu0, 80}, {gpu1, 50}}},
      {"temp{gpu!=\"1\",}", {{gpu0, 80}}},
      {"{__name__=~\"tem.\",gpu=~\"1|2\"}", {{gpu1, 50}}},
      {"temp{gpu=~\"\"}", {}},
      {"temp{nothing=\"\",gpu!~\"[12]\"}", {{gpu0, 80}}},
      {"temp offset 5m", {{gpu0, 60}, {gpu1, 70}, {"__name__=temp,gpu=2,model=B", 10}}},
      {"temp offset -5m", {{gpu0, 80}, {gpu1, 50}}},
      // Operations.
      {"temp > 60", {{gpu0, 80}}},
      {"60 < temp", {{gpu0, 80}}},
      {"temp > bool 60", {{"gpu=0,model=A", 1}, {"gpu=1,model=B", 0}}},
      {"-temp", {{"gpu=0,model=A", -80}, {"gpu=1,model=B", -50}}},
      {"+temp", {{gpu0, 80}, {gpu1, 50}}},
      {"temp - temp offset 5m", {{"gpu=0,model=A", 20}, {"gpu=1,model=B", -20}}},
      {"temp > on(model) group_left limit", {{gpu0, 80}}},
      {"temp / on(model) group_left() limit",
       {{"gpu=0,model=A", 80 / 70.0}, {"gpu=1,model=B", 50 / 60.0}}},
      {"limit - ignoring(gpu) group_right temp", {{"gpu=0,model=A", -10}, {"gpu=1,model=B", 10}}},
      {"limit - on(model) temp", {{"model=A", -10}, {"model=B", 10}}},
      {"temp and on(model) (limit > 65)", {{gpu0, 80}}},
      {"temp unless on(model) (limit > 65)", {{gpu1, 50}}},
      {"temp > 60 or temp < 60", {{gpu0, 80}, {gpu1, 50}}},
      // Aggregations.
      {"sum(temp)", {{"", 130}}},
      {"avg by (model) (temp)", {{"model=A", 80}, {"model=B", 50}}},
      {"max without (gpu, model) (temp)", {{"", 80}}},
      {"MIN(temp)", {{"", 50}}},
      {"count(temp) by (nothing)", {{"", 2}}},
      {"sum by (__name__) (temp)", {{"__name__=temp", 130}}},
      {"stddev(temp)", {{"", 15}}},
      {"quantile(0.5, temp)", {{"", 65}}},
      {"quantile(2, temp)", {{"", kInf}}},
      {"topk(1, temp)", {{gpu0, 80}}},
      {"bottomk(1, temp)", {{gpu1, 50}}},
      {"topk(0, temp)", {}},
      // Ranges: 21 samples in 5 minutes, both ends included.
      {"count_over_time(temp[5m])",
       {{"gpu=0,model=A", 21}, {"gpu=1,model=B", 21}, {"gpu=2,model=B", 20}}},
      {"max_over_time(temp{gpu=\"1\"}[1m])", {{"gpu=1,model=B", 54}}},
      {"min_over_time(temp{gpu=\"1\"}[1m] offset 1m)", {{"gpu=1,model=B", 54}}},
      {"avg_over_time(temp{gpu=\"0\"}[1m])", {{"gpu=0,model=A", 78}}},
      {"sum_over_time(temp{gpu=\"0\"}[30s])", {{"gpu=0,model=A", 237}}},
      {"last_over_time(temp{gpu=\"2\"}[1m])", {{"__name__=temp,gpu=2,model=B", 10}}},
      {"stddev_over_time(temp{gpu=\"0\"}[1m])", {{"gpu=0,model=A", std::sqrt(2)}}},
      {"quantile_over_time(0.25, temp{gpu=\"0\"}[1m])", {{"gpu=0,model=A", 77}}},
      {"rate(energy[2m])", {{"gpu=0", 2}}},
      {"increase(energy[2m30s])", {{"gpu=0", 300}}},
      {"irate(energy[1m])", {{"gpu=0", 2}}},
      {"deriv(temp{gpu=\"1\"}[5m])", {{"gpu=1,model=B", -1 / 15.0}}},
      {"delta(temp{gpu=\"1\"}[1m])", {{"gpu=1,model=B", -4}}},
      {"resets(energy[10m])", {{"gpu=0", 1}}},
      {"changes(temp{gpu=\"2\"}[10m])", {{"gpu=2,model=B", 0}}},
      // Subqueries: at multiples of their step, both ends included, whatever the time.
      {"count_over_time(temp[5m:1m])",
       {{"gpu=0,model=A", 5}, {"gpu=1,model=B", 5}, {"gpu=2,model=B", 5}}},
      {"count_over_time(temp{gpu=\"0\"}[280s:40s])", {{"gpu=0,model=A", 8}}},
      {"count_over_time(temp{gpu=\"0\"}[280s:])", {{"gpu=0,model=A", 5}}},
      {"sum_over_time(time_of[1m:20s])", {}},
      {"min_over_time(vector(time())[1m:40s])", {{"", 960}}},
      {"sum_over_time(vector(time())[1m:50s] offset 40s)", {{"", 1850}}},
      {"last_over_time(temp{gpu=\"0\"}[10s:7s])", {{gpu0, 79}}},
      {"last_over_time(temp{gpu=\"0\"}[3s:7s])", {}},
      {"avg_over_time((temp{gpu=\"0\"} > 77)[2m:30s])", {{"gpu=0,model=A", 79}}},
      {"rate(sum(energy)[2m:30s])", {{"", 2}}},
      {"max_over_time(temp{gpu=\"0\"}[1m:15s] offset 5m)", {{"gpu=0,model=A", 59}}},
      {"max_over_time(temp{gpu=\"0\"} offset 5m [1m:15s])", {{"gpu=0,model=A", 59}}},
      {"max_over_time(min_over_time(temp{gpu=\"0\"}[1m:15s])[5m:100s])", {{"gpu=0,model=A", 76}}},
      {"quantile_over_time(1, temp{gpu=\"1\"}[1m:20s])", {{"gpu=1,model=B", 54}}},
      {"absent_over_time(temp{gpu=\"3\"}[5m:1m])", {{"", 1}}},
      {"absent_over_time(temp[5m:1m])", {}},
      // Functions.
      {"abs(-temp{gpu=\"0\"})", {{"gpu=0,model=A", 80}}},
      {"ceil(vector(1.2)) + floor(vector(1.8))", {{"", 3}}},
      {"round(vector(2.5)) + round(vector(7), 5)", {{"", 8}}},
      {"clamp(temp, 55, 70)", {{"gpu=0,model=A", 70}, {"gpu=1,model=B", 55}}},
      {"clamp(temp, 70, 55)", {}},
      {"clamp_min(vector(1), 2) + clamp_max(vector(9), 3)", {{"", 5}}},
      {"clamp_max(vector(1), NaN)", {{"", kNan}}},
      {"absent(temp)", {}},
      {"absent(none{a=\"1\",b!=\"2\",c=\"3\",c=\"4\"})", {{"a=1", 1}}},
      {"absent_over_time(temp{gpu=\"3\"}[5m])", {{"gpu=3", 1}}},
      {"absent(sum(none))", {{"", 1}}},
      {"scalar(temp)", {{"", kNan}}},
      {"scalar(limit{model=\"A\"}) * 2", {{"", 140}}},
      {"label_replace(limit, \"to\", \"$1-${1}x$$\", \"model\", \"(.)\")",
       {{"__name__=limit,model=A,to=A-Ax$", 70}, {"__name__=limit,model=B,to=B-Bx$", 60}}},
      {"label_replace(limit, \"model\", \"\", \"model\", \"B|C\")",
       {{"__name__=limit,model=A", 70}, {"__name__=limit", 60}}},
      {"label_replace(limit, 'x', '$name', 'model', '(?P<name>A)')",
       {{"__name__=limit,model=A,x=A", 70}, {"__name__=limit,model=B", 60}}},
  };
  for (const auto& [text, wanted] : cases) {
    const auto answer = ask(series, text);
    ASSERT_TRUE(answer) << text << ": " << answer.error().message;
    EXPECT_TRUE(same_answer(*answer, wanted)) << text << ": " << testing::PrintToString(*answer);
  }
}

TEST(Query, SeesWhatIsNotOlderThanFiveMinutes) {
  const MemorySeries series = machine();
  EXPECT_EQ(ask(series, "temp", kNow + 300'000)->size(), 2U);
  EXPECT_EQ(ask(series, "temp", kNow + 300'001)->size(), 0U);
  EXPECT_EQ(ask(series, "temp", kNow - 600'000)->size(), 3U);
  EXPECT_EQ(ask(series, "temp", kNow - 600'001)->size(), 0U);
  EXPECT_EQ(ask(series, "temp", kNow - 1)->size(), 3U);
}

TEST(Query, SaysWhatCannotBeEvaluated) {
  const MemorySeries series = machine();
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"limit - on(model) temp offset 5m", "many-to-many matching not allowed"},
           {"temp offset 5m + on(model) limit", "many-to-one matching must be explicit"},
           {"temp + on() group_left limit", "on the right hand-side"},
           {"limit + on() group_right temp", "on the left hand-side"},
           {"label_replace(temp, 'gpu', '', '', '') + 0 and "
            "label_replace(label_replace(temp,'gpu','','',''),'model','','','')",
            "the same labelset"},
           {"-{__name__=~'temp|limit',model='B',gpu=~'|1'} + "
            "-label_replace({__name__=~'temp|limit',model='B',gpu=~'|1'},'gpu','','','')",
            "the same labelset"},
           {"topk(NaN, temp)", "overflows int64"},
           {"'text'", "cannot take a string"},
           {"temp[5m]", "cannot take a range vector"},
       }) {
    const auto answer = ask(series, text);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().kind, base::ErrorKind::kInvalidArgument);
    EXPECT_THAT(answer.error().message, HasSubstr(said)) << text;
    EXPECT_THAT(answer.error().message, testing::StartsWith("cannot ")) << text;
  }
}

TEST(Query, EvaluatesRanges) {
  const MemorySeries series = machine();
  const auto expression = Expression::parse("temp{gpu='2'} > time() - 991");
  const auto matrix = range(
      series, *expression, {.start_ms = kNow - 30'000, .end_ms = kNow + 60'000, .step_ms = 10'000});
  ASSERT_TRUE(matrix) << matrix.error().message;
  ASSERT_EQ(matrix->size(), 1U);
  EXPECT_THAT(matrix->front().points,
              testing::ElementsAre(LabelledSample{970'000, 10}, LabelledSample{980'000, 10},
                                   LabelledSample{990'000, 10}));
  const auto numbers = range(series, *Expression::parse("time()"), {0, 20'000, 10'000});
  ASSERT_EQ(numbers->size(), 1U);
  EXPECT_EQ(numbers->front().points.back(), (LabelledSample{20'000, 20}));

  const auto instant_matrix = instant(series, *Expression::parse("temp{gpu='2'}[30s]"), kNow);
  ASSERT_TRUE(instant_matrix);
  EXPECT_THAT(std::get<Matrix>(*instant_matrix).front().points,
              testing::ElementsAre(LabelledSample{970'000, 10}, LabelledSample{985'000, 10}));
  const auto subquery = instant(series, *Expression::parse("(temp{gpu='2'}[45s:20s])"), kNow);
  ASSERT_TRUE(subquery) << subquery.error().message;
  EXPECT_THAT(std::get<Matrix>(*subquery).front().points,
              testing::ElementsAre(LabelledSample{960'000, 10}, LabelledSample{980'000, 10}));
  EXPECT_EQ(std::get<std::string>(*instant(series, *Expression::parse("('a')"), kNow)), "a");
}

TEST(Query, EvaluatesSubqueriesOfRanges) {
  const MemorySeries series = machine();
  // Every step looks at the same multiples of 40 s.
  const auto matrix = range(series, *Expression::parse("sum_over_time(vector(time())[1m:40s])"),
                            {0, 100'000, 50'000});
  ASSERT_TRUE(matrix) << matrix.error().message;
  ASSERT_EQ(matrix->size(), 1U);
  EXPECT_THAT(matrix->front().points,
              testing::ElementsAre(LabelledSample{0, -40}, LabelledSample{50'000, 40},
                                   LabelledSample{100'000, 120}));
  // A step of its own where it has none.
  const auto expression = *Expression::parse("count_over_time(temp{gpu='0'}[1m:])");
  const auto with_step = [&](std::chrono::seconds step) {
    return Querier(series, kNow, {.subquery_step = step}).vector(expression)->front().value;
  };
  EXPECT_EQ(with_step(std::chrono::seconds{10}), 7);
  EXPECT_EQ(with_step(std::chrono::seconds{15}), 4);
}

TEST(Query, KeepsItsLimits) {
  const MemorySeries series = machine();
  const auto temp = *Expression::parse("temp");
  const auto said = [](const auto& result) {
    return result ? std::string("no error") : result.error().message;
  };
  EXPECT_THAT(said(range(series, temp, {0, 11'000'000, 1000})), HasSubstr("11000 points"));
  EXPECT_TRUE(range(series, temp, {0, 10'999'000, 1000}));
  EXPECT_THAT(said(range(series, temp, {10, 0, 1})), HasSubstr("ends before it begins"));
  EXPECT_THAT(said(range(series, temp, {0, 10, 0})), HasSubstr("zero or negative"));
  EXPECT_THAT(said(range(series, temp, {kNow, kNow + 99, 1}, {.samples = 200})),
              HasSubstr("200 samples"));
  EXPECT_THAT(said(instant(series, *Expression::parse("max_over_time(temp[1y:1ms])"), kNow)),
              HasSubstr("a subquery at 31536000001 steps: 1000000 are possible"));
  EXPECT_THAT(said(instant(series, *Expression::parse("max_over_time(temp[1m:1s])"), kNow,
                           {.samples = 150})),
              HasSubstr("150 samples"));
  const Limits ends{
      .go_on = [] { return base::fail(base::ErrorKind::kDeadlineExceeded, "cannot wait"); }};
  EXPECT_EQ(instant(series, temp, kNow, ends).error().kind, base::ErrorKind::kDeadlineExceeded);
}

TEST(Query, ReadsOnceWhatSeveralSelect) {
  const MemorySeries series = machine();
  const std::vector<Expression> rules{*Expression::parse("temp > 80"),
                                      *Expression::parse("max_over_time(temp[5m]) - temp"),
                                      *Expression::parse("temp + on(model) group_left limit"),
                                      *Expression::parse("temp offset 1m < 10")};
  Querier querier(series, kNow);
  ASSERT_TRUE(querier.read(rules));
  EXPECT_EQ(series.requests(), 2U);
  for (const Expression& rule : rules) EXPECT_TRUE(querier.vector(rule)) << rule.text();
  EXPECT_EQ(series.requests(), 2U);
  EXPECT_EQ(querier.vector(rules[1])->size(), 2U);
  // What was not foretold is read then.
  EXPECT_EQ(querier.vector(*Expression::parse("energy"))->size(), 1U);
  EXPECT_EQ(querier.vector(*Expression::parse("temp offset 7m"))->size(), 3U);
  EXPECT_EQ(series.requests(), 4U);
}

// ---- what is no expression

TEST(Parser, RefusesWithThePlace) {
  for (const auto& [text, said] : std::vector<std::pair<std::string, std::string>>{
           {"", "expected an expression, at character 1"},
           {"1 +", "expected an expression, at character 4"},
           {"1 1", "expected an operator or the end and not '1', at character 3"},
           {"1 +\n +\n foo bar", "line 3, character 6"},
           {"a @ 5", "the modifier @ is not supported here, at character 3"},
           {"a atan2 b", "atan2 is not supported here"},
           {"histogram_quantile(0.9, a)",
            "histogram_quantile is not supported here, at character 1"},
           {"stdvar by (a) (b)", "stdvar is not supported here"},
           {"group(b)", "group is not supported here"},
           {"nonsense(b)", "there is no function 'nonsense'"},
           {"RATE(a[5m])", "there is no function 'RATE'"},
           {"rate(a)", "rate takes a range vector here and not a instant vector"},
           {"abs(1)", "abs takes a instant vector here"},
           {"abs(a[1m])", "and not a range vector"},
           {"sum(1)", "sum takes a instant vector"},
           {"sum(a[1m])", "sum takes a instant vector"},
           {"topk(a, a)", "topk takes a scalar"},
           {"topk(a)", "topk takes 2 arguments and not 1"},
           {"sum(a, b)", "sum takes 1 argument and not 2"},
           {"sum()", "sum takes 1 argument and not 0"},
           {"sum(a,)", "expected an expression"},
           {"clamp(a)", "clamp takes 3 arguments and not 1"},
           {"time(1)", "time takes 0 arguments"},
           {"label_replace(a, '9', '', '', '')", "'9' is no name of a label"},
           {"label_replace(a, 'b', '', '', '(')", "cannot read the regular expression"},
           {"label_replace(a, 1, '', '', '')", "takes a string here"},
           {"{}", "a matcher that the empty text does not fit"},
           {"{a=~'.*'}", "a matcher that the empty text does not fit"},
           {"a{__name__='b'}", "the metric's name stands there twice"},
           {"a{b}", "expected one of =, !=, =~, !~"},
           {"a{b==''}", "expected one of"},
           {"a{b=c}", "expected a text in quotes"},
           {"a{b='c' d='e'}", "expected ',' or '}'"},
           {"a{,}", "expected a label's name or '}'"},
           {"a{b=~'*'}", "cannot read the regular expression '*'"},
           {"a{", "expected a label's name or '}', at character 3"},
           {"a[5]", "a duration needs its unit"},
           {"a[0s]", "longer than 0"},
           {"a[1m1h]", "'1m1h' is no duration"},
           {"a[1.5m]", "no number and no duration"},
           {"a[9999999y]", "too long"},
           {"a[5m", "expected ':' or ']'"},
           {"(a)[5m]", "a range without ':' stands behind a selector"},
           {"a[5m][5m]", "a range without ':' stands behind a selector"},
           {"a[5m:1m", "expected ']', at character 8"},
           {"a[5m:0s]", "longer than 0"},
           {"a[5m:1]", "expected a duration such as 5m and not '1'"},
           {"a[5m::1m]", "expected a duration such as 5m and not ':'"},
           {"a[:1m]", "expected a duration"},
           {"a[5m b]", "expected ':' or ']' and not 'b'"},
           {"1[5m:1m]", "a subquery stands behind an instant vector and not behind a scalar"},
           {"a[5m][5m:1m]", "not behind a range vector, at character 6"},
           {"a[5m:1m][5m:1m]", "not behind a range vector"},
           {"-a[5m:1m]", "a sign stands before a number or an instant vector"},
           {"a + a[5m:1m]", "takes numbers and instant vectors and not a range vector"},
           {"abs(a[5m:1m])", "and not a range vector"},
           {"a[5m:1m] offset 1m offset 1m", "offset stands there twice"},
           {"a offset 5m [5m]", "a range stands before the offset"},
           {"a offset 5", "expected a duration"},
           {"a offset 5m offset 5m", "offset stands there twice"},
           {"sum(a) offset 5m", "offset stands behind a selector"},
           {"1 < 2", "two numbers are compared with bool alone"},
           {"a + bool b", "bool stands behind comparisons alone"},
           {"a and 1", "take two instant vectors"},
           {"a and on(b) group_left c", "take no group_left"},
           {"a + on(b) 1", "between two instant vectors alone"},
           {"a + group_left b", "expected an expression"},
           {"a + on(b) group_left(b) c", "must not stand in both"},
           {"a + on(1) c", "expected a label's name"},
           {"a[5m] + 1", "takes numbers and instant vectors and not a range vector"},
           {"-'a'", "a sign stands before a number"},
           {"'a", "a text is not closed"},
           {"'a\n'", "a text is not closed"},
           {"'\\q'", "there is no such escape, at character 2"},
           {"'\\ud800'", "there is no such escape"},
           {"1e999", "'1e999' is no number"},
           {"0x", "'0x' is no number"},
           {"1x", "no number and no duration"},
           {"1_000", "no number and no duration"},
           {"a ; b", "';' is not expected"},
           {"a = b", "expected an operator or the end and not '='"},
           {"\xff", "it is not UTF-8"},
           {std::string(70'000, '1'), "more than 65536 bytes"},
           {std::string(500, '('), "nested too deeply"},
           {std::string(500, '-') + "1", "nested too deeply"},
       }) {
    const auto expression = Expression::parse(text);
    ASSERT_FALSE(expression) << text;
    EXPECT_THAT(expression.error().message, HasSubstr(said)) << text;
    EXPECT_THAT(expression.error().message, testing::StartsWith("cannot read "));
  }
}

TEST(Parser, TakesWhatPrometheusTakes) {
  for (const char* text : {"sum",
                           "sum + count{a='b'}",
                           "offset",
                           "by",
                           ":a:b",
                           "a:b{c='d'}",
                           "a{on='b',sum!='c',}",
                           "sum by (on, by, sum,) (a)",
                           "sum without () (a)",
                           "a + on() b",
                           "a+ignoring(b)group_left(c)d",
                           "1 + on() 2",
                           "a [ 5m ] offset - 1h30m",
                           "a == bool a",
                           "a[5m:1m]",
                           "a[5m:]",
                           "a [ 5m : 1h30m ] offset -1m",
                           "sum by (b) (a)[5m:1m]",
                           "(a + b)[5m:1m]",
                           "a offset 1m [5m:1m]",
                           "rate(a[5m])[1h:5m]",
                           "c:d[5m:]",
                           "max_over_time(avg_over_time((a)[5m:])[1h:5m] offset 1m)",
                           "a ^ rate((b)[5m:1m])",
                           "'\\u00e9\\x41\\101\\''",
                           "`a\nb\\`",
                           "a # comment",
                           "((a))",
                           "- + - a"}) {
    const auto expression = Expression::parse(text);
    EXPECT_TRUE(expression) << text << ": " << expression.error().message;
  }
}

}  // namespace
}  // namespace gpuscope::query

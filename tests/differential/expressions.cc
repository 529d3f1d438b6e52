#include "expressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

namespace gpuscope::differential {
namespace {

using model::LabelledSample;

constexpr int kMostNesting = 3;
constexpr std::int64_t kInterval = 15'000;

class Dice {
 public:
  explicit Dice(std::mt19937_64& random) : random_(random) {}

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }
  double number(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(random_);
  }
  template <std::size_t N>
  std::string pick(const std::array<std::string_view, N>& from) {
    return std::string(from[below(N)]);
  }

 private:
  std::mt19937_64& random_;
};

// ---- series

double strange(Dice& dice) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr std::array<double, 5> kStrange{kInf, -kInf, std::numeric_limits<double>::quiet_NaN(),
                                           0.0, -0.0};
  return kStrange[dice.below(kStrange.size())];
}

std::vector<LabelledSample> random_samples(Dice& dice, std::string_view name, std::int64_t begin,
                                           std::int64_t length) {
  std::vector<LabelledSample> samples;
  // Equal values are left to those that topk does not see.
  const bool whole = (name == "h" || name == "k") && dice.one_in(3);
  const bool strange_ones = name == "h";
  double value = dice.number(0, 100);
  std::int64_t time = begin + static_cast<std::int64_t>(dice.below(kInterval));
  const std::int64_t jitter = dice.one_in(2) ? 1 : 3000;
  while (time < begin + length) {
    if (dice.one_in(60)) time += kInterval * static_cast<std::int64_t>(2 + dice.below(40));
    if (dice.one_in(50)) {
      samples.push_back({time, model::stale_marker()});
    } else {
      if (name == "c") value = dice.one_in(40) ? dice.number(0, 5) : value + dice.number(0, 20);
      if (name == "g" || name == "h") value += dice.number(-10, 10);
      if (whole) value = static_cast<double>(static_cast<std::int64_t>(value));
      samples.push_back({time, strange_ones && dice.one_in(12) ? strange(dice) : value});
    }
    time += kInterval + static_cast<std::int64_t>(dice.below(static_cast<std::size_t>(jitter)));
  }
  return samples;
}

// ---- expressions

class Grammar {
 public:
  explicit Grammar(std::mt19937_64& random) : dice_(random) {}

  std::string vector(int nesting) {
    if (nesting >= kMostNesting) return selector();
    switch (dice_.below(12)) {
      case 0:
      case 1:
        return selector();
      case 2:
      case 3:
        return aggregation(nesting);
      case 4:
      case 5:
        return over_range(nesting);
      case 6:
        return function(nesting);
      case 7:
        return with_scalar(nesting);
      case 8:
      case 9:
        return matched(nesting);
      case 10:
        return sets(nesting);
      default:
        return odd(nesting);
    }
  }

  std::string scalar(int nesting) {
    switch (dice_.below(nesting >= kMostNesting ? 2 : 5)) {
      case 0:
        return literal();
      case 1:
        return dice_.one_in(2) ? "(time() % 1000)" : literal();
      case 2:
        return fmt::format("scalar({})", vector(nesting + 1));
      case 3:
        return fmt::format("({} {} {})", scalar(nesting + 1), arithmetic(), scalar(nesting + 1));
      default:
        return fmt::format("-({} {} bool {})", scalar(nesting + 1), comparison(),
                           scalar(nesting + 1));
    }
  }

 private:
  // Of what is computed no remainder is taken: the last digit of a power or of a sum decides it.
  std::string arithmetic() {
    return dice_.pick(std::array<std::string_view, 5>{"+", "-", "*", "/", "^"});
  }
  std::string simple_arithmetic() {
    return dice_.pick(std::array<std::string_view, 5>{"+", "-", "*", "/", "%"});
  }
  std::string comparison() {
    return dice_.pick(std::array<std::string_view, 6>{"==", "!=", "<", "<=", ">", ">="});
  }
  std::string literal() {
    if (dice_.one_in(2)) return fmt::format("{:.2f}", dice_.number(0, 100));
    return dice_.pick(std::array<std::string_view, 10>{"0", "1", "2", "3", "0x1f", "1e3", ".5",
                                                       "Inf", "NaN", "010"});
  }
  std::string duration() {
    return dice_.pick(
        std::array<std::string_view, 8>{"30s", "1m", "2m30s", "5m", "10m", "7m", "45s", "1500ms"});
  }

  std::string selector() {
    std::string text = plain_selector();
    if (dice_.one_in(5))
      text += fmt::format(" offset {}{}", dice_.one_in(4) ? "-" : "", duration());
    return text;
  }

  std::string plain_selector() {
    std::string name = dice_.pick(std::array<std::string_view, 4>{"g", "h", "c", "k"});
    std::string matchers;
    const auto add = [&](std::string_view text) {
      matchers += (matchers.empty() ? "" : ",") + std::string(text);
    };
    if (dice_.one_in(8)) {
      add(dice_.pick(std::array<std::string_view, 4>{"__name__=~\"[gh]\"", "__name__=~\"g|c\"",
                                                     "__name__!~\"h|up\",a=~\".+\"",
                                                     "__name__=\"g\""}));
      name.clear();
    }
    if (dice_.one_in(2)) {
      add(dice_.pick(std::array<std::string_view, 9>{"a=\"x\"", "a!=\"x\"", "a=~\"x|y\"",
                                                     "a!~\"x|y\"", "b=\"1\"", "b=\"\"", "b=~\"1|\"",
                                                     "a=~\"[yz]\",b!=\"2\"", "b!~\".+\""}));
    }
    return matchers.empty() ? name : fmt::format("{}{{{}}}", name, matchers);
  }

  // A range of a selector, or of anything at the steps of a subquery.
  std::string range(int nesting) {
    std::string text;
    if (dice_.one_in(3)) {
      text = dice_.one_in(2) ? selector() : fmt::format("({})", vector(nesting + 1));
      text += fmt::format("[{}:{}]", duration(), dice_.one_in(4) ? "" : duration());
    } else {
      text = fmt::format("{}[{}]", plain_selector(), duration());
    }
    if (dice_.one_in(5)) text += fmt::format(" offset {}", duration());
    return text;
  }

  std::string over_range(int nesting) {
    constexpr std::array<std::string_view, 15> kFunctions{"rate",
                                                          "irate",
                                                          "increase",
                                                          "delta",
                                                          "deriv",
                                                          "changes",
                                                          "resets",
                                                          "avg_over_time",
                                                          "min_over_time",
                                                          "max_over_time",
                                                          "sum_over_time",
                                                          "count_over_time",
                                                          "last_over_time",
                                                          "stddev_over_time",
                                                          "absent_over_time"};
    if (dice_.one_in(10)) {
      return fmt::format("quantile_over_time({}, {})", share(), range(nesting));
    }
    return fmt::format("{}({})", dice_.pick(kFunctions), range(nesting));
  }

  std::string share() {
    return dice_.one_in(6) ? dice_.pick(std::array<std::string_view, 3>{"-1", "2", "NaN"})
                           : fmt::format("{:.2f}", dice_.number(0, 1));
  }

  std::string label_list() {
    return dice_.pick(
        std::array<std::string_view, 6>{"", "a", "b", "a, b", "nothing", "b, __name__"});
  }

  std::string aggregation(int nesting) {
    std::string name = dice_.pick(std::array<std::string_view, 9>{
        "sum", "avg", "min", "max", "count", "stddev", "quantile", "topk", "bottomk"});
    std::string inner = vector(nesting + 1);
    if (name == "quantile") inner = share() + ", " + inner;
    // Which of equal values are the greatest, Prometheus leaves to the order of a map.
    if (name.ends_with("k")) {
      inner = fmt::format("{}, {}", dice_.below(5), dice_.one_in(2) ? "g" : "c{a!=\"z\"}");
    }
    if (dice_.one_in(3)) return fmt::format("{}({})", name, inner);
    const std::string grouping =
        fmt::format("{} ({})", dice_.one_in(2) ? "by" : "without", label_list());
    return dice_.one_in(2) ? fmt::format("{} {} ({})", name, grouping, inner)
                           : fmt::format("{}({}) {}", name, inner, grouping);
  }

  std::string function(int nesting) {
    const std::string inner = vector(nesting + 1);
    switch (dice_.below(9)) {
      case 0:
        return fmt::format("round({}, {})", inner, scalar(nesting + 1));
      case 1:
        return fmt::format("clamp({}, {}, {})", inner, scalar(nesting + 1), scalar(nesting + 1));
      case 2:
        return fmt::format("clamp_min({}, {})", inner, scalar(nesting + 1));
      case 3:
        return fmt::format("clamp_max({}, {})", inner, scalar(nesting + 1));
      case 4:
        return fmt::format("absent({})", inner);
      case 5:
        return fmt::format("vector({})", scalar(nesting + 1));
      case 6:
        return label_replace(inner);
      default:
        return fmt::format(
            "{}({})", dice_.pick(std::array<std::string_view, 4>{"abs", "ceil", "floor", "round"}),
            inner);
    }
  }

  std::string label_replace(const std::string& inner) {
    const std::string to = dice_.pick(std::array<std::string_view, 3>{"a", "b", "to"});
    const std::string what = dice_.pick(
        std::array<std::string_view, 6>{"$1", "${1}-$0", "fixed", "", "$2x$$", "$name.${name}"});
    const std::string from = dice_.pick(std::array<std::string_view, 3>{"a", "b", "__name__"});
    const std::string regex =
        dice_.pick(std::array<std::string_view, 5>{"(.*)", "([xy])", "(1)|(2)", "", "(?P<name>.)"});
    return fmt::format("label_replace({}, \"{}\", \"{}\", \"{}\", \"{}\")", inner, to, what, from,
                       regex);
  }

  std::string with_scalar(int nesting) {
    const std::string left = fmt::format("({})", vector(nesting + 1));
    const std::string right = scalar(nesting + 1);
    const std::string op =
        dice_.one_in(2) ? arithmetic() : comparison() + (dice_.one_in(3) ? " bool" : "");
    return dice_.one_in(3) ? fmt::format("{} {} {}", right, op, left)
                           : fmt::format("{} {} {}", left, op, right);
  }

  std::string matching() {
    switch (dice_.below(4)) {
      case 0:
        return "";
      case 1:
        return fmt::format(" ignoring ({})", label_list());
      default:
        return fmt::format(" on ({})",
                           dice_.pick(std::array<std::string_view, 3>{"a", "a, b", ""}));
    }
  }

  std::string matched(int nesting) {
    std::string op =
        dice_.one_in(2) ? arithmetic() : comparison() + (dice_.one_in(3) ? " bool" : "");
    const std::string match = matching();
    op += match;
    std::string right = vector(nesting + 1);
    std::string left = vector(nesting + 1);
    if (!match.empty() && dice_.one_in(2)) {
      const bool to_left = dice_.one_in(2);
      op += fmt::format(" {}{}", to_left ? "group_left" : "group_right",
                        dice_.pick(std::array<std::string_view, 3>{"()", " (nothing)", " (to)"}));
      std::string& one = to_left ? right : left;
      if (dice_.one_in(2)) one = fmt::format("max by (a) ({})", one);
    }
    return fmt::format("({}) {} ({})", left, op, right);
  }

  std::string sets(int nesting) {
    const std::string op = dice_.pick(std::array<std::string_view, 3>{"and", "or", "unless"});
    return fmt::format("({}) {}{} ({})", vector(nesting + 1), op, matching(), vector(nesting + 1));
  }

  // Signs, precedence and the parentheses that are not there.
  std::string odd(int nesting) {
    switch (dice_.below(4)) {
      case 0:
        return fmt::format("-({})", vector(nesting + 1));
      case 1:
        return fmt::format("+{}", selector());
      case 2:
        return fmt::format("{} {} {} {} {} {} {}", selector(), simple_arithmetic(), literal(),
                           simple_arithmetic(), literal(), comparison(), literal());
      default:
        return fmt::format("-{} ^ {} * {}", selector(), literal(), literal());
    }
  }

  Dice dice_;
};

}  // namespace

std::vector<RandomSeries> random_series(std::mt19937_64& random, std::int64_t begin_ms,
                                        std::int64_t length_ms) {
  Dice dice(random);
  std::vector<RandomSeries> all;
  for (const char* const name : {"g", "h", "c", "k"}) {
    for (const char* const a : {"x", "y", "z"}) {
      for (const char* const b : {"1", "2", ""}) {
        model::Labels labels{{"__name__", name}, {"a", a}};
        if (*b != '\0') labels.emplace_back("b", b);
        all.push_back({std::move(labels), random_samples(dice, name, begin_ms, length_ms)});
      }
    }
  }
  return all;
}

std::string random_expression(std::mt19937_64& random) {
  Grammar grammar(random);
  return random() % 20 == 0 ? grammar.scalar(0) : grammar.vector(0);
}

}  // namespace gpuscope::differential

// Expressions over series: a subset of PromQL, as Prometheus 2.42 means it. docs/query.md says what
// is in it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/labelled_series.h"

namespace gpuscope::query {

using model::Labels;
using model::LabelsPtr;

enum class Type : std::uint8_t { kScalar, kString, kVector, kMatrix };
// "scalar", "string", "vector", "matrix", as Prometheus's JSON has them.
std::string_view type_name(Type type);

struct Node;

// What a text was found to mean. Immutable, cheap to copy; thread-safe.
class Expression {
 public:
  // kInvalidArgument: what is wrong with the text, or not supported here, with its line and
  // character. 64 KiB and 200 levels of nesting at most.
  static base::Result<Expression> parse(std::string_view text);
  // One selector of series, as match[] has it: no range, no offset.
  static base::Result<std::vector<model::LabelMatcher>> parse_selector(std::string_view text);

  Type type() const;
  const std::string& text() const { return *text_; }
  const Node& root() const { return *root_; }
  // The matchers of each selector in it.
  std::vector<std::span<const model::LabelMatcher>> selectors() const;

 private:
  Expression(std::shared_ptr<const std::string> text, std::shared_ptr<const Node> root)
      : text_(std::move(text)), root_(std::move(root)) {}
  std::shared_ptr<const std::string> text_;
  std::shared_ptr<const Node> root_;
};

struct Sample {
  LabelsPtr labels;
  double value = 0;
};
// At one instant; in no particular order but of topk and bottomk.
using Vector = std::vector<Sample>;

struct Series {
  LabelsPtr labels;
  std::vector<model::LabelledSample> points;  // never empty
};
using Matrix = std::vector<Series>;  // by labels

// What an expression is at one instant: a number, a text, a vector; of a range selector, a matrix.
using Value = std::variant<double, std::string, Vector, Matrix>;

// From start to end, both included, every step; times in milliseconds since 1970.
struct Steps {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t step_ms = 1;  // over 0

  std::size_t count() const { return static_cast<std::size_t>((end_ms - start_ms) / step_ms) + 1; }
  std::int64_t time(std::size_t step) const {
    return start_ms + static_cast<std::int64_t>(step) * step_ms;
  }
};

struct Limits {
  std::size_t points = 11'000;              // of one series
  std::size_t samples = 50'000'000;         // read, or in a result on the way, at one time
  std::size_t subquery_points = 1'000'000;  // of one series in a subquery
  std::chrono::milliseconds lookback{std::chrono::minutes{5}};
  // Of a subquery that has none of its own: Prometheus's evaluation_interval. Over 0.
  std::chrono::milliseconds subquery_step{std::chrono::minutes{1}};
  // Asked now and then: an error ends the evaluation with it. Empty: nothing does.
  std::function<base::Result<void>()> go_on{};
};

// Evaluates expressions at the same times over one reading of the series: those that several
// expressions select are read once. Not thread-safe; the reader outlives it.
//
// Errors are kInvalidArgument for what Prometheus calls an execution error (series that match more
// than once), for a limit passed, and for steps that make no sense; else those of the reader and of
// Limits::go_on.
class Querier {
 public:
  // At one instant.
  Querier(const model::LabelledSeriesReader& reader, std::int64_t time_ms, Limits limits = {});
  // At every step of a range.
  Querier(const model::LabelledSeriesReader& reader, const Steps& steps, Limits limits = {});
  ~Querier();
  Querier(Querier&&) noexcept;
  Querier(const Querier&) = delete;
  Querier& operator=(const Querier&) = delete;
  Querier& operator=(Querier&&) = delete;

  // Reads what these need in one go; what an evaluation needs beside it is read then.
  base::Result<void> read(std::span<const Expression> expressions);

  // The value at the instant; of a range, at its first step.
  base::Result<Value> instant(const Expression& expression);
  // The same as a vector: a number is one sample without labels, as alerting rules take it.
  // kInvalidArgument for a text or a matrix.
  base::Result<Vector> vector(const Expression& expression);
  // kInvalidArgument for what is no number and no vector.
  base::Result<Matrix> range(const Expression& expression);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A Querier for one expression.
base::Result<Value> instant(const model::LabelledSeriesReader& reader, const Expression& expression,
                            std::int64_t time_ms, const Limits& limits = {});
base::Result<Matrix> range(const model::LabelledSeriesReader& reader, const Expression& expression,
                           const Steps& steps, const Limits& limits = {});

}  // namespace gpuscope::query

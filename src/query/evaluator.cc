// From nodes to values: every node at all steps at once.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include "model/labels.h"
#include "query/grid.h"
#include "query/matcher.h"
#include "query/query.h"
#include "query/reads.h"

namespace gpuscope::query {
namespace {

using base::ErrorKind;
using base::Result;
using model::LabelledSample;
using model::LabelledSeries;

// The matchers of a selector as labels, as absent() answers with them.
LabelsPtr labels_of_absence(const Node& argument) {
  if (argument.kind != NodeKind::kSelector) return no_labels();
  auto labels = std::make_shared<Labels>();
  std::set<std::string_view> known;
  for (const model::LabelMatcher& matcher : argument.matchers) {
    if (matcher.label == model::kNameLabel) continue;
    const bool first =
        matcher.kind == model::LabelMatcher::Kind::kEqual && known.insert(matcher.label).second;
    model::set_label(*labels, matcher.label, first ? matcher.value : std::string());
  }
  return labels;
}

// `room` is for those of a series that has some.
std::span<const LabelledSample> without_markers(const std::vector<LabelledSample>& samples,
                                                std::vector<LabelledSample>& room) {
  const auto is_marker = [](const LabelledSample& sample) { return model::is_stale(sample.value); };
  if (std::ranges::none_of(samples, is_marker)) return samples;
  room.clear();
  std::ranges::remove_copy_if(samples, std::back_inserter(room), is_marker);
  return room;
}

void sort_by_labels(Matrix& matrix) {
  std::ranges::sort(matrix, [](const Series& a, const Series& b) { return *a.labels < *b.labels; });
}

Matrix matrix_of(const Grid& grid, const Steps& steps) {
  Matrix matrix;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    Series series{grid.labels[i], {}};
    series.points.reserve(
        static_cast<std::size_t>(std::count(grid.has(i), grid.has(i) + grid.steps, 1)));
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (grid.has(i)[step] != 0) series.points.push_back({steps.time(step), grid.row(i)[step]});
    }
    if (!series.points.empty()) matrix.push_back(std::move(series));
  }
  sort_by_labels(matrix);
  return matrix;
}

// One evaluation at its steps; a subquery begins another one within it.
class Evaluation {
 public:
  Evaluation(const Reads& reads, const Steps& steps, const Limits& limits)
      : reads_(reads), steps_(steps), limits_(limits) {}

  Result<Operand> eval(const Node& node);
  // Of a range selector or a subquery, at the instant.
  Result<Matrix> matrix(const Node& node);

 private:
  Result<void> go_on() const { return limits_.go_on ? limits_.go_on() : Result<void>{}; }
  std::size_t count() const { return steps_.count(); }
  Grid grid() const { return Grid(count()); }

  // Whether there is room for as many series, and nobody wants to end this.
  Result<void> admit(std::size_t series) const {
    if (auto on = go_on(); !on) return on;
    if (series > limits_.samples / count()) return too_many_samples(limits_.samples);
    return {};
  }

  Result<Grid> select(const Node& node) const;
  Result<Matrix> subquery(const Node& node) const;
  Result<Operand> sign(const Node& node, Operand inner) const;
  Result<Operand> call(const Node& node);
  Result<Operand> call_over_range(const Node& node);
  Result<Grid> over_ranges(const Node& node, const Node& ranged, const Numbers& parameter) const;
  Result<bool> over_series(const Node& node, const Node& ranged,
                           std::span<const LabelledSample> samples, const Numbers& parameter,
                           Grid& out) const;
  Grid absent(const Node& argument, const Grid& grid) const;
  Result<Grid> label_replace(const Node& node, Grid grid) const;
  Result<Grid> map_values(const Node& node, Grid grid, const std::array<Numbers, 2>& numbers) const;
  Numbers scalar(const Grid& grid) const;

  const Reads& reads_;
  const Steps steps_;
  const Limits& limits_;
};

Result<Grid> Evaluation::select(const Node& node) const {
  const std::vector<LabelledSeries>& all = reads_.of(node);
  if (auto fits = admit(all.size()); !fits) return std::unexpected(std::move(fits.error()));
  Grid out = grid();
  const std::int64_t lookback = limits_.lookback.count();
  for (const LabelledSeries& series : all) {
    const std::vector<LabelledSample>& samples = series.samples;
    const std::size_t at = out.add(series.labels);
    bool any = false;
    std::size_t next = 0;  // behind the last sample that is not after the step
    for (std::size_t step = 0; step < out.steps; ++step) {
      const std::int64_t time = steps_.time(step) - node.offset_ms;
      while (next < samples.size() && samples[next].time_ms <= time) ++next;
      if (next == 0) continue;
      const LabelledSample& sample = samples[next - 1];
      if (sample.time_ms < time - lookback || model::is_stale(sample.value)) continue;
      out.row(at)[step] = sample.value;
      out.has(at)[step] = 1;
      any = true;
    }
    if (!any) out.pop();
  }
  return out;
}

Result<Matrix> Evaluation::subquery(const Node& node) const {
  const auto steps = subquery_steps(node, steps_, limits_);
  if (!steps) return Matrix{};
  if (steps->count() > limits_.subquery_points) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot evaluate a subquery at {} steps: {} are possible; take a "
                                  "longer step or less time",
                                  steps->count(), limits_.subquery_points));
  }
  auto inner = Evaluation(reads_, *steps, limits_).eval(*node.parts[0]);
  if (!inner) return std::unexpected(std::move(inner.error()));
  return matrix_of(inner->grid, *steps);
}

Result<Matrix> Evaluation::matrix(const Node& node) {
  if (node.kind == NodeKind::kSubquery) return subquery(node);
  Matrix matrix;
  const std::int64_t end = steps_.start_ms - node.offset_ms;
  std::vector<LabelledSample> room;
  for (const LabelledSeries& series : reads_.of(node)) {
    Series found{series.labels, {}};
    for (const LabelledSample& sample : without_markers(series.samples, room)) {
      if (sample.time_ms >= end - node.range_ms && sample.time_ms <= end) {
        found.points.push_back(sample);
      }
    }
    if (!found.points.empty()) matrix.push_back(std::move(found));
  }
  sort_by_labels(matrix);
  return matrix;
}

// Fills the last series of `out`; false: it has no value at any step.
Result<bool> Evaluation::over_series(const Node& node, const Node& ranged,
                                     std::span<const LabelledSample> samples,
                                     const Numbers& parameter, Grid& out) const {
  constexpr std::size_t kAskAfter = 1'000'000;  // samples that were looked at
  const std::size_t at = out.size() - 1;
  bool any = false;
  // Of the window: where it begins, and behind what it ends. They move on from step to step.
  const auto place_of = [&](std::int64_t time) {
    const auto at_or_after = std::ranges::lower_bound(samples, time, {}, &LabelledSample::time_ms);
    return static_cast<std::size_t>(at_or_after - samples.begin());
  };
  std::size_t first = place_of(steps_.start_ms - ranged.offset_ms - ranged.range_ms);
  std::size_t end = place_of(steps_.start_ms - ranged.offset_ms);
  std::size_t looked_at = 0;
  for (std::size_t step = 0; step < out.steps; ++step) {
    const std::int64_t time = steps_.time(step) - ranged.offset_ms;
    while (end < samples.size() && samples[end].time_ms <= time) ++end;
    while (first < end && samples[first].time_ms < time - ranged.range_ms) ++first;
    if (first == end) continue;
    looked_at += end - first;
    if (looked_at > kAskAfter) {
      if (auto on = go_on(); !on) return std::unexpected(std::move(on.error()));
      looked_at = 0;
    }
    const MaybeNumber number =
        over_range(node.function, {.samples = samples.subspan(first, end - first),
                                   .begin_ms = time - ranged.range_ms,
                                   .end_ms = time,
                                   .parameter = parameter.empty() ? 0 : parameter[step]});
    if (!number.present) continue;
    out.row(at)[step] = number.value;
    out.has(at)[step] = 1;
    any = true;
  }
  return any;
}

Result<Grid> Evaluation::over_ranges(const Node& node, const Node& ranged,
                                     const Numbers& parameter) const {
  Grid out = grid();
  const bool keeps_name = node.function == Function::kLastOverTime;
  const auto add = [&](const LabelsPtr& labels,
                       std::span<const LabelledSample> samples) -> Result<void> {
    if (auto on = go_on(); !on) return on;
    out.add(labels);
    const auto any = over_series(node, ranged, samples, parameter, out);
    if (!any) return std::unexpected(any.error());
    if (!*any) out.pop();
    return {};
  };
  if (ranged.kind == NodeKind::kSubquery) {
    const auto found = subquery(ranged);
    if (!found) return std::unexpected(found.error());
    if (auto fits = admit(found->size()); !fits) return std::unexpected(std::move(fits.error()));
    for (const Series& series : *found) {
      const LabelsPtr labels = keeps_name ? series.labels : without_name(series.labels);
      if (auto done = add(labels, series.points); !done) {
        return std::unexpected(std::move(done.error()));
      }
    }
    return out;
  }
  const std::vector<LabelledSeries>& all = reads_.of(ranged);
  if (auto fits = admit(all.size()); !fits) return std::unexpected(std::move(fits.error()));
  std::vector<LabelledSample> room;
  for (const LabelledSeries& series : all) {
    const LabelsPtr& labels = keeps_name ? series.labels : reads_.nameless(series.labels);
    if (auto done = add(labels, without_markers(series.samples, room)); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return out;
}

Grid Evaluation::absent(const Node& argument, const Grid& grid) const {
  Grid out = this->grid();
  const std::size_t at = out.add(labels_of_absence(argument));
  for (std::size_t step = 0; step < out.steps; ++step) {
    bool there = false;
    for (std::size_t i = 0; i < grid.size() && !there; ++i) there = grid.has(i)[step] != 0;
    out.row(at)[step] = 1;
    out.has(at)[step] = there ? 0 : 1;
  }
  return out;
}

Result<Operand> Evaluation::call_over_range(const Node& node) {
  const bool has_number = node.function == Function::kQuantileOverTime;
  Numbers parameter;
  if (has_number) {
    auto number = eval(*node.parts[0]);
    if (!number) return number;
    parameter = std::move(number->numbers);
  }
  const Node& ranged = bare(*node.parts[has_number ? 1 : 0]);
  auto found = over_ranges(node, ranged, parameter);
  if (!found) return std::unexpected(std::move(found.error()));
  Operand out{.type = Type::kVector};
  if (node.function == Function::kAbsentOverTime) {
    out.grid = absent(ranged, *found);
    return out;
  }
  if (auto unique = check_unique(*found); !unique) {
    return std::unexpected(std::move(unique.error()));
  }
  out.grid = std::move(*found);
  return out;
}

Result<Grid> Evaluation::map_values(const Node& node, Grid grid,
                                    const std::array<Numbers, 2>& numbers) const {
  const auto value_of = [&](double value, std::size_t step) {
    const auto number = [&](std::size_t i) { return numbers[i][step]; };
    switch (node.function) {
      case Function::kAbs:
        return std::abs(value);
      case Function::kCeil:
        return std::ceil(value);
      case Function::kFloor:
        return std::floor(value);
      case Function::kRound: {
        const double inverse = 1.0 / (node.parts.size() > 1 ? number(0) : 1.0);
        return std::floor(value * inverse + 0.5) / inverse;
      }
      case Function::kClampMin:
        return go_max(number(0), value);
      case Function::kClampMax:
        return go_min(number(0), value);
      default:
        return go_max(number(0), go_min(number(1), value));
    }
  };
  const bool clamps = node.function == Function::kClamp;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    grid.labels[i] = without_name(grid.labels[i]);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (clamps && numbers[1][step] < numbers[0][step]) grid.has(i)[step] = 0;
      if (grid.has(i)[step] != 0) grid.row(i)[step] = value_of(grid.row(i)[step], step);
    }
  }
  if (auto merged = merge_same(grid); !merged) return std::unexpected(std::move(merged.error()));
  return grid;
}

Result<Grid> Evaluation::label_replace(const Node& node, Grid grid) const {
  const std::string& name = bare(*node.parts[1]).string;
  const std::string& replacement = bare(*node.parts[2]).string;
  const std::string& source = bare(*node.parts[3]).string;
  for (LabelsPtr& labels : grid.labels) {
    const auto value = replace(*node.regex, model::label_value(*labels, source), replacement);
    if (!value) continue;
    auto changed = std::make_shared<Labels>(*labels);
    model::set_label(*changed, name, *value);
    labels = std::move(changed);
  }
  if (auto merged = merge_same(grid); !merged) return std::unexpected(std::move(merged.error()));
  return grid;
}

Numbers Evaluation::scalar(const Grid& grid) const {
  Numbers numbers(count(), kNan);
  for (std::size_t step = 0; step < numbers.size(); ++step) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < grid.size(); ++i) {
      if (grid.has(i)[step] != 0 && ++found == 1) numbers[step] = grid.row(i)[step];
    }
    if (found != 1) numbers[step] = kNan;
  }
  return numbers;
}

Result<Operand> Evaluation::call(const Node& node) {
  if (node.function <= Function::kAbsentOverTime) return call_over_range(node);
  Operand out{.type = node.type};
  if (node.function == Function::kTime) {
    constexpr double kMsPerSecond = 1000;
    for (std::size_t step = 0; step < count(); ++step) {
      out.numbers.push_back(static_cast<double>(steps_.time(step)) / kMsPerSecond);
    }
    return out;
  }
  auto first = eval(*node.parts[0]);
  if (!first) return first;
  std::array<Numbers, 2> numbers;
  const bool takes_numbers = node.function != Function::kLabelReplace;
  for (std::size_t i = 1; takes_numbers && i < node.parts.size(); ++i) {
    auto number = eval(*node.parts[i]);
    if (!number) return number;
    numbers[i - 1] = std::move(number->numbers);
  }
  Result<Grid> grid = [&]() -> Result<Grid> {
    switch (node.function) {
      case Function::kAbsent:
        return absent(bare(*node.parts[0]), first->grid);
      case Function::kScalar:
        out.numbers = scalar(first->grid);
        return Grid();
      case Function::kVector: {
        Grid one = this->grid();
        one.add(no_labels());
        one.values = std::move(first->numbers);
        std::ranges::fill(one.present, 1);
        return one;
      }
      case Function::kLabelReplace:
        return label_replace(node, std::move(first->grid));
      default:
        return map_values(node, std::move(first->grid), numbers);
    }
  }();
  if (!grid) return std::unexpected(std::move(grid.error()));
  out.grid = std::move(*grid);
  return out;
}

Result<Operand> Evaluation::sign(const Node& node, Operand inner) const {
  if (node.op == Operator::kAdd) return inner;
  for (double& number : inner.numbers) number = -number;
  if (inner.type == Type::kScalar) return inner;
  for (double& value : inner.grid.values) value = -value;
  for (LabelsPtr& labels : inner.grid.labels) labels = without_name(labels);
  if (auto unique = check_unique(inner.grid); !unique) {
    return std::unexpected(std::move(unique.error()));
  }
  return inner;
}

Result<Operand> Evaluation::eval(const Node& node) {
  switch (node.kind) {
    case NodeKind::kNumber:
      return Operand{.type = Type::kScalar, .numbers = Numbers(count(), node.number)};
    case NodeKind::kString:
      return Operand{.type = Type::kString, .text = node.string};
    case NodeKind::kParen:
      return eval(*node.parts[0]);
    case NodeKind::kCall:
      return call(node);
    case NodeKind::kSelector: {
      auto found = select(node);
      if (!found) return std::unexpected(std::move(found.error()));
      return Operand{.type = Type::kVector, .grid = std::move(*found)};
    }
    case NodeKind::kSubquery:
      break;  // only functions of ranges look into one
    case NodeKind::kSign: {
      auto inner = eval(*node.parts[0]);
      return inner ? sign(node, std::move(*inner)) : std::move(inner);
    }
    case NodeKind::kBinary: {
      auto left = eval(*node.parts[0]);
      if (!left) return left;
      auto right = eval(*node.parts[1]);
      if (!right) return right;
      if (auto fits = admit(left->grid.size() + right->grid.size()); !fits) {
        return std::unexpected(std::move(fits.error()));
      }
      return binary(node, std::move(*left), std::move(*right));
    }
    case NodeKind::kAggregate: {
      auto inner = eval(*node.parts[0]);
      if (!inner) return inner;
      Numbers parameter;
      if (node.parts.size() > 1) {
        auto number = eval(*node.parts[1]);
        if (!number) return number;
        parameter = std::move(number->numbers);
      }
      auto grid = aggregate(node, inner->grid, parameter);
      if (!grid) return std::unexpected(std::move(grid.error()));
      return Operand{.type = Type::kVector, .grid = std::move(*grid)};
    }
  }
  return Operand{};
}

Vector vector_of(const Grid& grid) {
  Vector vector;
  vector.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (grid.has(i)[0] != 0) vector.push_back({grid.labels[i], grid.row(i)[0]});
  }
  return vector;
}

}  // namespace

class Querier::Impl {
 public:
  Impl(const model::LabelledSeriesReader& reader, const Steps& steps, Limits limits)
      : steps_(steps), limits_(std::move(limits)), reads_(reader, limits_) {}

  Result<void> check() const {
    if (steps_.step_ms <= 0) {
      return base::fail(ErrorKind::kInvalidArgument,
                        "cannot evaluate at steps of no length: zero or negative query resolution "
                        "step widths are not accepted");
    }
    if (steps_.end_ms < steps_.start_ms) {
      return base::fail(ErrorKind::kInvalidArgument,
                        "cannot evaluate a range that ends before it begins");
    }
    if (steps_.count() > limits_.points) {
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot evaluate at {} steps: exceeded maximum resolution of "
                                    "{} points per timeseries; take a longer step",
                                    steps_.count(), limits_.points));
    }
    return limits_.go_on ? limits_.go_on() : Result<void>{};
  }

  Result<void> read(std::span<const Expression> expressions) {
    if (auto fine = check(); !fine) return fine;
    Reads::Wanted wanted;
    for (const Expression& expression : expressions) {
      reads_.want(expression.root(), steps_, wanted);
    }
    return reads_.fetch(wanted);
  }

  Result<Operand> evaluate(const Expression& expression) {
    if (auto done = read({&expression, 1}); !done) return std::unexpected(std::move(done.error()));
    return Evaluation(reads_, steps_, limits_).eval(expression.root());
  }

  Result<Matrix> matrix(const Expression& expression) {
    if (auto done = read({&expression, 1}); !done) return std::unexpected(std::move(done.error()));
    return Evaluation(reads_, steps_, limits_).matrix(bare(expression.root()));
  }

  const Steps& steps() const { return steps_; }

 private:
  const Steps steps_;
  const Limits limits_;
  Reads reads_;
};

Querier::Querier(const model::LabelledSeriesReader& reader, std::int64_t time_ms, Limits limits)
    : Querier(reader, Steps{time_ms, time_ms, 1}, std::move(limits)) {}
Querier::Querier(const model::LabelledSeriesReader& reader, const Steps& steps, Limits limits)
    : impl_(std::make_unique<Impl>(reader, steps, std::move(limits))) {}
Querier::~Querier() = default;
Querier::Querier(Querier&&) noexcept = default;

Result<void> Querier::read(std::span<const Expression> expressions) {
  return impl_->read(expressions);
}

Result<Value> Querier::instant(const Expression& expression) {
  if (expression.type() == Type::kMatrix) {
    auto matrix = impl_->matrix(expression);
    if (!matrix) return std::unexpected(std::move(matrix.error()));
    return Value(std::move(*matrix));
  }
  auto found = impl_->evaluate(expression);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->type == Type::kScalar) return Value(found->numbers[0]);
  if (found->type == Type::kString) return Value(std::move(found->text));
  return Value(vector_of(found->grid));
}

Result<Vector> Querier::vector(const Expression& expression) {
  if (expression.type() == Type::kString || expression.type() == Type::kMatrix) {
    return base::fail(
        ErrorKind::kInvalidArgument,
        fmt::format("cannot take a {} for an instant vector", long_type_name(expression.type())));
  }
  auto found = impl_->evaluate(expression);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->type == Type::kScalar) return Vector{{no_labels(), found->numbers[0]}};
  return vector_of(found->grid);
}

Result<Matrix> Querier::range(const Expression& expression) {
  if (expression.type() != Type::kScalar && expression.type() != Type::kVector) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot evaluate a {} at the steps of a range: it must be a "
                                  "scalar or an instant vector",
                                  long_type_name(expression.type())));
  }
  auto found = impl_->evaluate(expression);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->type == Type::kVector) return matrix_of(found->grid, impl_->steps());
  Series series{no_labels(), {}};
  for (std::size_t step = 0; step < found->numbers.size(); ++step) {
    series.points.push_back({impl_->steps().time(step), found->numbers[step]});
  }
  return Matrix{std::move(series)};
}

Result<Value> instant(const model::LabelledSeriesReader& reader, const Expression& expression,
                      std::int64_t time_ms, const Limits& limits) {
  return Querier(reader, time_ms, limits).instant(expression);
}

Result<Matrix> range(const model::LabelledSeriesReader& reader, const Expression& expression,
                     const Steps& steps, const Limits& limits) {
  return Querier(reader, steps, limits).range(expression);
}

}  // namespace gpuscope::query

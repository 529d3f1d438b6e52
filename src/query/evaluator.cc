// From nodes to values: every node at all steps at once.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "model/labels.h"
#include "query/grid.h"
#include "query/matcher.h"
#include "query/query.h"

namespace gpuscope::query {
namespace {

using base::ErrorKind;
using base::Result;
using model::LabelledSample;
using model::LabelledSeries;
using model::SeriesRequest;

std::unexpected<base::Error> too_many_samples(std::size_t most) {
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot evaluate the expression: it would hold more than {} "
                                "samples at a time; ask for fewer series or less time",
                                most));
}

// Whether the samples of the one request answer the other, too.
bool covers(const SeriesRequest& have, const SeriesRequest& need) {
  if (have.begin_ms > need.begin_ms || have.end_ms < need.end_ms) return false;
  return have.step_ms == 0 || (have.step_ms == need.step_ms && have.end_ms == need.end_ms &&
                               have.steps_from_ms == need.steps_from_ms);
}

SeriesRequest join(SeriesRequest left, const SeriesRequest& right) {
  const bool alike = left.step_ms == right.step_ms && left.steps_from_ms == right.steps_from_ms &&
                     left.end_ms == right.end_ms;
  if (!alike) left.step_ms = left.steps_from_ms = 0;
  left.begin_ms = std::min(left.begin_ms, right.begin_ms);
  left.end_ms = std::max(left.end_ms, right.end_ms);
  return left;
}

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

}  // namespace

class Querier::Impl {
 public:
  Impl(const model::LabelledSeriesReader& reader, const Steps& steps, Limits limits)
      : reader_(reader), steps_(steps), limits_(std::move(limits)) {}

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
    return go_on();
  }

  Result<void> read(std::span<const Expression> expressions) {
    Wanted wanted;
    for (const Expression& expression : expressions) collect(expression.root(), wanted);
    return fetch(wanted);
  }

  Result<Operand> evaluate(const Expression& expression) {
    if (auto fine = check(); !fine) return std::unexpected(std::move(fine.error()));
    Wanted wanted;
    collect(expression.root(), wanted);
    if (auto done = fetch(wanted); !done) return std::unexpected(std::move(done.error()));
    return eval(expression.root());
  }

  // Of a range selector, at the instant.
  Result<Matrix> samples_of(const Node& node) {
    Matrix matrix;
    for (const LabelledSeries& series : series_of(node)) {
      const auto clean = without_markers(series.samples);
      const std::int64_t end = steps_.start_ms - node.offset_ms;
      Series found{series.labels, {}};
      for (const LabelledSample& sample : clean) {
        if (sample.time_ms >= end - node.range_ms && sample.time_ms <= end) {
          found.points.push_back(sample);
        }
      }
      if (!found.points.empty()) matrix.push_back(std::move(found));
    }
    std::ranges::sort(matrix,
                      [](const Series& a, const Series& b) { return *a.labels < *b.labels; });
    return matrix;
  }

  const Steps& steps() const { return steps_; }

 private:
  struct Read {
    SeriesRequest request;
    std::vector<LabelledSeries> series;
  };
  using Wanted = std::map<std::string, SeriesRequest>;

  Result<void> go_on() const { return limits_.go_on ? limits_.go_on() : Result<void>{}; }
  std::size_t count() const { return steps_.count(); }
  Grid grid() const { return Grid(count()); }

  SeriesRequest request_of(const Node& node) const {
    const std::int64_t first = steps_.start_ms - node.offset_ms;
    const std::int64_t last = steps_.time(count() - 1) - node.offset_ms;
    SeriesRequest request{.matchers = node.matchers, .begin_ms = first, .end_ms = last};
    if (node.range_ms != 0) {
      request.begin_ms -= node.range_ms;
    } else {
      request.begin_ms -= limits_.lookback.count();
      request.step_ms = steps_.step_ms;
      request.steps_from_ms = first;
    }
    return request;
  }

  void collect(const Node& node, Wanted& wanted) const {
    if (node.kind == NodeKind::kSelector) {
      const SeriesRequest request = request_of(node);
      const auto have = reads_.find(node.matchers_text);
      if (have != reads_.end() && covers(have->second.request, request)) return;
      const auto at = wanted.find(node.matchers_text);
      if (at == wanted.end()) {
        wanted.emplace(node.matchers_text, request);
      } else {
        at->second = join(std::move(at->second), request);
      }
    }
    for (const NodePtr& part : node.parts) collect(*part, wanted);
  }

  Result<void> fetch(const Wanted& wanted) {
    if (wanted.empty()) return {};
    std::vector<SeriesRequest> requests;
    requests.reserve(wanted.size());
    for (const auto& [text, request] : wanted) requests.push_back(request);
    const std::size_t left = limits_.samples - std::min(held_, limits_.samples);
    auto answers = reader_.read(requests, {.samples = left, .go_on = limits_.go_on});
    if (!answers) return std::unexpected(std::move(answers.error()));
    if (answers->size() != requests.size()) {
      return base::fail(ErrorKind::kInternal, "cannot evaluate the expression: series are missing");
    }
    std::size_t i = 0;
    for (const auto& [text, request] : wanted) {
      std::erase_if((*answers)[i],
                    [](const LabelledSeries& series) { return series.samples.empty(); });
      for (const LabelledSeries& series : (*answers)[i]) held_ += series.samples.size();
      reads_[text] = {request, std::move((*answers)[i])};
      ++i;
    }
    return held_ <= limits_.samples ? Result<void>{} : too_many_samples(limits_.samples);
  }

  const std::vector<LabelledSeries>& series_of(const Node& node) const {
    return reads_.at(node.matchers_text).series;
  }

  static std::vector<LabelledSample> without_markers(const std::vector<LabelledSample>& samples) {
    std::vector<LabelledSample> clean;
    clean.reserve(samples.size());
    std::ranges::copy_if(samples, std::back_inserter(clean), [](const LabelledSample& sample) {
      return !model::is_stale(sample.value);
    });
    return clean;
  }

  // Whether there is room for as many series, and nobody wants to end this.
  Result<void> admit(std::size_t series) const {
    if (auto on = go_on(); !on) return on;
    if (series > limits_.samples / count()) return too_many_samples(limits_.samples);
    return {};
  }

  Result<Operand> eval(const Node& node);
  Result<Grid> select(const Node& node) const;
  Result<Operand> sign(const Node& node, Operand inner) const;
  Result<Operand> call(const Node& node);
  Result<Operand> call_over_range(const Node& node);
  Result<Grid> over_ranges(const Node& node, const Node& selector, const Numbers& parameter) const;
  Grid absent(const Node& argument, const Grid& grid) const;
  Result<Grid> label_replace(const Node& node, Grid grid) const;
  Result<Grid> map_values(const Node& node, Grid grid, const std::array<Numbers, 2>& numbers) const;
  Numbers scalar(const Grid& grid) const;

  const model::LabelledSeriesReader& reader_;
  const Steps steps_;
  const Limits limits_;
  std::map<std::string, Read> reads_{};  // by the text of the matchers
  std::size_t held_ = 0;                 // samples in reads_, and in those that were replaced
};

Result<Grid> Querier::Impl::select(const Node& node) const {
  const std::vector<LabelledSeries>& all = series_of(node);
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

Result<Grid> Querier::Impl::over_ranges(const Node& node, const Node& selector,
                                        const Numbers& parameter) const {
  const std::vector<LabelledSeries>& all = series_of(selector);
  if (auto fits = admit(all.size()); !fits) return std::unexpected(std::move(fits.error()));
  Grid out = grid();
  for (const LabelledSeries& series : all) {
    if (auto on = go_on(); !on) return std::unexpected(std::move(on.error()));
    const auto clean = without_markers(series.samples);
    const bool keeps_name = node.function == Function::kLastOverTime;
    const std::size_t at = out.add(keeps_name ? series.labels : without_name(series.labels));
    bool any = false;
    std::size_t first = 0;
    std::size_t end = 0;
    for (std::size_t step = 0; step < out.steps; ++step) {
      const std::int64_t time = steps_.time(step) - selector.offset_ms;
      while (end < clean.size() && clean[end].time_ms <= time) ++end;
      while (first < end && clean[first].time_ms < time - selector.range_ms) ++first;
      if (first == end) continue;
      const MaybeNumber number =
          over_range(node.function, {.samples = std::span(clean).subspan(first, end - first),
                                     .begin_ms = time - selector.range_ms,
                                     .end_ms = time,
                                     .parameter = parameter.empty() ? 0 : parameter[step]});
      if (!number.present) continue;
      out.row(at)[step] = number.value;
      out.has(at)[step] = 1;
      any = true;
    }
    if (!any) out.pop();
  }
  return out;
}

Grid Querier::Impl::absent(const Node& argument, const Grid& grid) const {
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

Result<Operand> Querier::Impl::call_over_range(const Node& node) {
  const bool has_number = node.function == Function::kQuantileOverTime;
  Numbers parameter;
  if (has_number) {
    auto number = eval(*node.parts[0]);
    if (!number) return number;
    parameter = std::move(number->numbers);
  }
  const Node& selector = bare(*node.parts[has_number ? 1 : 0]);
  auto found = over_ranges(node, selector, parameter);
  if (!found) return std::unexpected(std::move(found.error()));
  Operand out{.type = Type::kVector};
  if (node.function == Function::kAbsentOverTime) {
    out.grid = absent(selector, *found);
    return out;
  }
  if (auto unique = check_unique(*found); !unique) {
    return std::unexpected(std::move(unique.error()));
  }
  out.grid = std::move(*found);
  return out;
}

Result<Grid> Querier::Impl::map_values(const Node& node, Grid grid,
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

Result<Grid> Querier::Impl::label_replace(const Node& node, Grid grid) const {
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

Numbers Querier::Impl::scalar(const Grid& grid) const {
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

Result<Operand> Querier::Impl::call(const Node& node) {
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

Result<Operand> Querier::Impl::sign(const Node& node, Operand inner) const {
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

Result<Operand> Querier::Impl::eval(const Node& node) {
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

namespace {

Vector vector_of(const Grid& grid) {
  Vector vector;
  vector.reserve(grid.size());
  for (std::size_t i = 0; i < grid.size(); ++i) {
    if (grid.has(i)[0] != 0) vector.push_back({grid.labels[i], grid.row(i)[0]});
  }
  return vector;
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
  std::ranges::sort(matrix, [](const Series& a, const Series& b) { return *a.labels < *b.labels; });
  return matrix;
}

}  // namespace

Querier::Querier(const model::LabelledSeriesReader& reader, std::int64_t time_ms, Limits limits)
    : Querier(reader, Steps{time_ms, time_ms, 1}, std::move(limits)) {}
Querier::Querier(const model::LabelledSeriesReader& reader, const Steps& steps, Limits limits)
    : impl_(std::make_unique<Impl>(reader, steps, std::move(limits))) {}
Querier::~Querier() = default;
Querier::Querier(Querier&&) noexcept = default;

Result<void> Querier::read(std::span<const Expression> expressions) {
  if (auto fine = impl_->check(); !fine) return fine;
  return impl_->read(expressions);
}

Result<Value> Querier::instant(const Expression& expression) {
  const Node& root = bare(expression.root());
  if (root.type == Type::kMatrix) {
    if (auto read = this->read({&expression, 1}); !read) return std::unexpected(read.error());
    auto matrix = impl_->samples_of(root);
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

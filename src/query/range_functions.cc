// Functions of a range of one series, as Prometheus 2.42 computes them: the same sums in the same
// order, so that what rounds, rounds alike.
#include <algorithm>
#include <cmath>
#include <limits>

#include "query/grid.h"

namespace gpuscope::query {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kMsPerSecond = 1000;
// How far beyond the mean distance of samples the end of a range may be to be reached.
constexpr double kExtrapolation = 1.1;

using Samples = std::span<const model::LabelledSample>;

// A sum with what was lost to rounding: Neumaier's.
struct KahanSum {
  double sum = 0;
  double lost = 0;

  void add(double value) {
    const double total = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - total) + value : (value - total) + sum;
    sum = total;
  }
  double total() const { return sum + lost; }
};

double sum_of(Samples samples) {
  KahanSum sum;
  for (const auto& sample : samples) sum.add(sample.value);
  return std::isinf(sum.sum) ? sum.sum : sum.total();
}

double mean_of(Samples samples) {
  KahanSum mean;
  double count = 0;
  for (const auto& sample : samples) {
    ++count;
    if (std::isinf(mean.sum)) {
      if (std::isinf(sample.value) && (mean.sum > 0) == (sample.value > 0)) continue;
      if (std::isfinite(sample.value)) continue;
    }
    mean.add(sample.value / count - mean.sum / count);
  }
  return std::isinf(mean.sum) ? mean.sum : mean.total();
}

double stddev_of(Samples samples) {
  KahanSum mean;
  KahanSum squares;
  double count = 0;
  for (const auto& sample : samples) {
    ++count;
    const double delta = sample.value - mean.total();
    mean.add(delta / count);
    squares.add(delta * (sample.value - mean.total()));
  }
  return std::sqrt(squares.total() / count);
}

double extreme_of(Samples samples, bool greatest) {
  double extreme = samples.front().value;
  for (const auto& sample : samples) {
    const bool further = greatest ? sample.value > extreme : sample.value < extreme;
    if (further || std::isnan(extreme)) extreme = sample.value;
  }
  return extreme;
}

// rate, increase and delta: what was seen, carried on to the ends of the range where samples are
// near enough to them, and never below 0 for a counter.
MaybeNumber extrapolated(const Window& window, bool counter, bool per_second) {
  const Samples samples = window.samples;
  if (samples.size() < 2) return {};
  double result = samples.back().value - samples.front().value;
  if (counter) {
    double before = samples.front().value;
    for (const auto& sample : samples.subspan(1)) {
      if (sample.value < before) result += before;
      before = sample.value;
    }
  }
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / kMsPerSecond; };
  double to_start = seconds(samples.front().time_ms - window.begin_ms);
  const double to_end = seconds(window.end_ms - samples.back().time_ms);
  const double sampled = seconds(samples.back().time_ms - samples.front().time_ms);
  const double mean_distance = sampled / static_cast<double>(samples.size() - 1);
  if (counter && result > 0 && samples.front().value >= 0) {
    const double to_zero = sampled * (samples.front().value / result);
    if (to_zero < to_start) to_start = to_zero;  // which it is not where it is no number
  }
  const double threshold = mean_distance * kExtrapolation;
  double interval = sampled;
  interval += to_start < threshold ? to_start : mean_distance / 2;
  interval += to_end < threshold ? to_end : mean_distance / 2;
  double factor = interval / sampled;
  if (per_second) factor /= seconds(window.end_ms - window.begin_ms);
  return {true, result * factor};
}

MaybeNumber irate(Samples samples) {
  if (samples.size() < 2) return {};
  const auto& last = samples.back();
  const auto& before = samples[samples.size() - 2];
  const double rise = last.value < before.value ? last.value : last.value - before.value;
  return {true, rise / (static_cast<double>(last.time_ms - before.time_ms) / kMsPerSecond)};
}

// The slope of the line of least squares.
MaybeNumber deriv(Samples samples) {
  if (samples.size() < 2) return {};
  const double first = samples.front().value;
  if (std::ranges::all_of(samples, [&](const auto& sample) { return sample.value == first; })) {
    return {true, std::isinf(first) ? kNan : 0};
  }
  KahanSum x_sum;
  KahanSum y_sum;
  KahanSum xy_sum;
  KahanSum xx_sum;
  for (const auto& sample : samples) {
    const double x = static_cast<double>(sample.time_ms - samples.front().time_ms) / kMsPerSecond;
    x_sum.add(x);
    y_sum.add(sample.value);
    xy_sum.add(x * sample.value);
    xx_sum.add(x * x);
  }
  const auto count = static_cast<double>(samples.size());
  const double covariance = xy_sum.total() - x_sum.total() * y_sum.total() / count;
  const double variance = xx_sum.total() - x_sum.total() * x_sum.total() / count;
  return {true, covariance / variance};
}

// How often `differs` holds of two that follow each other.
template <typename Differs>
double count_steps(Samples samples, Differs differs) {
  std::size_t count = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (differs(samples[i - 1].value, samples[i].value)) ++count;
  }
  return static_cast<double>(count);
}

double quantile_of(const Window& window) {
  std::vector<double> values;
  values.reserve(window.samples.size());
  for (const auto& sample : window.samples) values.push_back(sample.value);
  return quantile(window.parameter, values);
}

}  // namespace

double go_max(double left, double right) {
  if (left == kInf || right == kInf) return kInf;
  if (std::isnan(left) || std::isnan(right)) return kNan;
  if (left == 0 && right == 0) return std::signbit(left) ? right : left;
  return left > right ? left : right;
}

double go_min(double left, double right) {
  if (left == -kInf || right == -kInf) return -kInf;
  if (std::isnan(left) || std::isnan(right)) return kNan;
  if (left == 0 && right == 0) return std::signbit(left) ? left : right;
  return left < right ? left : right;
}

double quantile(double share, std::vector<double>& values) {
  if (values.empty() || std::isnan(share)) return kNan;
  if (share < 0) return -kInf;
  if (share > 1) return kInf;
  // What is no number comes first.
  const auto numbers =
      std::partition(values.begin(), values.end(), [](double value) { return std::isnan(value); });
  std::sort(numbers, values.end());
  const auto count = static_cast<double>(values.size());
  const double rank = share * (count - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(count - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

MaybeNumber over_range(Function function, const Window& window) {
  const Samples samples = window.samples;
  switch (function) {
    case Function::kRate:
      return extrapolated(window, true, true);
    case Function::kIncrease:
      return extrapolated(window, true, false);
    case Function::kDelta:
      return extrapolated(window, false, false);
    case Function::kIrate:
      return irate(samples);
    case Function::kDeriv:
      return deriv(samples);
    case Function::kChanges:
      return {true, count_steps(samples, [](double before, double now) {
                return now != before && !(std::isnan(now) && std::isnan(before));
              })};
    case Function::kResets:
      return {true, count_steps(samples, [](double before, double now) { return now < before; })};
    case Function::kAvgOverTime:
      return {true, mean_of(samples)};
    case Function::kMinOverTime:
      return {true, extreme_of(samples, false)};
    case Function::kMaxOverTime:
      return {true, extreme_of(samples, true)};
    case Function::kSumOverTime:
      return {true, sum_of(samples)};
    case Function::kCountOverTime:
      return {true, static_cast<double>(samples.size())};
    case Function::kLastOverTime:
      return {true, samples.back().value};
    case Function::kStddevOverTime:
      return {true, stddev_of(samples)};
    case Function::kQuantileOverTime:
      return {true, quantile_of(window)};
    case Function::kAbsentOverTime:
      return {true, 1};
    default:
      return {};
  }
}

}  // namespace gpuscope::query

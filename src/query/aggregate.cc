// Aggregations over the series of a vector, as Prometheus 2.42 computes them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "query/grid.h"

namespace gpuscope::query {
namespace {

using base::Result;

// The greatest and smallest double that Prometheus takes for a number of series.
constexpr double kMostCount = 9223372036854774784.0;

struct Group {
  LabelsPtr labels;
  std::vector<std::size_t> members;  // series of the grid, in its order
};

std::vector<Group> groups_of(const Node& node, const Grid& grid) {
  Signatures signatures(!node.without, node.grouping);
  const std::vector<std::size_t> numbers = signatures.of(grid);
  std::vector<Group> groups(signatures.count());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Group& group = groups[numbers[i]];
    if (group.members.empty()) {
      group.labels = node.without ? drop_labels(*grid.labels[i], node.grouping)
                                  : keep_labels(*grid.labels[i], node.grouping);
    }
    group.members.push_back(i);
  }
  return groups;
}

double mean(const std::vector<double>& values) {
  double mean = values.front();
  for (std::size_t i = 1; i < values.size(); ++i) {
    const auto count = static_cast<double>(i + 1);
    if (std::isinf(mean)) {
      if (std::isinf(values[i]) && (mean > 0) == (values[i] > 0)) continue;
      if (std::isfinite(values[i])) continue;
    }
    mean += values[i] / count - mean / count;
  }
  return mean;
}

double stddev(const std::vector<double>& values) {
  double mean = values.front();
  double squares = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double delta = values[i] - mean;
    mean += delta / static_cast<double>(i + 1);
    squares += delta * (values[i] - mean);
  }
  return std::sqrt(squares / static_cast<double>(values.size()));
}

double extreme(const std::vector<double>& values, bool greatest) {
  double extreme = values.front();
  for (const double value : values) {
    if ((greatest ? extreme < value : extreme > value) || std::isnan(extreme)) extreme = value;
  }
  return extreme;
}

// `values` is not empty.
double combine(Aggregator aggregator, std::vector<double>& values, double parameter) {
  switch (aggregator) {
    case Aggregator::kSum:
      return std::accumulate(values.begin() + 1, values.end(), values.front());
    case Aggregator::kAvg:
      return mean(values);
    case Aggregator::kMin:
      return extreme(values, false);
    case Aggregator::kMax:
      return extreme(values, true);
    case Aggregator::kCount:
      return static_cast<double>(values.size());
    case Aggregator::kStddev:
      return stddev(values);
    default:
      return quantile(parameter, values);
  }
}

Grid combined(const Node& node, const Grid& grid, const Numbers& parameter) {
  Grid out(grid.steps);
  std::vector<double> values;
  for (const Group& group : groups_of(node, grid)) {
    const std::size_t at = out.add(group.labels);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      values.clear();
      for (const std::size_t member : group.members) {
        if (grid.has(member)[step] != 0) values.push_back(grid.row(member)[step]);
      }
      if (values.empty()) continue;
      out.row(at)[step] =
          combine(node.aggregator, values, node.parts.size() > 1 ? parameter[step] : 0);
      out.has(at)[step] = 1;
    }
  }
  return out;
}

// The series of a group that have the greatest or smallest values at a step, in order of those; of
// equal values the earlier series.
class Picker {
 public:
  Picker(const Grid& grid, bool greatest) : grid_(grid), greatest_(greatest) {}

  const std::vector<std::size_t>& pick(const Group& group, std::size_t step, std::size_t most) {
    picked_.clear();
    for (const std::size_t member : group.members) {
      if (grid_.has(member)[step] != 0) picked_.push_back(member);
    }
    std::ranges::sort(picked_, [&](std::size_t left, std::size_t right) {
      const double a = grid_.row(left)[step];
      const double b = grid_.row(right)[step];
      if (std::isnan(a) != std::isnan(b)) return std::isnan(b);
      if (std::isnan(a) || a == b) return left < right;
      return greatest_ ? a > b : a < b;
    });
    if (picked_.size() > most) picked_.resize(most);
    return picked_;
  }

 private:
  const Grid& grid_;
  const bool greatest_;
  std::vector<std::size_t> picked_{};
};

// 0 where the number is below 1.
Result<std::size_t> count_of(double parameter) {
  if (!(parameter <= kMostCount && parameter >= -kMostCount)) {
    return base::fail(
        base::ErrorKind::kInvalidArgument,
        fmt::format("cannot evaluate the expression: scalar value {} overflows int64", parameter));
  }
  return parameter < 1 ? 0 : static_cast<std::size_t>(parameter);
}

Result<Grid> picked(const Node& node, const Grid& grid, const Numbers& parameter) {
  Grid out = grid;
  std::ranges::fill(out.present, 0);
  Picker picker(grid, node.aggregator == Aggregator::kTopk);
  std::vector<std::size_t> order;
  for (const Group& group : groups_of(node, grid)) {
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const auto most = count_of(parameter[step]);
      if (!most) return std::unexpected(most.error());
      if (*most == 0) continue;
      for (const std::size_t member : picker.pick(group, step, *most)) {
        out.has(member)[step] = 1;
        if (grid.steps == 1) order.push_back(member);
      }
    }
  }
  if (grid.steps > 1) return out;
  // At one instant the order tells something.
  Grid sorted(1);
  for (const std::size_t member : order) {
    const std::size_t at = sorted.add(out.labels[member]);
    *sorted.row(at) = *out.row(member);
    *sorted.has(at) = 1;
  }
  return sorted;
}

}  // namespace

Result<Grid> aggregate(const Node& node, const Grid& grid, const Numbers& parameter) {
  if (node.aggregator == Aggregator::kTopk || node.aggregator == Aggregator::kBottomk) {
    return picked(node, grid, parameter);
  }
  return combined(node, grid, parameter);
}

}  // namespace gpuscope::query

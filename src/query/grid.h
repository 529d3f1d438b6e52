// Vectors at all steps of an evaluation: for query/ alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/labelled_series.h"
#include "model/labels.h"
#include "query/node.h"

namespace gpuscope::query {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Numbers = std::vector<double>;  // a number at each step

// Series with a place for each step, which has a value or none.
struct Grid {
  explicit Grid(std::size_t step_count = 0) : steps(step_count) {}

  std::size_t size() const { return labels.size(); }
  double* row(std::size_t series) { return values.data() + series * steps; }
  const double* row(std::size_t series) const { return values.data() + series * steps; }
  std::uint8_t* has(std::size_t series) { return present.data() + series * steps; }
  const std::uint8_t* has(std::size_t series) const { return present.data() + series * steps; }
  // A series without any value; returns its place.
  std::size_t add(LabelsPtr of);
  // Takes the last series away again.
  void pop();

  std::size_t steps;
  std::vector<LabelsPtr> labels;
  std::vector<double> values;         // by series, then step
  std::vector<std::uint8_t> present;  // the same
};

// What evaluating a node gives; the matrix of a range selector is none of it.
struct Operand {
  Type type = Type::kScalar;
  Numbers numbers{};   // of a scalar
  std::string text{};  // of a string
  Grid grid{};         // of a vector
};

struct LabelsHash {
  std::size_t operator()(const Labels* labels) const;
};
struct LabelsEqual {
  bool operator()(const Labels* left, const Labels* right) const { return *left == *right; }
};
using LabelsMap = std::unordered_map<const Labels*, std::size_t, LabelsHash, LabelsEqual>;

LabelsPtr no_labels();
LabelsPtr without_name(const LabelsPtr& labels);
// The labels of these names, or those of all others but `__name__`; `names` sorted.
LabelsPtr keep_labels(const Labels& labels, const std::vector<std::string>& names);
LabelsPtr drop_labels(const Labels& labels, const std::vector<std::string>& names);

// Numbers the series by what these labels are in them: equal ones have the same. `on`: these labels
// alone; else all but these and `__name__`. `known` goes on counting from grid to grid.
class Signatures {
 public:
  Signatures(bool on, const std::vector<std::string>& names) : on_(on), names_(names) {}
  std::vector<std::size_t> of(const Grid& grid);
  std::size_t count() const { return known_.size(); }

 private:
  bool on_;
  const std::vector<std::string>& names_;
  std::unordered_map<std::string, std::size_t> known_{};
  std::string key_{};
};

// As Prometheus has it after an operation: series with the same labels become one; that two of them
// have a value at the same step is an error.
base::Result<void> merge_same(Grid& grid);
// As it has it after functions of ranges and a sign: no two series have the same labels at all.
base::Result<void> check_unique(const Grid& grid);

base::Result<Operand> binary(const Node& node, Operand left, Operand right);
base::Result<Grid> aggregate(const Node& node, const Grid& grid, const Numbers& parameter);

// The value of a function of a range, over its samples in order of time (none of them a marker);
// none: the series has none there.
struct Window {
  std::span<const model::LabelledSample> samples{};  // not empty
  std::int64_t begin_ms = 0;                         // of the range
  std::int64_t end_ms = 0;
  double parameter = 0;  // of quantile_over_time
};
struct MaybeNumber {
  bool present = false;
  double value = 0;
};
MaybeNumber over_range(Function function, const Window& window);

// Prometheus's quantile; reorders what it is given.
double quantile(double share, std::vector<double>& values);
// Go's, which C's differ from where a number is none.
double go_max(double left, double right);
double go_min(double left, double right);

}  // namespace gpuscope::query

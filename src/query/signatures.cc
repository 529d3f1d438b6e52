#include "query/signatures.h"

#include <algorithm>
#include <utility>

namespace gpuscope::query {
namespace {

using enum Function;
constexpr Type kNum = Type::kScalar;
constexpr Type kVec = Type::kVector;
constexpr Type kMat = Type::kMatrix;
constexpr Type kStr = Type::kString;

constexpr std::array kFunctions{
    Signature{"abs", kAbs, {kVec}, 1, 1},
    Signature{"absent", kAbsent, {kVec}, 1, 1},
    Signature{"absent_over_time", kAbsentOverTime, {kMat}, 1, 1},
    Signature{"avg_over_time", kAvgOverTime, {kMat}, 1, 1},
    Signature{"ceil", kCeil, {kVec}, 1, 1},
    Signature{"changes", kChanges, {kMat}, 1, 1},
    Signature{"clamp", kClamp, {kVec, kNum, kNum}, 3, 3},
    Signature{"clamp_max", kClampMax, {kVec, kNum}, 2, 2},
    Signature{"clamp_min", kClampMin, {kVec, kNum}, 2, 2},
    Signature{"count_over_time", kCountOverTime, {kMat}, 1, 1},
    Signature{"delta", kDelta, {kMat}, 1, 1},
    Signature{"deriv", kDeriv, {kMat}, 1, 1},
    Signature{"floor", kFloor, {kVec}, 1, 1},
    Signature{"increase", kIncrease, {kMat}, 1, 1},
    Signature{"irate", kIrate, {kMat}, 1, 1},
    Signature{"label_replace", kLabelReplace, {kVec, kStr, kStr, kStr, kStr}, 5, 5},
    Signature{"last_over_time", kLastOverTime, {kMat}, 1, 1},
    Signature{"max_over_time", kMaxOverTime, {kMat}, 1, 1},
    Signature{"min_over_time", kMinOverTime, {kMat}, 1, 1},
    Signature{"quantile_over_time", kQuantileOverTime, {kNum, kMat}, 2, 2},
    Signature{"rate", kRate, {kMat}, 1, 1},
    Signature{"resets", kResets, {kMat}, 1, 1},
    Signature{"round", kRound, {kVec, kNum}, 2, 1},
    Signature{"scalar", kScalar, {kVec}, 1, 1},
    Signature{"stddev_over_time", kStddevOverTime, {kMat}, 1, 1},
    Signature{"sum_over_time", kSumOverTime, {kMat}, 1, 1},
    Signature{"time", kTime, {}, 0, 0},
    Signature{"vector", kVector, {kNum}, 1, 1},
};

// Of Prometheus 2.42.
constexpr std::array<std::string_view, 46> kElsewhere{"acos",
                                                      "acosh",
                                                      "asin",
                                                      "asinh",
                                                      "atan",
                                                      "atan2",
                                                      "atanh",
                                                      "cos",
                                                      "cosh",
                                                      "count_values",
                                                      "day_of_month",
                                                      "day_of_week",
                                                      "day_of_year",
                                                      "days_in_month",
                                                      "deg",
                                                      "exp",
                                                      "group",
                                                      "histogram_count",
                                                      "histogram_fraction",
                                                      "histogram_quantile",
                                                      "histogram_sum",
                                                      "holt_winters",
                                                      "hour",
                                                      "idelta",
                                                      "label_join",
                                                      "ln",
                                                      "log10",
                                                      "log2",
                                                      "minute",
                                                      "month",
                                                      "pi",
                                                      "predict_linear",
                                                      "present_over_time",
                                                      "rad",
                                                      "sgn",
                                                      "sin",
                                                      "sinh",
                                                      "sort",
                                                      "sort_desc",
                                                      "sqrt",
                                                      "stdvar",
                                                      "stdvar_over_time",
                                                      "tan",
                                                      "tanh",
                                                      "timestamp",
                                                      "year"};

constexpr std::array<std::pair<std::string_view, Aggregator>, 9> kAggregators{{
    {"sum", Aggregator::kSum},
    {"avg", Aggregator::kAvg},
    {"min", Aggregator::kMin},
    {"max", Aggregator::kMax},
    {"count", Aggregator::kCount},
    {"stddev", Aggregator::kStddev},
    {"quantile", Aggregator::kQuantile},
    {"topk", Aggregator::kTopk},
    {"bottomk", Aggregator::kBottomk},
}};

}  // namespace

const Signature* find_function(std::string_view name) {
  const auto* const found = std::ranges::find(kFunctions, name, &Signature::name);
  return found == kFunctions.end() ? nullptr : found;
}

bool is_elsewhere(std::string_view name) {
  return std::ranges::find(kElsewhere, name) != kElsewhere.end();
}

std::optional<Aggregator> find_aggregator(std::string_view lower) {
  for (const auto& [name, aggregator] : kAggregators) {
    if (name == lower) return aggregator;
  }
  return std::nullopt;
}

}  // namespace gpuscope::query

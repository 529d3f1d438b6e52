// What an expression is made of: for query/ alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/labelled_series.h"
#include "query/query.h"

namespace re2 {
class RE2;
}

namespace gpuscope::query {

enum class Operator : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMod,
  kPow,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kUnless,
};
constexpr bool is_comparison(Operator op) {
  return op >= Operator::kEqual && op <= Operator::kGreaterEqual;
}
constexpr bool is_set(Operator op) { return op >= Operator::kAnd; }
constexpr bool is_arithmetic(Operator op) { return op < Operator::kEqual; }

enum class Aggregator : std::uint8_t {
  kSum,
  kAvg,
  kMin,
  kMax,
  kCount,
  kStddev,
  kQuantile,
  kTopk,
  kBottomk,
};
constexpr bool has_parameter(Aggregator aggregator) { return aggregator >= Aggregator::kQuantile; }

enum class Function : std::uint8_t {
  // Of a range of each series.
  kRate,
  kIrate,
  kIncrease,
  kDelta,
  kDeriv,
  kChanges,
  kResets,
  kAvgOverTime,
  kMinOverTime,
  kMaxOverTime,
  kSumOverTime,
  kCountOverTime,
  kLastOverTime,
  kStddevOverTime,
  kQuantileOverTime,
  kAbsentOverTime,
  // Of vectors and numbers.
  kAbs,
  kCeil,
  kFloor,
  kRound,
  kClamp,
  kClampMin,
  kClampMax,
  kAbsent,
  kTime,
  kScalar,
  kVector,
  kLabelReplace,
};

// Which series of two vectors belong together.
struct Matching {
  enum class Card : std::uint8_t { kOneToOne, kManyToOne, kOneToMany, kManyToMany };
  Card card = Card::kOneToOne;
  bool on = false;                  // by these labels alone; false: by all but these
  std::vector<std::string> labels;  // sorted
  std::vector<std::string> include;
};

enum class NodeKind : std::uint8_t {
  kNumber,
  kString,
  kSelector,  // a vector, or with a range a matrix
  kSubquery,  // the matrix of what is in it, evaluated at steps of its own
  kParen,
  kSign,
  kBinary,
  kAggregate,
  kCall,
};

struct Node {
  NodeKind kind = NodeKind::kNumber;
  Type type = Type::kScalar;
  std::size_t at = 0;     // where it begins in the text
  std::size_t depth = 1;  // of what is in it

  double number = 0;
  std::string string;
  // A selector.
  std::vector<model::LabelMatcher> matchers;
  std::string matchers_text;  // alike for the same matchers
  // A selector, or a subquery.
  std::int64_t range_ms = 0;  // 0: none
  std::int64_t offset_ms = 0;
  std::int64_t step_ms = 0;  // of a subquery; 0: that of Limits
  // An operation.
  Operator op = Operator::kAdd;
  bool return_bool = false;
  Matching matching;
  // An aggregation.
  Aggregator aggregator = Aggregator::kSum;
  bool without = false;
  std::vector<std::string> grouping;  // sorted
  // A call.
  Function function = Function::kTime;
  std::shared_ptr<const re2::RE2> regex;  // of label_replace

  // Of an operation: left, right. Of an aggregation: the vector, then the parameter. Of a call: its
  // arguments. Of parentheses, of a sign and of a subquery: one.
  std::vector<std::shared_ptr<const Node>> parts;
};
using NodePtr = std::shared_ptr<const Node>;

// Without the parentheses around it.
inline const Node& bare(const Node& node) {
  const Node* inner = &node;
  while (inner->kind == NodeKind::kParen) inner = inner->parts[0].get();
  return *inner;
}

// "expected type instant vector": as messages have them.
std::string_view long_type_name(Type type);

}  // namespace gpuscope::query

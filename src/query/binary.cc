// Operations between two operands, and which series of theirs belong together.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/labels.h"
#include "query/grid.h"

namespace gpuscope::query {
namespace {

using base::Result;

struct Outcome {
  double value = 0;
  bool keep = true;
};

bool holds(Operator op, double left, double right) {
  switch (op) {
    case Operator::kEqual:
      return left == right;
    case Operator::kNotEqual:
      return left != right;
    case Operator::kLess:
      return left < right;
    case Operator::kLessEqual:
      return left <= right;
    case Operator::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

double compute(Operator op, double left, double right) {
  switch (op) {
    case Operator::kAdd:
      return left + right;
    case Operator::kSub:
      return left - right;
    case Operator::kMul:
      return left * right;
    case Operator::kDiv:
      return left / right;
    case Operator::kMod:
      return std::fmod(left, right);
    default:
      return std::pow(left, right);
  }
}

// A comparison keeps `kept`, or with bool says 0 or 1.
Outcome apply(const Node& node, double left, double right, double kept) {
  if (is_arithmetic(node.op)) return {compute(node.op, left, right)};
  const bool does = holds(node.op, left, right);
  if (node.return_bool) return {does ? 1.0 : 0.0};
  return {kept, does};
}

bool drops_name(const Node& node) { return is_arithmetic(node.op) || node.return_bool; }

Numbers of_numbers(const Node& node, const Numbers& left, const Numbers& right) {
  Numbers out(left.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = apply(node, left[i], right[i], 0).value;
  }
  return out;
}

Result<Grid> with_numbers(const Node& node, Grid grid, const Numbers& numbers, bool grid_is_left) {
  for (std::size_t i = 0; i < grid.size(); ++i) {
    double* const row = grid.row(i);
    std::uint8_t* const has = grid.has(i);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (has[step] == 0) continue;
      const double left = grid_is_left ? row[step] : numbers[step];
      const double right = grid_is_left ? numbers[step] : row[step];
      const Outcome outcome = apply(node, left, right, row[step]);
      row[step] = outcome.value;
      has[step] = outcome.keep ? 1 : 0;
    }
    if (drops_name(node)) grid.labels[i] = without_name(grid.labels[i]);
  }
  if (!drops_name(node)) return grid;
  if (auto merged = merge_same(grid); !merged) return std::unexpected(std::move(merged.error()));
  return grid;
}

// At each step and signature: whether a series of the grid has a value.
std::vector<std::uint8_t> seen(const Grid& grid, const std::vector<std::size_t>& signatures,
                               std::size_t count) {
  std::vector<std::uint8_t> found(count * grid.steps);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    std::uint8_t* const out = found.data() + signatures[i] * grid.steps;
    for (std::size_t step = 0; step < grid.steps; ++step) out[step] |= grid.has(i)[step];
  }
  return found;
}

// Takes from a grid what `other` has at the same step and signature, or what it has not.
void keep_where(Grid& grid, const std::vector<std::size_t>& signatures,
                const std::vector<std::uint8_t>& other, bool there) {
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::uint8_t* const found = other.data() + signatures[i] * grid.steps;
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if ((found[step] != 0) != there) grid.has(i)[step] = 0;
    }
  }
}

Result<Grid> of_sets(const Node& node, Grid left, Grid right) {
  Signatures signatures(node.matching.on, node.matching.labels);
  const auto of_left = signatures.of(left);
  const auto of_right = signatures.of(right);
  if (node.op != Operator::kOr) {
    keep_where(left, of_left, seen(right, of_right, signatures.count()), node.op == Operator::kAnd);
    return left;
  }
  keep_where(right, of_right, seen(left, of_left, signatures.count()), false);
  for (std::size_t i = 0; i < right.size(); ++i) left.labels.push_back(right.labels[i]);
  left.values.insert(left.values.end(), right.values.begin(), right.values.end());
  left.present.insert(left.present.end(), right.present.begin(), right.present.end());
  if (auto merged = merge_same(left); !merged) return std::unexpected(std::move(merged.error()));
  return left;
}

// Two vectors, one of which has one series at most for each signature.
class Matched {
 public:
  Matched(const Node& node, const Grid& many, const Grid& one, bool swapped)
      : node_(node),
        many_(many),
        one_(one),
        swapped_(swapped),
        signatures_(node.matching.on, node.matching.labels),
        of_many_(signatures_.of(many)),
        of_one_(signatures_.of(one)),
        out_(many.steps) {}

  Result<Grid> run() {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::vector<std::size_t> one_at(signatures_.count(), kNone);
    std::vector<std::uint8_t> taken(signatures_.count());
    for (std::size_t step = 0; step < many_.steps; ++step) {
      std::ranges::fill(one_at, kNone);
      std::ranges::fill(taken, 0);
      if (!any(many_, step) || !any(one_, step)) continue;
      for (std::size_t i = 0; i < one_.size(); ++i) {
        if (one_.has(i)[step] == 0) continue;
        if (one_at[of_one_[i]] != kNone) return many_to_many(i);
        one_at[of_one_[i]] = i;
      }
      for (std::size_t i = 0; i < many_.size(); ++i) {
        const std::size_t one = one_at[of_many_[i]];
        if (many_.has(i)[step] == 0 || one == kNone) continue;
        const double left = swapped_ ? one_.row(one)[step] : many_.row(i)[step];
        const double right = swapped_ ? many_.row(i)[step] : one_.row(one)[step];
        const Outcome outcome = apply(node_, left, right, left);
        if (!outcome.keep) continue;
        if (is_one_to_one() && taken[of_many_[i]]++ != 0) return many_to_one();
        put(i, one, step, outcome.value);
      }
    }
    if (auto merged = merge_same(out_); !merged) return std::unexpected(std::move(merged.error()));
    return std::move(out_);
  }

 private:
  bool is_one_to_one() const { return node_.matching.card == Matching::Card::kOneToOne; }

  static bool any(const Grid& grid, std::size_t step) {
    for (std::size_t i = 0; i < grid.size(); ++i) {
      if (grid.has(i)[step] != 0) return true;
    }
    return false;
  }

  std::unexpected<base::Error> many_to_many(std::size_t series) const {
    std::string text;
    const LabelsPtr matched = keep_or_drop(*one_.labels[series]);
    for (const auto& [name, value] : *matched) {
      text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ", ", name, value);
    }
    return base::fail(
        base::ErrorKind::kInvalidArgument,
        fmt::format("cannot evaluate the expression: found duplicate series for the match group "
                    "{{{}}} on the {} hand-side of the operation; many-to-many matching not "
                    "allowed: matching labels must be unique on one side",
                    text, swapped_ ? "left" : "right"));
  }

  static std::unexpected<base::Error> many_to_one() {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      "cannot evaluate the expression: multiple matches for labels: many-to-one "
                      "matching must be explicit (group_left/group_right)");
  }

  LabelsPtr keep_or_drop(const Labels& labels) const {
    return node_.matching.on ? keep_labels(labels, node_.matching.labels)
                             : drop_labels(labels, node_.matching.labels);
  }

  LabelsPtr result_labels(std::size_t many, std::size_t one) const {
    auto labels = std::make_shared<Labels>(*many_.labels[many]);
    if (is_arithmetic(node_.op)) model::set_label(*labels, model::kNameLabel, "");
    if (is_one_to_one()) {
      std::erase_if(*labels, [&](const auto& label) {
        return std::ranges::binary_search(node_.matching.labels, label.first) != node_.matching.on;
      });
    }
    for (const std::string& name : node_.matching.include) {
      model::set_label(*labels, name, std::string(model::label_value(*one_.labels[one], name)));
    }
    if (node_.return_bool) model::set_label(*labels, model::kNameLabel, "");
    return labels;
  }

  void put(std::size_t many, std::size_t one, std::size_t step, double value) {
    // What the one side adds to the labels may change from step to step.
    const std::pair key{many, node_.matching.include.empty() ? 0 : one};
    auto at = places_.find(key);
    if (at == places_.end()) {
      at = places_.emplace(key, out_.add(result_labels(many, one))).first;
    }
    out_.row(at->second)[step] = value;
    out_.has(at->second)[step] = 1;
  }

  const Node& node_;
  const Grid& many_;
  const Grid& one_;
  const bool swapped_;  // the one side is the left
  Signatures signatures_;
  const std::vector<std::size_t> of_many_;
  const std::vector<std::size_t> of_one_;
  Grid out_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> places_{};
};

Result<Grid> of_vectors(const Node& node, Grid left, Grid right) {
  if (is_set(node.op)) return of_sets(node, std::move(left), std::move(right));
  const bool swapped = node.matching.card == Matching::Card::kOneToMany;
  return Matched(node, swapped ? right : left, swapped ? left : right, swapped).run();
}

}  // namespace

Result<Operand> binary(const Node& node, Operand left, Operand right) {
  Operand out{.type = node.type};
  if (node.type == Type::kScalar) {
    out.numbers = of_numbers(node, left.numbers, right.numbers);
    return out;
  }
  auto grid = [&]() -> Result<Grid> {
    if (left.type == Type::kScalar) {
      return with_numbers(node, std::move(right.grid), left.numbers, false);
    }
    if (right.type == Type::kScalar) {
      return with_numbers(node, std::move(left.grid), right.numbers, true);
    }
    return of_vectors(node, std::move(left.grid), std::move(right.grid));
  }();
  if (!grid) return std::unexpected(std::move(grid.error()));
  out.grid = std::move(*grid);
  return out;
}

}  // namespace gpuscope::query

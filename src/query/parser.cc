// From text to nodes, with the precedence and the checks that Prometheus has.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "model/labels.h"
#include "query/lexer.h"
#include "query/matcher.h"
#include "query/node.h"
#include "query/query.h"
#include "query/signatures.h"

namespace gpuscope::query {
namespace {

using base::Result;
using model::LabelMatcher;
using Kind = Token::Kind;

constexpr std::size_t kMaxBytes = 65'536;
constexpr std::size_t kMaxDepth = 200;

struct Binding {
  std::string_view word;
  Operator op;
  int precedence;
};
constexpr std::array kBindings{
    Binding{"or", Operator::kOr, 1},           Binding{"and", Operator::kAnd, 2},
    Binding{"unless", Operator::kUnless, 2},   Binding{"==", Operator::kEqual, 3},
    Binding{"!=", Operator::kNotEqual, 3},     Binding{"<", Operator::kLess, 3},
    Binding{"<=", Operator::kLessEqual, 3},    Binding{">", Operator::kGreater, 3},
    Binding{">=", Operator::kGreaterEqual, 3}, Binding{"+", Operator::kAdd, 4},
    Binding{"-", Operator::kSub, 4},           Binding{"*", Operator::kMul, 5},
    Binding{"/", Operator::kDiv, 5},           Binding{"%", Operator::kMod, 5},
    Binding{"^", Operator::kPow, 6},
};
constexpr int kPowPrecedence = 6;

// Words that are no name of a metric. All others are one where one is expected.
constexpr std::array<std::string_view, 5> kReserved{"on", "ignoring", "group_left", "group_right",
                                                    "bool"};

const Binding* binding_of(const Token& token) {
  if (token.kind != Kind::kSymbol && token.kind != Kind::kWord) return nullptr;
  const std::string lower = token.lower();
  const auto* const found = std::ranges::find(kBindings, lower, &Binding::word);
  return found == kBindings.end() ? nullptr : found;
}

template <typename Names>
bool has(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string text_of(const std::vector<LabelMatcher>& matchers) {
  std::vector<std::string> parts;
  parts.reserve(matchers.size());
  for (const LabelMatcher& matcher : matchers) {
    parts.push_back(fmt::format("{}:{}{}{}", matcher.label.size(), matcher.label,
                                static_cast<int>(matcher.kind), matcher.value));
  }
  std::ranges::sort(parts);
  std::string text;
  for (const std::string& part : parts) text += fmt::format("{}:{}", part.size(), part);
  return text;
}

// The first error stays, and everything after it is null: parse() looks once.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<NodePtr> parse() {
    NodePtr node = binary(1);
    const Token& end = peek();
    if (!error_ && end.kind != Kind::kEnd) {
      if (end.is_word("atan2")) {
        wrong(end.at, "atan2 is not supported here");
      } else {
        unexpected(end, "an operator or the end");
      }
    }
    if (error_) return std::unexpected(std::move(*error_));
    return node;
  }

 private:
  std::nullptr_t wrong(std::size_t at, std::string_view what) {
    if (!error_) error_ = lexer_.wrong(at, what).error();
    return nullptr;
  }
  std::nullptr_t unexpected(const Token& token, std::string_view wanted) {
    if (token.kind == Kind::kEnd) return wrong(token.at, fmt::format("expected {}", wanted));
    return wrong(token.at, fmt::format("expected {} and not '{}'", wanted, token.text));
  }

  const Token& peek() {
    static const Token end;
    if (error_) return end;
    auto next = lexer_.peek();
    if (next) return **next;
    error_ = std::move(next.error());
    return end;
  }
  Token take() {
    peek();
    return error_ ? Token{} : *lexer_.take();
  }
  bool take(std::string_view symbol) {
    if (!peek().is(symbol)) return false;
    take();
    return true;
  }
  bool expect(std::string_view symbol) {
    if (take(symbol)) return true;
    unexpected(peek(), fmt::format("'{}'", symbol));
    return false;
  }

  static std::shared_ptr<Node> make(NodeKind kind, Type type, std::size_t at) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->type = type;
    node->at = at;
    return node;
  }

  // Puts parts into a node. What is nested too deeply would overflow the stack of who walks it.
  NodePtr with_parts(std::shared_ptr<Node> node, std::vector<NodePtr> parts) {
    for (const NodePtr& part : parts) node->depth = std::max(node->depth, part->depth + 1);
    if (node->depth > kMaxDepth) return wrong(node->at, "this is nested too deeply");
    node->parts = std::move(parts);
    return node;
  }

  NodePtr binary(int least);
  NodePtr unary();
  NodePtr postfix(NodePtr node);
  NodePtr primary();
  NodePtr word(const Token& token);
  NodePtr number(const Token& token);
  NodePtr selector(std::string_view name, std::size_t at);
  bool matcher(Node& node);
  NodePtr range(NodePtr node, std::size_t at);
  NodePtr subquery(NodePtr node, std::size_t at, std::int64_t range_ms);
  NodePtr offset(const NodePtr& node, std::size_t at);
  std::optional<std::int64_t> duration(const Token& token);
  NodePtr call(const Token& token);
  NodePtr aggregate(const Token& token, Aggregator aggregator);
  bool grouping(Node& node);
  bool arguments(std::vector<NodePtr>& parts);
  bool labels(std::vector<std::string>& names);
  bool modifiers(Node& node);
  NodePtr operation(std::shared_ptr<Node> node, NodePtr left, NodePtr right, bool grouped);
  bool check_types(Node& node, const Node& left, const Node& right);
  bool expect_type(const Node& node, Type type, std::string_view where);

  Lexer lexer_;
  std::optional<base::Error> error_;
  std::size_t nesting_ = 0;
  bool grouped_ = false;  // whether the last modifiers() had group_left or group_right
};

// ---- operations

NodePtr Parser::binary(int least) {
  // What is open at a time; chains that do not nest are bounded by with_parts().
  if (++nesting_ > kMaxDepth) return wrong(peek().at, "this is nested too deeply");
  NodePtr left = unary();
  while (!error_) {
    const Binding* const binding = binding_of(peek());
    if (binding == nullptr || binding->precedence < least) break;
    auto node = make(NodeKind::kBinary, Type::kScalar, take().at);
    node->op = binding->op;
    if (!modifiers(*node)) return nullptr;
    const bool grouped = grouped_;
    NodePtr right =
        binary(binding->precedence == kPowPrecedence ? kPowPrecedence : binding->precedence + 1);
    if (error_) return nullptr;
    left = operation(std::move(node), std::move(left), std::move(right), grouped);
  }
  --nesting_;
  return left;
}

// bool, on, ignoring, group_left, group_right.
bool Parser::modifiers(Node& node) {
  if (peek().is_word("bool")) {
    const std::size_t at = take().at;
    node.return_bool = true;
    if (!is_comparison(node.op)) {
      wrong(at, "bool stands behind comparisons alone");
      return false;
    }
  }
  grouped_ = false;
  node.matching.on = peek().is_word("on");
  if (!node.matching.on && !peek().is_word("ignoring")) return !error_;
  take();
  if (!labels(node.matching.labels)) return false;
  const bool left = peek().is_word("group_left");
  if (!left && !peek().is_word("group_right")) return !error_;
  const std::size_t at = take().at;
  grouped_ = true;
  node.matching.card = left ? Matching::Card::kManyToOne : Matching::Card::kOneToMany;
  if (peek().is("(") && !labels(node.matching.include)) return false;
  for (const std::string& label : node.matching.include) {
    if (node.matching.on && has(node.matching.labels, label)) {
      wrong(at, fmt::format("the label '{}' must not stand in both on and group", label));
      return false;
    }
  }
  return !error_;
}

bool Parser::check_types(Node& node, const Node& left, const Node& right) {
  for (const Node* part : {&left, &right}) {
    if (part->type != Type::kScalar && part->type != Type::kVector) {
      wrong(part->at, fmt::format("an operation takes numbers and instant vectors and not a {}",
                                  long_type_name(part->type)));
      return false;
    }
  }
  const bool vectors = left.type == Type::kVector && right.type == Type::kVector;
  const bool scalars = left.type == Type::kScalar && right.type == Type::kScalar;
  if (is_comparison(node.op) && scalars && !node.return_bool) {
    wrong(node.at, "two numbers are compared with bool alone");
  } else if (!vectors && is_set(node.op)) {
    wrong(node.at, "and, or, unless take two instant vectors");
  } else if (!vectors && !node.matching.labels.empty()) {
    wrong(node.at, "on and ignoring stand between two instant vectors alone");
  }
  node.type = scalars ? Type::kScalar : Type::kVector;
  return !error_;
}

NodePtr Parser::operation(std::shared_ptr<Node> node, NodePtr left, NodePtr right, bool grouped) {
  if (!check_types(*node, *left, *right)) return nullptr;
  if (is_set(node->op)) {
    if (grouped) return wrong(node->at, "and, or, unless take no group_left and group_right");
    node->matching.card = Matching::Card::kManyToMany;
  }
  std::ranges::sort(node->matching.labels);
  return with_parts(std::move(node), {std::move(left), std::move(right)});
}

NodePtr Parser::unary() {
  const Token& next = peek();
  if (!next.is("+") && !next.is("-")) return postfix(primary());
  const Token sign = take();
  NodePtr inner = binary(kPowPrecedence);
  if (error_) return nullptr;
  if (inner->type != Type::kScalar && inner->type != Type::kVector) {
    return wrong(sign.at, fmt::format("a sign stands before a number or an instant vector and not "
                                      "before a {}",
                                      long_type_name(inner->type)));
  }
  const bool minus = sign.text == "-";
  if (inner->kind == NodeKind::kNumber) {
    auto number = make(NodeKind::kNumber, Type::kScalar, sign.at);
    number->number = minus ? -inner->number : inner->number;
    return number;
  }
  auto node = make(NodeKind::kSign, inner->type, sign.at);
  node->op = minus ? Operator::kSub : Operator::kAdd;
  return with_parts(std::move(node), {std::move(inner)});
}

// ---- selectors

std::optional<std::int64_t> Parser::duration(const Token& token) {
  if (error_) return std::nullopt;
  if (token.kind != Kind::kDuration) {
    unexpected(token, "a duration such as 5m");
    return std::nullopt;
  }
  auto length = duration_of(token.text);
  if (length) return *length;
  wrong(token.at, length.error().message);
  return std::nullopt;
}

NodePtr Parser::postfix(NodePtr node) {
  while (!error_) {
    const Token& next = peek();
    if (next.is("@")) return wrong(next.at, "the modifier @ is not supported here");
    if (next.is("[")) {
      node = range(std::move(node), take().at);
    } else if (next.is_word("offset")) {
      node = offset(node, take().at);
    } else {
      break;
    }
  }
  return error_ ? nullptr : node;
}

NodePtr Parser::range(NodePtr node, std::size_t at) {
  const auto length = duration(take());
  if (!length) return nullptr;
  if (take(":")) return subquery(std::move(node), at, *length);
  if (!take("]")) return unexpected(peek(), "':' or ']'");
  if (node->kind != NodeKind::kSelector || node->range_ms != 0) {
    return wrong(at, "a range without ':' stands behind a selector of series alone");
  }
  if (node->offset_ms != 0) return wrong(at, "a range stands before the offset");
  auto ranged = std::make_shared<Node>(*node);
  ranged->range_ms = *length;
  ranged->type = Type::kMatrix;
  return ranged;
}

// Behind its colon.
NodePtr Parser::subquery(NodePtr node, std::size_t at, std::int64_t range_ms) {
  auto made = make(NodeKind::kSubquery, Type::kMatrix, node->at);
  made->range_ms = range_ms;
  if (!peek().is("]")) {
    const auto step = duration(take());
    if (!step) return nullptr;
    made->step_ms = *step;
  }
  if (!expect("]")) return nullptr;
  if (node->type != Type::kVector) {
    return wrong(at, fmt::format("a subquery stands behind an instant vector and not behind a {}",
                                 long_type_name(node->type)));
  }
  return with_parts(std::move(made), {std::move(node)});
}

NodePtr Parser::offset(const NodePtr& node, std::size_t at) {
  const bool minus = take("-");
  const auto length = duration(take());
  if (!length) return nullptr;
  if (node->kind != NodeKind::kSelector && node->kind != NodeKind::kSubquery) {
    return wrong(at, "offset stands behind a selector of series or a subquery alone");
  }
  if (node->offset_ms != 0) return wrong(at, "offset stands there twice");
  auto moved = std::make_shared<Node>(*node);
  moved->offset_ms = minus ? -*length : *length;
  return moved;
}

bool Parser::matcher(Node& node) {
  const Token label = take();
  if (label.kind != Kind::kWord || !model::is_label_name(label.text)) {
    if (!error_) unexpected(label, "a label's name or '}'");
    return false;
  }
  const Token op = take();
  constexpr std::array<std::string_view, 4> kOperators{"=", "!=", "=~", "!~"};
  const auto* const found = std::ranges::find(kOperators, op.text);
  if (op.kind != Kind::kSymbol || found == kOperators.end()) {
    if (!error_) unexpected(op, "one of =, !=, =~, !~");
    return false;
  }
  Token value = take();
  if (value.kind != Kind::kString) {
    if (!error_) unexpected(value, "a text in quotes");
    return false;
  }
  auto made = make_matcher(std::string(label.text),
                           static_cast<LabelMatcher::Kind>(found - kOperators.begin()),
                           std::move(value.string));
  if (!made) {
    wrong(value.at, made.error().message);
    return false;
  }
  node.matchers.push_back(std::move(*made));
  return true;
}

NodePtr Parser::selector(std::string_view name, std::size_t at) {
  auto node = make(NodeKind::kSelector, Type::kVector, at);
  if (take("{")) {
    while (!error_ && !take("}")) {
      if (!matcher(*node)) return nullptr;
      if (!name.empty() && node->matchers.back().label == model::kNameLabel) {
        return wrong(at, "the metric's name stands there twice");
      }
      if (!peek().is("}") && !take(",")) return unexpected(peek(), "',' or '}'");
    }
  }
  if (error_) return nullptr;
  if (!name.empty()) {
    auto made =
        make_matcher(std::string(model::kNameLabel), LabelMatcher::Kind::kEqual, std::string(name));
    node->matchers.insert(node->matchers.begin(), std::move(*made));
  }
  if (std::ranges::all_of(node->matchers, [](const auto& matcher) { return matcher.fits(""); })) {
    return wrong(at, "a selector needs a matcher that the empty text does not fit");
  }
  node->matchers_text = text_of(node->matchers);
  return node;
}

// ---- what stands alone

NodePtr Parser::number(const Token& token) {
  const auto value = number_of(token.text);
  if (!value) return wrong(token.at, value.error().message);
  auto node = make(NodeKind::kNumber, Type::kScalar, token.at);
  node->number = *value;
  return node;
}

NodePtr Parser::primary() {
  const Token& next = peek();
  if (next.is("{")) return selector({}, next.at);
  Token token = take();
  if (error_) return nullptr;
  if (token.kind == Kind::kNumber) return number(token);
  if (token.kind == Kind::kWord) return word(token);
  if (token.kind == Kind::kString) {
    auto node = make(NodeKind::kString, Type::kString, token.at);
    node->string = std::move(token.string);
    return node;
  }
  if (!token.is("(")) return unexpected(token, "an expression");
  NodePtr inner = binary(1);
  if (error_ || !expect(")")) return nullptr;
  auto node = make(NodeKind::kParen, inner->type, token.at);
  return with_parts(std::move(node), {std::move(inner)});
}

NodePtr Parser::word(const Token& token) {
  const std::string lower = token.lower();
  const Token& next = peek();
  const bool opens = next.is("(");
  const bool groups = next.is_word("by") || next.is_word("without");
  if (const auto aggregator = find_aggregator(lower); aggregator && (opens || groups)) {
    return aggregate(token, *aggregator);
  }
  if ((opens || groups) && is_elsewhere(lower)) {
    return wrong(token.at, fmt::format("{} is not supported here", lower));
  }
  if (opens) return call(token);
  if (has(kReserved, lower) || lower == "atan2") return unexpected(token, "an expression");
  return error_ ? nullptr : selector(token.text, token.at);
}

// ---- calls and aggregations

bool Parser::expect_type(const Node& node, Type type, std::string_view where) {
  if (node.type == type) return true;
  wrong(node.at, fmt::format("{} takes a {} here and not a {}", where, long_type_name(type),
                             long_type_name(node.type)));
  return false;
}

bool Parser::arguments(std::vector<NodePtr>& parts) {
  if (!expect("(")) return false;
  if (take(")")) return true;
  for (;;) {
    parts.push_back(binary(1));
    if (error_) return false;
    if (take(")")) return true;
    if (!take(",")) {
      unexpected(peek(), "',' or ')'");
      return false;
    }
  }
}

NodePtr Parser::call(const Token& token) {
  const Signature* const signature = find_function(token.text);
  if (signature == nullptr) {
    return wrong(token.at, fmt::format("there is no function '{}'", token.text));
  }
  std::vector<NodePtr> parts;
  if (!arguments(parts)) return nullptr;
  if (parts.size() < signature->least || parts.size() > signature->most) {
    return wrong(token.at, fmt::format("{} takes {} arguments and not {}", token.text,
                                       signature->most, parts.size()));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!expect_type(*parts[i], signature->arguments[i], token.text)) return nullptr;
  }
  const bool number =
      signature->function == Function::kTime || signature->function == Function::kScalar;
  auto node = make(NodeKind::kCall, number ? Type::kScalar : Type::kVector, token.at);
  node->function = signature->function;
  if (node->function == Function::kLabelReplace) {
    auto regex = compile(bare(*parts[4]).string);
    if (!regex) return wrong(parts[4]->at, regex.error().message);
    node->regex = std::move(*regex);
    const std::string& label = bare(*parts[1]).string;
    if (!model::is_label_name(label)) {
      return wrong(parts[1]->at, fmt::format("'{}' is no name of a label", label));
    }
  }
  return with_parts(std::move(node), std::move(parts));
}

bool Parser::labels(std::vector<std::string>& names) {
  if (!expect("(")) return false;
  while (!take(")")) {
    const Token name = take();
    if (name.kind != Kind::kWord || !model::is_label_name(name.text)) {
      if (!error_) unexpected(name, "a label's name");
      return false;
    }
    if (!has(names, name.text)) names.emplace_back(name.text);
    if (!peek().is(")") && !take(",")) {
      unexpected(peek(), "',' or ')'");
      return false;
    }
  }
  return !error_;
}

// by (…) or without (…), if they stand there.
bool Parser::grouping(Node& node) {
  if (!peek().is_word("by") && !peek().is_word("without")) return false;
  node.without = take().is_word("without");
  labels(node.grouping);
  std::ranges::sort(node.grouping);
  return true;
}

NodePtr Parser::aggregate(const Token& token, Aggregator aggregator) {
  auto node = make(NodeKind::kAggregate, Type::kVector, token.at);
  node->aggregator = aggregator;
  const bool grouped = grouping(*node);
  std::vector<NodePtr> parts;
  if (error_ || !arguments(parts)) return nullptr;
  if (!grouped) grouping(*node);
  if (error_) return nullptr;
  const std::size_t wanted = has_parameter(aggregator) ? 2 : 1;
  if (parts.size() != wanted) {
    return wrong(token.at, fmt::format("{} takes {} {} and not {}", token.lower(), wanted,
                                       wanted == 1 ? "argument" : "arguments", parts.size()));
  }
  std::ranges::reverse(parts);  // the vector first
  if (!expect_type(*parts[0], Type::kVector, token.text)) return nullptr;
  if (wanted == 2 && !expect_type(*parts[1], Type::kScalar, token.text)) return nullptr;
  return with_parts(std::move(node), std::move(parts));
}

void collect(const Node& node, std::vector<std::span<const LabelMatcher>>& selectors) {
  if (node.kind == NodeKind::kSelector) selectors.emplace_back(node.matchers);
  for (const NodePtr& part : node.parts) collect(*part, selectors);
}

}  // namespace

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kScalar:
      return "scalar";
    case Type::kString:
      return "string";
    case Type::kVector:
      return "vector";
    case Type::kMatrix:
      return "matrix";
  }
  return "";
}

std::string_view long_type_name(Type type) {
  if (type == Type::kVector) return "instant vector";
  return type == Type::kMatrix ? "range vector" : type_name(type);
}

Result<Expression> Expression::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read an expression of more than {} bytes", kMaxBytes));
  }
  if (!base::is_utf8(text)) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      "cannot read the expression: it is not UTF-8");
  }
  auto own = std::make_shared<const std::string>(text);
  auto root = Parser(*own).parse();
  if (!root) return std::unexpected(std::move(root.error()));
  return Expression(std::move(own), std::move(*root));
}

Result<std::vector<LabelMatcher>> Expression::parse_selector(std::string_view text) {
  const auto expression = parse(text);
  if (!expression) return std::unexpected(expression.error());
  const Node& root = expression->root();
  if (root.kind != NodeKind::kSelector || root.range_ms != 0 || root.offset_ms != 0) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read the selector '{}': it shall be a metric's name, "
                                  "matchers in braces, or both",
                                  text));
  }
  return root.matchers;
}

Type Expression::type() const { return root_->type; }

std::vector<std::span<const LabelMatcher>> Expression::selectors() const {
  std::vector<std::span<const LabelMatcher>> found;
  collect(*root_, found);
  return found;
}

}  // namespace gpuscope::query

#include "alert/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "alert/template_functions.h"
#include "base/text.h"

namespace gpuscope::alert {
namespace {

using base::ErrorKind;
using base::is_blank;
using base::Result;

constexpr std::size_t kMostTemplate = 65'536;  // of a template, and of what becomes of it
constexpr int kDeepest = 50;                   // actions and parentheses within each other

bool begins_name(char c) { return base::is_letter(c) || c == '_'; }

// ---- what a template is made of

struct Operand;
struct Call {
  const TemplateFunction* function = nullptr;  // null: the value of the one operand
  std::vector<Operand> arguments;
};
using Pipeline = std::vector<Call>;  // each gets what comes out of the one before as its last

struct Label {
  std::string name;
};
struct ValueOfAlert {};
struct Operand {
  std::variant<TemplateValue, Label, ValueOfAlert, Pipeline> what;
};

}  // namespace

struct TemplateNode {
  std::string text{};   // plain text, where there is no pipeline
  Pipeline pipeline{};  // what is printed, or the condition of `then`
  bool conditional = false;
  std::vector<TemplateNode> then{};  // also the parts of the root
  std::vector<TemplateNode> otherwise{};
};

namespace {

// ---- expanding

// What a template is expanded with; without labels each of them is "1", which every function takes.
struct Context {
  const model::Labels* labels = nullptr;
  double value = 1;
};

Result<TemplateValue> run(const Pipeline& pipeline, const Context& data);

Result<TemplateValue> value_of(const Operand& operand, const Context& data) {
  if (const auto* constant = std::get_if<TemplateValue>(&operand.what)) return *constant;
  if (const auto* label = std::get_if<Label>(&operand.what)) {
    if (data.labels == nullptr) return std::string("1");
    return std::string(model::label_value(*data.labels, label->name));
  }
  if (std::holds_alternative<ValueOfAlert>(operand.what)) return data.value;
  return run(std::get<Pipeline>(operand.what), data);
}

Result<TemplateValue> run(const Pipeline& pipeline, const Context& data) {
  std::optional<TemplateValue> last;
  for (const Call& call : pipeline) {
    std::vector<TemplateValue> arguments;
    for (const Operand& operand : call.arguments) {
      auto value = value_of(operand, data);
      if (!value) return value;
      arguments.push_back(std::move(*value));
    }
    if (last) arguments.push_back(std::move(*last));
    if (call.function == nullptr) {
      last = std::move(arguments.front());
      continue;
    }
    auto value = call.function->call(arguments);
    if (!value) {
      return wrong_template(
          fmt::format("cannot expand {}: {}", call.function->name, value.error().message));
    }
    last = std::move(*value);
  }
  return std::move(*last);
}

Result<void> expand_into(std::string& out, const std::vector<TemplateNode>& nodes,
                         const Context& data) {
  for (const TemplateNode& node : nodes) {
    if (node.pipeline.empty()) {
      out += node.text;
    } else {
      const auto value = run(node.pipeline, data);
      if (!value) return std::unexpected(value.error());
      if (!node.conditional) {
        out += print_value(*value);
      } else if (auto done = expand_into(out, is_true(*value) ? node.then : node.otherwise, data);
                 !done) {
        return done;
      }
    }
    if (out.size() > kMostTemplate)
      return wrong_template("cannot expand a text to more than 64 KiB");
  }
  return {};
}

// ---- parsing what stands between {{ and }}

class ActionParser {
 public:
  explicit ActionParser(std::string_view text) : rest_(text) { skip_blanks(); }

  bool done() const { return rest_.empty(); }
  // A word such as "if", where it comes next.
  bool take_word(std::string_view word) {
    if (!take_bare_word(word)) return false;
    skip_blanks();
    return true;
  }

  Result<Pipeline> pipeline(int depth) {
    if (depth > kDeepest) return wrong_template("cannot nest a template any deeper");
    Pipeline pipeline;
    do {
      auto call = this->call(depth, !pipeline.empty());
      if (!call) return std::unexpected(std::move(call.error()));
      pipeline.push_back(std::move(*call));
    } while (take('|'));
    return pipeline;
  }

  std::string_view rest() const { return rest_; }

 private:
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  bool take_bare_word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    const char behind = rest_.size() > word.size() ? rest_[word.size()] : ' ';
    if (base::is_name_char(behind)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    skip_blanks();
    return true;
  }
  std::string_view take_name() {
    std::size_t size = 0;
    while (size < rest_.size() && base::is_name_char(rest_[size])) ++size;
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return name;
  }

  Result<Call> call(int depth, bool piped) {
    Call call;
    const bool truth = rest_.starts_with("true") || rest_.starts_with("false");
    if (!rest_.empty() && begins_name(rest_.front()) && !truth) {
      const std::string_view name = take_name();
      skip_blanks();
      call.function = find_template_function(name);
      if (call.function == nullptr) {
        return wrong_template(
            fmt::format("cannot call '{}' in a template: it is not supported here", name));
      }
    }
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      auto operand = this->operand(depth);
      if (!operand) return std::unexpected(std::move(operand.error()));
      call.arguments.push_back(std::move(*operand));
      if (!rest_.empty() && !is_blank(before_) && rest_.front() != '|' && rest_.front() != ')') {
        return wrong_template(
            fmt::format("cannot read '{}' in a template: a blank is missing before it", rest_));
      }
    }
    const std::size_t given = call.arguments.size() + (piped ? 1 : 0);
    if (call.function == nullptr) {
      if (call.arguments.empty())
        return wrong_template("cannot read a template: a value is missing");
      if (given > 1)
        return wrong_template("cannot read a template: what takes several values is no function");
    } else if (given < call.function->least || given > call.function->most) {
      return wrong_template(
          fmt::format("cannot call {} in a template with {} values", call.function->name, given));
    }
    return call;
  }

  Result<Operand> operand(int depth) {
    auto operand = bare_operand(depth);
    before_ = rest_.empty() || is_blank(rest_.front()) ? ' ' : 'x';
    skip_blanks();
    return operand;
  }

  Result<Operand> bare_operand(int depth) {
    if (take('(')) {
      auto inner = pipeline(depth + 1);
      if (!inner) return std::unexpected(std::move(inner.error()));
      if (!rest_.starts_with(')')) return wrong_template("cannot read a template: ')' is missing");
      rest_.remove_prefix(1);
      return Operand{std::move(*inner)};
    }
    if (rest_.front() == '"' || rest_.front() == '`') return text();
    if (rest_.front() == '$' || rest_.front() == '.') return variable();
    if (base::is_digit(rest_.front()) || rest_.front() == '-' || rest_.front() == '+')
      return number();
    for (const bool truth : {true, false}) {
      if (take_bare_word(truth ? "true" : "false")) return Operand{TemplateValue{truth}};
    }
    return wrong_template(
        fmt::format("cannot read '{}' in a template: it is not supported here", rest_));
  }

  Result<Operand> text() {
    const char quote = rest_.front();
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == quote) {
        rest_.remove_prefix(i + 1);
        return Operand{TemplateValue{std::move(out)}};
      }
      if (c != '\\' || quote == '`') {
        out += c;
        continue;
      }
      if (++i == rest_.size()) break;
      constexpr std::string_view kEscapes = "n\nt\tr\r\"\"\\\\";
      const std::size_t at = kEscapes.find(rest_[i]);
      if (at == std::string_view::npos || at % 2 != 0) {
        return wrong_template(fmt::format("cannot read '\\{}' in a text of a template", rest_[i]));
      }
      out += kEscapes[at + 1];
    }
    return wrong_template("cannot read a template: a text has no end");
  }

  Result<Operand> number() {
    std::size_t size = 1;
    while (size < rest_.size() && (base::is_name_char(rest_[size]) || rest_[size] == '.' ||
                                   ((rest_[size] == '-' || rest_[size] == '+') &&
                                    (rest_[size - 1] == 'e' || rest_[size - 1] == 'E')))) {
      ++size;
    }
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    const std::string_view digits = word.starts_with('+') ? word.substr(1) : word;
    const char* const end = digits.data() + digits.size();
    std::int64_t whole = 0;
    if (const auto [at, error] = std::from_chars(digits.data(), end, whole);
        error == std::errc{} && at == end && !(digits.size() > 1 && digits[0] == '0')) {
      return Operand{TemplateValue{whole}};
    }
    double real = 0;
    if (const auto [at, error] = std::from_chars(digits.data(), end, real);
        error == std::errc{} && at == end &&
        digits.find_first_of(".eE") != std::string_view::npos) {
      return Operand{TemplateValue{real}};
    }
    return wrong_template(fmt::format("cannot read '{}' in a template: it is no number", word));
  }

  Result<Operand> variable() {
    const std::string_view all = rest_;
    const bool dollar = rest_.front() == '$';
    rest_.remove_prefix(1);
    const std::string_view name = take_name();
    if (name == (dollar ? "value" : "Value")) return Operand{ValueOfAlert{}};
    const bool labels = name == (dollar ? "labels" : "Labels");
    const bool external = name == (dollar ? "externalLabels" : "ExternalLabels");
    if ((labels || external) && rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      const std::string_view label = take_name();
      // An agent has no external labels.
      if (external && !label.empty()) return Operand{TemplateValue{std::string()}};
      if (!label.empty()) return Operand{Label{std::string(label)}};
    }
    return wrong_template(
        fmt::format("cannot read '{}' in a template: there are $labels.NAME and $value",
                    all.substr(0, all.find_first_of(" \t\n|)"))));
  }

  std::string_view rest_;
  char before_ = ' ';  // whether a blank stood behind the last operand
};

// ---- parsing the whole

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : rest_(text) {}

  Result<std::vector<TemplateNode>> parse() {
    auto nodes = list(0);
    if (nodes && end_ != End::kText)
      return wrong_template("cannot read a template: it has an end too many");
    return nodes;
  }

 private:
  enum class End : std::uint8_t { kText, kEnd, kElse };  // what ended a list of nodes

  // Cuts "{{ … }}" off the front; texts within may hold "}}".
  Result<std::string_view> action() {
    rest_.remove_prefix(2);
    char quote = 0;
    const bool comment = rest_.starts_with("/*") || rest_.starts_with("- /*");
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (quote != 0) {
        if (c == '\\' && quote == '"') ++i;
        if (c == quote) quote = 0;
      } else if (!comment && (c == '"' || c == '`')) {
        quote = c;
      } else if (rest_.substr(i).starts_with("}}")) {
        const std::string_view inside = rest_.substr(0, i);
        rest_.remove_prefix(i + 2);
        return inside;
      }
    }
    return wrong_template("cannot read a template: '{{' has no '}}'");
  }

  // With the trim marks "{{- " and " -}}" taken off, and done.
  std::string_view trim(std::string_view inside, std::string& before) {
    if (inside.size() > 1 && inside[0] == '-' && is_blank(inside[1])) {
      inside.remove_prefix(1);
      while (!before.empty() && is_blank(before.back())) before.pop_back();
    }
    if (inside.size() > 1 && inside.back() == '-' && is_blank(inside[inside.size() - 2])) {
      inside.remove_suffix(1);
      while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    }
    return inside;
  }

  Result<std::vector<TemplateNode>> list(int depth) {
    if (depth > kDeepest) return wrong_template("cannot nest a template any deeper");
    std::vector<TemplateNode> nodes;
    for (;;) {
      const std::size_t plain = std::min(rest_.find("{{"), rest_.size());
      TemplateNode text{.text = std::string(rest_.substr(0, plain))};
      rest_.remove_prefix(plain);
      if (rest_.empty()) {
        nodes.push_back(std::move(text));
        end_ = End::kText;
        return nodes;
      }
      auto inside = action();
      if (!inside) return std::unexpected(std::move(inside.error()));
      ActionParser parser(trim(*inside, text.text));
      nodes.push_back(std::move(text));
      if (parser.rest().starts_with("/*")) {
        if (auto fine = check_comment(parser.rest()); !fine) return std::unexpected(fine.error());
        continue;
      }
      if (parser.take_word("end")) return ended(End::kEnd, parser, std::move(nodes));
      if (parser.take_word("else")) {
        else_if_ = parser.take_word("if");
        if (!else_if_) return ended(End::kElse, parser, std::move(nodes));
        end_ = End::kElse;
        auto condition = whole_pipeline(parser);
        if (!condition) return std::unexpected(std::move(condition.error()));
        condition_ = std::move(*condition);
        return nodes;
      }
      const bool conditional = parser.take_word("if");
      auto pipeline = whole_pipeline(parser);
      if (!pipeline) return std::unexpected(std::move(pipeline.error()));
      TemplateNode node{.pipeline = std::move(*pipeline), .conditional = conditional};
      if (conditional) {
        if (auto fine = branches(node, depth); !fine) return std::unexpected(fine.error());
      }
      nodes.push_back(std::move(node));
    }
  }

  static Result<void> check_comment(std::string_view comment) {
    while (!comment.empty() && is_blank(comment.back())) comment.remove_suffix(1);
    if (comment.size() >= 4 && comment.find("*/") == comment.size() - 2) return {};
    return wrong_template("cannot read a template: a comment has no end");
  }

  Result<std::vector<TemplateNode>> ended(End end, const ActionParser& parser,
                                          std::vector<TemplateNode> nodes) {
    if (!parser.done()) {
      return wrong_template(
          fmt::format("cannot read '{}' in a template: it is not supported here", parser.rest()));
    }
    end_ = end;
    return nodes;
  }

  static Result<Pipeline> whole_pipeline(ActionParser& parser) {
    auto pipeline = parser.pipeline(0);
    if (pipeline && !parser.done()) {
      return wrong_template(fmt::format("cannot read '{}' in a template", parser.rest()));
    }
    return pipeline;
  }

  // What stands behind the condition of `node`, up to its end.
  Result<void> branches(TemplateNode& node, int depth) {
    auto then = list(depth + 1);
    if (!then) return std::unexpected(std::move(then.error()));
    node.then = std::move(*then);
    if (end_ == End::kText) return wrong_template("cannot read a template: an if has no end");
    if (end_ == End::kEnd) return {};
    if (else_if_) {
      TemplateNode nested{.pipeline = std::move(condition_), .conditional = true};
      auto fine = branches(nested, depth + 1);
      node.otherwise.push_back(std::move(nested));
      return fine;
    }
    auto otherwise = list(depth + 1);
    if (!otherwise) return std::unexpected(std::move(otherwise.error()));
    node.otherwise = std::move(*otherwise);
    if (end_ != End::kEnd) return wrong_template("cannot read a template: an else has no end");
    return {};
  }

  std::string_view rest_;
  End end_ = End::kText;
  bool else_if_ = false;  // whether the else that ended a list is one with a condition,
  Pipeline condition_;    // and that
};

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  if (text.size() > kMostTemplate)
    return wrong_template("cannot take a template of more than 64 KiB");
  auto nodes = TemplateParser(text).parse();
  if (!nodes) return std::unexpected(std::move(nodes.error()));
  auto root = std::make_shared<TemplateNode>();
  root->then = std::move(*nodes);
  std::string tried;
  if (auto done = expand_into(tried, root->then, {}); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return Template(std::move(root));
}

Result<std::string> Template::expand(const TemplateData& data) const {
  std::string out;
  if (auto done = expand_into(out, root_->then, {&data.labels, data.value}); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return out;
}

}  // namespace gpuscope::alert

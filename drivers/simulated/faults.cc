#include "faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace gpuscope::simulated {
namespace {

using base::ErrorKind;
using base::Result;

struct NamedError {
  std::string_view name;
  nvmlReturn_t code;
};
constexpr std::array<NamedError, 12> kNamedErrors{{
    {"invalid_argument", NVML_ERROR_INVALID_ARGUMENT},
    {"not_supported", NVML_ERROR_NOT_SUPPORTED},
    {"no_permission", NVML_ERROR_NO_PERMISSION},
    {"not_found", NVML_ERROR_NOT_FOUND},
    {"not_loaded", NVML_ERROR_DRIVER_NOT_LOADED},
    {"timeout", NVML_ERROR_TIMEOUT},
    {"irq_issue", NVML_ERROR_IRQ_ISSUE},
    {"lost", NVML_ERROR_GPU_IS_LOST},
    {"reset_required", NVML_ERROR_RESET_REQUIRED},
    {"operating_system", NVML_ERROR_OPERATING_SYSTEM},
    {"mismatch", NVML_ERROR_LIB_RM_VERSION_MISMATCH},
    {"unknown", NVML_ERROR_UNKNOWN},
}};
constexpr unsigned int kMaxErrorCode = 999;

// Text before the first `mark` and after it; the second is empty and `found` false without one.
struct Split {
  std::string_view before;
  std::string_view after;
  bool found;
};
Split split(std::string_view text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}, false};
  return {base::trimmed(text.substr(0, at)), base::trimmed(text.substr(at + mark.size())), true};
}

template <typename T>
bool parse_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// "500ms", "30s", "2m".
bool parse_duration(std::string_view text, Milliseconds& out) {
  constexpr std::uint32_t kMaxCount = 1'000'000;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint32_t count = 0;
  if (!parse_number(text.substr(0, digits), count) || count > kMaxCount) return false;
  const std::string_view unit = text.substr(digits);
  if (unit == "ms") {
    out = Milliseconds(count);
  } else if (unit == "s") {
    out = std::chrono::seconds(count);
  } else if (unit == "m") {
    out = std::chrono::minutes(count);
  } else {
    return false;
  }
  return true;
}

std::optional<nvmlReturn_t> error_code(std::string_view text) {
  const auto* named = std::ranges::find(kNamedErrors, text, &NamedError::name);
  if (named != kNamedErrors.end()) return named->code;
  unsigned int code = 0;
  if (!parse_number(text, code) || code == 0 || code > kMaxErrorCode) return std::nullopt;
  return static_cast<nvmlReturn_t>(code);
}

// "5s", "5s..20s", "..20s". Relative to what is already there: a block's own length.
bool parse_window(std::string_view text, FaultRule& rule) {
  const auto [from, until, ranged] = split(text, "..");
  if (!from.empty() && !parse_duration(from, rule.from)) return false;
  if (!ranged) return !from.empty();
  Milliseconds end{0};
  if (!parse_duration(until, end) || end <= rule.from) return false;
  rule.until = end;
  return true;
}

bool parse_target(std::string_view text, FaultRule& rule) {
  if (text == "init") {
    rule.target = FaultRule::Target::kInit;
    rule.function = "*";
    return true;
  }
  const auto [gpu, function, has_gpu] = split(text, ":");
  rule.function = has_gpu ? function : text;
  rule.target = has_gpu ? FaultRule::Target::kGpu : FaultRule::Target::kFunction;
  if (has_gpu && gpu != "*") {
    std::size_t index = 0;
    if (!parse_number(gpu, index)) return false;
    rule.gpu = index;
  }
  const std::string_view name = rule.function;
  return name == "*" || name.starts_with("nvml") || name.starts_with("field/");
}

bool parse_effect(std::string_view text, FaultRule& rule) {
  const auto [word, argument, has_argument] = split(text, ":");
  if (word == "slow") {
    return parse_duration(argument, rule.outcome.delay);
  }
  if (word == "block") {
    rule.outcome.blocked = true;
    Milliseconds length{0};
    if (!has_argument) return true;
    if (rule.until || !parse_duration(argument, length)) return false;
    rule.until = rule.from + length;
    return true;
  }
  const auto code = error_code(word == "error" ? argument : word);
  if (!code || has_argument != (word == "error")) return false;
  rule.outcome.error = *code;
  return true;
}

Result<FaultRule> parse_rule(std::string_view text) {
  FaultRule rule;
  const auto wrong = [&](std::string_view part, std::string_view expected) {
    return base::fail(
        ErrorKind::kInvalidArgument,
        fmt::format("cannot understand '{}' in the fault '{}': expected {}", part, text, expected));
  };
  const auto [target, action, has_action] = split(text, "=");
  if (!has_action) return wrong(text, "TARGET=EFFECT, such as 1:nvmlDeviceGetPowerUsage=error:999");
  if (!parse_target(target, rule)) {
    return wrong(target,
                 "init, FUNCTION, GPU:FUNCTION or *:FUNCTION, where FUNCTION is *, "
                 "field/ID or the name of an NVML function and may end in *");
  }
  const auto [effect, window, has_window] = split(action, "@");
  if (has_window && !parse_window(window, rule)) {
    return wrong(window, "a time window such as 5s, 5s..20s or ..500ms");
  }
  if (!parse_effect(effect, rule)) {
    return wrong(effect,
                 "error:CODE, slow:TIME, block, block:TIME, lost, mismatch, not_loaded, "
                 "no_permission or another error's name");
  }
  return rule;
}

bool names(std::string_view pattern, std::string_view function) {
  if (!pattern.ends_with('*')) return pattern == function;
  return function.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool fits(const FaultRule& rule, const CallSite& call) {
  // A field is asked for inside a call that "*" has already struck.
  if (rule.function == "*" && call.function.starts_with("field/")) return false;
  switch (rule.target) {
    case FaultRule::Target::kInit:
      return call.init;
    case FaultRule::Target::kFunction:
      break;
    case FaultRule::Target::kGpu:
      if (!call.gpu || (rule.gpu && *rule.gpu != *call.gpu)) return false;
      break;
  }
  return names(rule.function, call.function);
}

}  // namespace

Result<FaultPlan> FaultPlan::parse(std::string_view text) {
  FaultPlan plan;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(";\n"), text.size());
    const std::string_view item = base::trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty() || item.starts_with('#')) continue;
    Result<FaultRule> rule = parse_rule(item);
    if (!rule) return std::unexpected(std::move(rule.error()));
    plan.rules_.push_back(std::move(*rule));
  }
  return plan;
}

Outcome FaultPlan::at(const CallSite& call, Milliseconds since) const {
  Outcome sum;
  for (const FaultRule& rule : rules_) {
    if (since < rule.from || (rule.until && since >= *rule.until) || !fits(rule, call)) continue;
    if (sum.error == NVML_SUCCESS) sum.error = rule.outcome.error;
    sum.delay = std::max(sum.delay, rule.outcome.delay);
    sum.blocked = sum.blocked || rule.outcome.blocked;
  }
  return sum;
}

}  // namespace gpuscope::simulated

#include "device/smi/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/text.h"

namespace gpuscope::device::smi {
namespace {

using base::same_word;
using model::Absence;
using model::Reading;

struct AbsenceWord {
  std::string_view text;  // in lower case; a text that begins with it means the same
  Absence absence;
  bool whole = false;  // only the whole text means it
};

constexpr std::array kAbsenceWords{
    AbsenceWord{"n/a", Absence::kUnsupported, true},
    AbsenceWord{"-", Absence::kUnsupported, true},
    AbsenceWord{"not supported", Absence::kUnsupported},
    AbsenceWord{"not available", Absence::kUnsupported},
    AbsenceWord{"not found", Absence::kUnsupported, true},
    AbsenceWord{"function not found", Absence::kUnsupported},
    AbsenceWord{"requested functionality has been deprecated", Absence::kUnsupported},
    AbsenceWord{"deprecated", Absence::kUnsupported, true},
    AbsenceWord{"insufficient permission", Absence::kDenied},
    AbsenceWord{"no permission", Absence::kDenied},
    AbsenceWord{"gpu is lost", Absence::kGone},
    AbsenceWord{"timeout", Absence::kTimedOut, true},
    AbsenceWord{"timed out", Absence::kTimedOut, true},
    AbsenceWord{"unknown error", Absence::kFailed},
    AbsenceWord{"err!", Absence::kFailed},
    AbsenceWord{"insufficient size", Absence::kFailed},
    AbsenceWord{"gpu requires reset", Absence::kFailed},
    AbsenceWord{"reset required", Absence::kFailed},
};

bool begins(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         same_word(text.substr(0, lower_case.size()), lower_case);
}

std::string_view unbracketed(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = trimmed(text.substr(1, text.size() - 2));
  }
  return text;
}

// What a number is multiplied with, and the units that may stand behind it.
struct Scale {
  int decimals = 0;
  std::int64_t factor = 1;
  bool may_be_negative = false;
  std::array<std::string_view, 2> units{};
};

Scale scale_of(Form form) {
  switch (form) {
    case Form::kPercent:
      return {.decimals = 2, .units = {"%"}};
    case Form::kMebibytes:
      return {.factor = std::int64_t{1} << 20U, .units = {"MiB", "MB"}};
    case Form::kCelsius:
      return {.decimals = 1, .may_be_negative = true, .units = {"C"}};
    case Form::kWatts:
      return {.decimals = 3, .units = {"W"}};
    case Form::kMegahertz:
      return {.units = {"MHz"}};
    case Form::kKilobytesPerSecond:
      return {.factor = 1000, .units = {"KB/s"}};
    case Form::kMicroseconds:
      return {.factor = 1000, .units = {"us"}};
    case Form::kLanes:
      return {.units = {"x"}};
    default:
      return {.units = {"bank(s)"}};
  }
}

// Digits with at most one point, as an integer in units of 10^-decimals, the rest rounded off.
// Takes them off the front of `text`.
std::optional<std::int64_t> take_decimal(std::string_view& text, int decimals) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  std::int64_t value = 0;
  int places = -1;  // behind the point
  bool digits = false;
  bool round_up = false;
  for (; !text.empty(); text.remove_prefix(1)) {
    const char c = text.front();
    if (c == '.' && places < 0) {
      places = 0;
      continue;
    }
    if (c < '0' || c > '9') break;
    digits = true;
    if (places >= decimals) {
      if (places++ == decimals) round_up = c >= '5';
      continue;
    }
    if (places >= 0) ++places;
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, c - '0', &value)) {
      return std::nullopt;
    }
  }
  if (!digits) return std::nullopt;
  for (int i = std::max(places, 0); i < decimals; ++i) {
    if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
  }
  if (round_up && __builtin_add_overflow(value, 1, &value)) return std::nullopt;
  return negative ? -value : value;
}

Reading parse_quantity(std::string_view text, Form form) {
  const Scale scale = scale_of(form);
  const auto value = take_decimal(text, scale.decimals);
  text = trimmed(text);
  const bool unit_fits = text.empty() || (text == scale.units[0]) || (text == scale.units[1]);
  std::int64_t product = 0;
  if (!value || !unit_fits || (*value < 0 && !scale.may_be_negative) ||
      __builtin_mul_overflow(*value, scale.factor, &product)) {
    return Reading::none(Absence::kFailed);
  }
  return Reading::of(product);
}

struct Word {
  std::string_view text;  // in lower case
  std::int64_t value;
};

constexpr std::array kFlagWords{
    Word{"active", 1},   Word{"not active", 0}, Word{"yes", 1}, Word{"no", 0},   Word{"enabled", 1},
    Word{"disabled", 0}, Word{"on", 1},         Word{"off", 0}, Word{"true", 1}, Word{"false", 0}};
constexpr std::array kRecoveryWords{
    Word{"none", 0},        Word{"reset", 1},     Word{"gpu reset", 1},      Word{"reboot", 2},
    Word{"node reboot", 2}, Word{"drain p2p", 3}, Word{"drain and reset", 4}};
constexpr std::array kComputeModeWords{Word{"default", 0}, Word{"exclusive_thread", 1},
                                       Word{"prohibited", 2}, Word{"exclusive_process", 3}};
constexpr std::array kVirtualizationWords{Word{"none", 0}, Word{"pass-through", 1}, Word{"vgpu", 2},
                                          Word{"host vgpu", 3}};

Reading parse_word(std::string_view text, std::span<const Word> words) {
  for (const Word& word : words) {
    if (same_word(text, word.text)) return Reading::of(word.value);
  }
  return Reading::none(absence_in(text).value_or(Absence::kFailed));
}

Reading parse_performance_state(std::string_view text) {
  constexpr std::int64_t kLast = 15;
  if (text.empty() || base::lower(text.front()) != 'p') return Reading::none(Absence::kFailed);
  const auto number = parse_number(text.substr(1));
  if (!number || *number < 0 || *number > kLast) return Reading::none(Absence::kFailed);
  return Reading::of(*number);
}

bool is_hex(char c) {
  return base::is_digit(c) || (base::lower(c) >= 'a' && base::lower(c) <= 'f');
}

}  // namespace

std::string_view trimmed(std::string_view text) { return base::trimmed(text, " \t\r\n\v\f"); }

std::optional<Absence> absence_in(std::string_view text) {
  text = unbracketed(text);
  if (text.empty()) return Absence::kUnsupported;
  for (const AbsenceWord& word : kAbsenceWords) {
    if (word.whole ? same_word(text, word.text) : begins(text, word.text)) return word.absence;
  }
  return std::nullopt;
}

bool asks_for_reset(std::string_view text) {
  text = unbracketed(text);
  return begins(text, "gpu requires reset") || begins(text, "reset required");
}

Reading parse_reading(std::string_view text, Form form) {
  text = unbracketed(text);
  switch (form) {
    case Form::kRecoveryAction:
      return parse_word(text, kRecoveryWords);
    case Form::kVirtualization:
      return parse_word(text, kVirtualizationWords);
    default:
      break;
  }
  if (same_word(text, "none")) return Reading::none(Absence::kUnsupported);
  if (const auto absence = absence_in(text)) return Reading::none(*absence);
  switch (form) {
    case Form::kFlag:
      return parse_word(text, kFlagWords);
    case Form::kComputeMode:
      return parse_word(text, kComputeModeWords);
    case Form::kPerformanceState:
      return parse_performance_state(text);
    case Form::kLicense:
      if (begins(text, "licensed")) return Reading::of(1);
      if (begins(text, "unlicensed")) return Reading::of(0);
      return Reading::none(Absence::kFailed);
    default:
      return parse_quantity(text, form);
  }
}

model::Text parse_text(std::string_view text) {
  text = trimmed(text);
  if (same_word(unbracketed(text), "none")) return model::Text::none(Absence::kUnsupported);
  if (const auto absence = absence_in(text)) return model::Text::none(*absence);
  return model::Text::of(std::string(text));
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  return base::parse_number<std::int64_t>(trimmed(text));
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  text = trimmed(text);
  if (!begins(text, "0x")) return std::nullopt;
  text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string normalized_bus_id(std::string_view text) {
  text = trimmed(text);
  if (begins(text, "pci:")) text.remove_prefix(4);
  // domain:bus:device[.function]
  std::array<std::uint64_t, 3> numbers{};
  constexpr std::array<std::size_t, 3> kDigits{8, 2, 2};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto length =
        static_cast<std::size_t>(std::ranges::find_if_not(text, is_hex) - text.begin());
    if (length == 0 || length > kDigits[i]) return {};
    const char* digits = text.data();
    std::from_chars(digits, digits + length, numbers[i], 16);
    text.remove_prefix(length);
    if (i + 1 == numbers.size()) break;
    if (text.empty() || text.front() != ':') return {};
    text.remove_prefix(1);
  }
  std::string_view function = "0";
  if (text.size() == 2 && text[0] == '.' && is_hex(text[1])) {
    function = text.substr(1);
  } else if (!text.empty()) {
    return {};
  }
  return fmt::format("{:08X}:{:02X}:{:02X}.{}", numbers[0], numbers[1], numbers[2], function);
}

std::string_view program_name(std::string_view command) {
  command = trimmed(command);
  // A path of Windows may have blanks in it; a command line of Linux has them behind the program.
  if (command.find('\\') == std::string_view::npos) command = command.substr(0, command.find(' '));
  const std::size_t slash = command.find_last_of("/\\");
  return slash == std::string_view::npos || slash + 1 == command.size() ? command
                                                                        : command.substr(slash + 1);
}

}  // namespace gpuscope::device::smi

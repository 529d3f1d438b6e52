// How values of settings are checked, and how they reach the fields that they are for.
#pragma once

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/secret.h"
#include "base/text.h"
#include "config/settings.h"

namespace gpuscope::config {

// ---- what several settings take; nullopt for anything else

// All of `text` is a number from `least` to `most`. `format`: how one with decimals is written.
template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most,
                                   std::chars_format format = std::chars_format::fixed) {
  const auto number = base::parse_number<Number>(text, format);
  return number && *number >= least && *number <= most ? number : std::nullopt;
}

// "on" or "off".
std::optional<bool> parse_on_off(std::string_view text);
// YAML's own words for it, too.
std::optional<bool> parse_switch(std::string_view text);
// A duration of base::parse_duration() from `least` to `most`.
std::optional<std::chrono::milliseconds> parse_within(
    std::string_view text, std::chrono::milliseconds least,
    std::chrono::milliseconds most = std::chrono::milliseconds::max());

// ---- checks for the rows of a table

template <auto parse>
std::string check_by(const Setting& row, std::string_view value) {
  return parse(value) ? "" : is_not(row, value);
}
template <auto kLeast, auto kMost>
std::string check_number(const Setting& row, std::string_view value) {
  return parse_number(value, kLeast, kMost) ? "" : is_not(row, value);
}
// Not empty.
std::string check_present(const Setting& row, std::string_view value);
// Not empty; does not repeat what it was given.
std::string check_secret(const Setting& row, std::string_view value);
std::string check_url(const Setting& row, std::string_view value);

// ---- from a checked value to its field

// nullopt: nobody gave one.
std::optional<std::string> text_of(const Values& values, std::string_view flag);
// What stands in the setting, or in the file that the one with "-file" behind its name names.
base::Secret secret_of(const Values& values, const std::string& flag);

// Each leaves the field as it is where nobody gave a value.
void take(const Values& values, std::string_view flag, std::string& field);
template <typename Field, typename Parse>
void take(const Values& values, std::string_view flag, Field& field, Parse parse) {
  const auto text = text_of(values, flag);
  if (!text) return;
  if (auto parsed = parse(*text)) field = *std::move(parsed);
}
template <typename Number>
void take_number(const Values& values, std::string_view flag, Number& field) {
  constexpr double kMost = 1e12;
  take(values, flag, field, [](std::string_view text) -> std::optional<Number> {
    const auto number = parse_number(text, 0.0, kMost, std::chars_format::general);
    return number ? std::optional(static_cast<Number>(*number)) : std::nullopt;
  });
}

}  // namespace gpuscope::config

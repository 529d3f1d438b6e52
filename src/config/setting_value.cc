#include "config/setting_value.h"

#include <fmt/format.h>

#include "base/duration.h"
#include "base/web_url.h"

namespace gpuscope::config {

std::optional<bool> parse_on_off(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
  return std::nullopt;
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return parse_on_off(text);
}

std::optional<std::chrono::milliseconds> parse_within(std::string_view text,
                                                      std::chrono::milliseconds least,
                                                      std::chrono::milliseconds most) {
  const auto parsed = base::parse_duration(text);
  return parsed && *parsed >= least && *parsed <= most ? parsed : std::nullopt;
}

std::string check_present(const Setting& row, std::string_view value) {
  return value.empty() ? is_not(row, value) : "";
}

std::string check_secret(const Setting& row, std::string_view value) {
  return value.empty() ? fmt::format("it is not {}", row.takes) : "";
}

std::string check_url(const Setting&, std::string_view value) { return base::check_web_url(value); }

std::optional<std::string> text_of(const Values& values, std::string_view flag) {
  const auto found = values.find(flag);
  return found == values.end() ? std::nullopt : std::optional(found->second.text);
}

base::Secret secret_of(const Values& values, const std::string& flag) {
  return {text_of(values, flag).value_or(""), text_of(values, flag + "-file").value_or("")};
}

void take(const Values& values, std::string_view flag, std::string& field) {
  if (auto text = text_of(values, flag)) field = *std::move(text);
}

}  // namespace gpuscope::config

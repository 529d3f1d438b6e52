#include "prom/exposition.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "model/labels.h"

namespace gpuscope::prom {
namespace {

// Takes a name off the front; a metric's may have colons.
std::string_view take_name(std::string_view& text, bool of_metric) {
  std::size_t end = 0;
  while (end < text.size() && (base::is_name_char(text[end]) || (of_metric && text[end] == ':')) &&
         (end > 0 || !base::is_digit(text[end]))) {
    ++end;
  }
  const std::string_view name = text.substr(0, end);
  text.remove_prefix(end);
  return name;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Takes a value and its closing quote off the front.
bool take_value(std::string_view& text, std::string& value) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') return true;
    if (c != '\\') {
      value += c;
      continue;
    }
    if (text.empty()) return false;
    const char escaped = text.front();
    text.remove_prefix(1);
    if (escaped != '\\' && escaped != '"' && escaped != 'n') return false;
    value += escaped == 'n' ? '\n' : escaped;
  }
  return false;
}

// What stands between the braces, and the closing one.
bool take_labels(std::string_view& text, Labels& labels) {
  for (;;) {
    if (take(text, '}')) return true;
    const std::string_view name = take_name(text, false);
    std::string value;
    if (name.empty() || !take(text, '=') || !take(text, '"') || !take_value(text, value)) {
      return false;
    }
    labels.emplace_back(name, std::move(value));
    if (!take(text, ',') && (text.empty() || text.front() != '}')) return false;
  }
}

}  // namespace

std::optional<SampleLine> next_sample(std::string_view& text) {
  for (;;) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    if (!line.empty() && line.front() != '#') {
      const std::size_t blank = line.rfind(' ');
      if (blank == std::string_view::npos || blank == 0) return std::nullopt;
      SampleLine sample{line.substr(0, blank)};
      const char* const last = line.data() + line.size();
      const auto [stop, error] = std::from_chars(line.data() + blank + 1, last, sample.value);
      if (error != std::errc{} || stop != last) return std::nullopt;
      text.remove_prefix(end + 1);
      return sample;
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<Labels> parse_series(std::string_view series) {
  Labels labels;
  const std::string_view name = take_name(series, true);
  if (name.empty()) return std::nullopt;
  labels.emplace_back(model::kNameLabel, name);
  if (take(series, '{') && !take_labels(series, labels)) return std::nullopt;
  if (!series.empty()) return std::nullopt;
  std::ranges::sort(labels);
  const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::ranges::adjacent_find(labels, same_name) != labels.end()) return std::nullopt;
  std::erase_if(labels, [](const auto& label) { return label.second.empty(); });
  return labels;
}

}  // namespace gpuscope::prom

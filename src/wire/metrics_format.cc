#include "wire/metrics_format.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/text.h"

namespace gpuscope::wire {
namespace {

using base::same_word;

constexpr std::string_view kSpaces = " \t";
constexpr int kWhole = 1000;  // q is in thousandths

// Cuts what stands before the first `separator` outside of quotes off `text`, with the separator.
std::string_view cut(std::string_view& text, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != separator); ++end) {
    if (text[end] == '"') quoted = !quoted;
    if (text[end] == '\\' && quoted && end + 1 < text.size()) ++end;
  }
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return base::trimmed(head, kSpaces);
}

std::string_view unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    return value.substr(1, value.size() - 2);
  }
  return value;
}

// "0.25" is 250. What is no such number is 0: not wanted.
int parse_q(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  int value = text[0] == '1' ? kWhole : 0;
  if (text.size() > 1 && text[1] != '.') return 0;
  int place = kWhole / 10;
  for (std::size_t i = 2; i < text.size(); ++i, place /= 10) {
    if (text[i] < '0' || text[i] > '9') return 0;
    value += place * (text[i] - '0');
  }
  return std::min(value, kWhole);
}

struct Range {
  std::string_view type;
  std::string_view version;
  int q = kWhole;
};

Range parse_range(std::string_view text) {
  Range range;
  range.type = cut(text, ';');
  while (!text.empty()) {
    std::string_view value = cut(text, ';');
    const std::string_view name = cut(value, '=');
    value = unquoted(base::trimmed(value, kSpaces));
    if (same_word(name, "q")) range.q = parse_q(value);
    if (same_word(name, "version")) range.version = value;
  }
  return range;
}

}  // namespace

MetricsFormat choose_metrics_format(std::string_view accept) {
  int open_metrics = 0;
  std::optional<int> text;      // named
  std::optional<int> any_text;  // text/*
  std::optional<int> any;       // */*
  while (!accept.empty()) {
    const Range range = parse_range(cut(accept, ','));
    const auto keep = [&](std::optional<int>& best) { best = std::max(best.value_or(0), range.q); };
    if (same_word(range.type, "application/openmetrics-text")) {
      if (range.version.empty() || range.version == "1.0.0") {
        open_metrics = std::max(open_metrics, range.q);
      }
    } else if (same_word(range.type, "text/plain")) {
      keep(text);
    } else if (same_word(range.type, "text/*")) {
      keep(any_text);
    } else if (same_word(range.type, "*/*")) {
      keep(any);
    }
  }
  const int older = text.value_or(any_text.value_or(any.value_or(0)));
  return open_metrics > 0 && open_metrics >= older ? MetricsFormat::kOpenMetrics
                                                   : MetricsFormat::kPrometheus;
}

}  // namespace gpuscope::wire

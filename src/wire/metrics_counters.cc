#include "wire/metrics_counters.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "model/naming.h"

namespace gpuscope::wire {
namespace {

using base::trimmed;

constexpr std::size_t kLongestShown = 80;  // of a stranger's text in a warning

// One line of UTF-8 without control characters.
std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    if (length == 0) {
      out += base::kReplacement;
    } else if (static_cast<unsigned char>(text.front()) < 0x20) {
      out += ' ';
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string shown(std::string_view text) {
  std::string out = printable(text.substr(0, kLongestShown));
  if (text.size() > kLongestShown) out += "…";
  return out;
}

// Cuts one part off the front of `line`, with the comma behind it. The last part takes all.
std::optional<std::string> cut(std::string_view& line, bool last) {
  const std::string_view rest = trimmed(line);
  if (rest.empty() || rest.front() != '"') {
    const std::size_t comma = last ? line.npos : line.find(',');
    const std::string_view part = line.substr(0, comma);
    line.remove_prefix(comma == line.npos ? line.size() : comma + 1);
    return std::string(trimmed(part));
  }
  std::string part;
  std::size_t at = 1;
  for (;; ++at) {
    if (at >= rest.size()) return std::nullopt;  // the quote never ends
    if (rest[at] == '"') {
      if (at + 1 >= rest.size() || rest[at + 1] != '"') break;
      ++at;
    }
    part += rest[at];
  }
  std::string_view behind = trimmed(rest.substr(at + 1));
  if (!behind.empty() && behind.front() != ',') return std::nullopt;
  if (!behind.empty()) behind.remove_prefix(1);
  line = behind;
  return std::string(trimmed(part));
}

bool is_family(std::string_view field) {
  return std::ranges::any_of(model::dcgm_families(), [field](const model::MetricsFamily& family) {
    return family.name == field || family.new_name == field;
  });
}

bool is_label_field(std::string_view field) {
  return std::ranges::any_of(model::dcgm_label_fields(), [field](const model::LabelField& label) {
    return label.name == field || label.new_name == field;
  });
}

// What is wrong with a line, or nothing and the counter.
std::string read_line(std::string_view line, Counter& counter) {
  const auto field = cut(line, false);
  const auto type = field ? cut(line, false) : std::nullopt;
  const auto help = type ? cut(line, true) : std::nullopt;
  if (!help) return "a quote does not end, or something follows it";
  if (type->empty()) return "a line is FIELD, type, help";
  counter.is_label = *type == "label";
  counter.is_counter = *type == "counter";
  if (!counter.is_label && !counter.is_counter && *type != "gauge") {
    return "'" + shown(*type) + "' is not gauge, counter or label";
  }
  if (counter.is_label ? !is_label_field(*field) : !is_family(*field)) {
    return "'" + shown(*field) + "' is no field that this agent has" +
           (counter.is_label ? " as a label" : "");
  }
  counter.field = *field;
  counter.help = printable(*help);
  return {};
}

}  // namespace

CounterList parse_counters(std::string_view text, std::string_view file) {
  CounterList list;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    Counter counter;
    std::string wrong = read_line(line, counter);
    if (wrong.empty() &&
        std::ranges::find(list.counters, counter.field, &Counter::field) != list.counters.end()) {
      wrong = "'" + counter.field + "' stands there twice";
    }
    if (wrong.empty()) {
      list.counters.push_back(std::move(counter));
    } else {
      list.warnings.push_back(std::string(file) + ":" + std::to_string(number) + ": " + wrong +
                              "; the line is left out");
    }
  }
  return list;
}

}  // namespace gpuscope::wire

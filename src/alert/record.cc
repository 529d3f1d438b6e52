#include "alert/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace gpuscope::alert {
namespace {

using base::ErrorKind;
using base::Result;
using model::AlertState;

constexpr std::string_view kBreaks = "cannot read a record of alerts: ";

std::unexpected<base::Error> broken(std::string_view what) {
  return base::fail(ErrorKind::kInvalidArgument, std::string(kBreaks).append(what));
}

// FNV-1a.
constexpr std::uint64_t kHashStart = 0xcbf29ce484222325;
std::uint64_t hash(std::uint64_t state, std::string_view text) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return (state ^ 0xff) * 0x100000001b3;  // 0xff is in no UTF-8: the text's end counts
}

template <typename Number>
Result<Number> parse(const RecordField& field) {
  Number value{};
  const char* const end = field.value.data() + field.value.size();
  const auto [at, error] = std::from_chars(field.value.data(), end, value);
  if (error != std::errc{} || at != end) return broken(field.name + " is no number");
  return value;
}

std::optional<AlertState> state_of(std::string_view name) {
  for (const auto state : {AlertState::kPending, AlertState::kFiring, AlertState::kResolved}) {
    if (model::alert_state_name(state) == name) return state;
  }
  return std::nullopt;
}

}  // namespace

void RecordWriter::add(std::string_view name, std::string_view value) {
  text_.append(name).append(" ");
  for (const char c : value) {
    if (c == '\\') {
      text_ += "\\\\";
    } else if (c == '\n') {
      text_ += "\\n";
    } else if (c == '\0') {
      text_ += "\\0";
    } else {
      text_ += c;
    }
  }
  text_ += '\n';
}

void RecordWriter::add(std::string_view name, base::WallTime value) {
  add(name, fmt::format("{}", value.time_since_epoch().count()));
}

void RecordWriter::add(std::string_view name, const std::optional<base::WallTime>& value) {
  if (value) add(name, *value);
}

void RecordWriter::add(std::string_view name, std::uint64_t value) {
  add(name, fmt::format("{}", value));
}

void RecordWriter::add(std::string_view name, double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), value);
  add(name, std::string_view(digits.begin(), end.ptr));
}

void RecordWriter::add(std::string_view name, const model::Labels& labels) {
  for (const auto& [label, value] : labels) add(name, label + " " + value);
}

Result<std::vector<RecordField>> read_record(std::string_view text) {
  std::vector<RecordField> fields;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t blank = text.find(' ');
    if (end == std::string_view::npos || blank > end)
      return broken("a line has no value or no end");
    RecordField field{std::string(text.substr(0, blank)), ""};
    for (std::size_t i = blank + 1; i < end; ++i) {
      if (text[i] != '\\') {
        field.value += text[i];
        continue;
      }
      const char escaped = ++i < end ? text[i] : ' ';
      if (escaped != '\\' && escaped != 'n' && escaped != '0') return broken("a stray backslash");
      field.value += escaped == 'n' ? '\n' : escaped == '0' ? '\0' : '\\';
    }
    fields.push_back(std::move(field));
    text.remove_prefix(end + 1);
  }
  return fields;
}

Result<base::WallTime> time_of(const RecordField& field) {
  // Times beyond the year 9999 are nobody's.
  constexpr std::int64_t kLatest = 253'402'300'799'999'999;
  const auto micros = parse<std::int64_t>(field);
  if (!micros) return std::unexpected(micros.error());
  if (*micros < 0 || *micros > kLatest) return broken(field.name + " is no time");
  return base::WallTime{std::chrono::microseconds{*micros}};
}

Result<std::uint64_t> number_of(const RecordField& field) { return parse<std::uint64_t>(field); }

Result<void> add_label(model::Labels& labels, const RecordField& field) {
  const std::size_t blank = field.value.find(' ');
  if (blank == 0 || blank == std::string::npos) return broken("a label has no name or no value");
  std::pair<std::string, std::string> label{field.value.substr(0, blank),
                                            field.value.substr(blank + 1)};
  const auto at = std::ranges::lower_bound(labels, label.first, {}, &decltype(label)::first);
  if (at != labels.end() && at->first == label.first) return broken("a label stands there twice");
  labels.insert(at, std::move(label));
  return {};
}

void add_alert(RecordWriter& writer, const KeptAlert& alert) {
  const model::AlertStatus& status = alert.status;
  writer.add("alert", status.rule);
  writer.add("group", alert.group);
  writer.add("state", model::alert_state_name(status.state));
  writer.add("active_since", status.active_since);
  writer.add("fired_at", status.fired_at);
  writer.add("resolved_at", status.resolved_at);
  writer.add("keep_since", alert.keep_since);
  writer.add("value", status.value);
  writer.add("expression", status.expression);
  writer.add("generator_url", status.generator_url);
  writer.add("label", status.labels);
  writer.add("annotation", status.annotations);
}

Result<bool> take_alert_field(KeptAlert& alert, const RecordField& field) {
  model::AlertStatus& status = alert.status;
  const auto time_into = [&](auto& target) -> Result<bool> {
    const auto time = time_of(field);
    if (!time) return std::unexpected(time.error());
    target = *time;
    return true;
  };
  const auto label_into = [&](model::Labels& labels) -> Result<bool> {
    if (auto added = add_label(labels, field); !added) return std::unexpected(added.error());
    return true;
  };
  if (field.name == "active_since") return time_into(status.active_since);
  if (field.name == "fired_at") return time_into(status.fired_at);
  if (field.name == "resolved_at") return time_into(status.resolved_at);
  if (field.name == "keep_since") return time_into(alert.keep_since);
  if (field.name == "label") return label_into(status.labels);
  if (field.name == "annotation") return label_into(status.annotations);
  if (field.name == "value") {
    const auto value = parse<double>(field);
    if (!value) return std::unexpected(value.error());
    status.value = *value;
    return true;
  }
  if (field.name == "state") {
    const auto state = state_of(field.value);
    if (!state) return broken("there is no state " + field.value);
    status.state = *state;
    return true;
  }
  for (const auto& [name, text] :
       {std::pair{"alert", &status.rule}, std::pair{"group", &alert.group},
        std::pair{"expression", &status.expression},
        std::pair{"generator_url", &status.generator_url}}) {
    if (field.name != name) continue;
    *text = field.value;
    return true;
  }
  return false;
}

std::string write_alert(const KeptAlert& alert) {
  RecordWriter writer;
  add_alert(writer, alert);
  return writer.take();
}

Result<KeptAlert> read_alert(std::string_view text) {
  const auto fields = read_record(text);
  if (!fields) return std::unexpected(fields.error());
  KeptAlert alert;
  for (const RecordField& field : *fields) {
    const auto taken = take_alert_field(alert, field);
    if (!taken) return std::unexpected(taken.error());
  }
  if (alert.status.labels.empty()) return broken("an alert has no labels");
  if (alert.status.state != AlertState::kPending && !alert.status.fired_at) {
    return broken("an alert fires since nobody knows when");
  }
  return alert;
}

std::string fingerprint(std::string_view text) {
  return fmt::format("{:016x}", hash(kHashStart, text));
}

std::string fingerprint(const model::Labels& labels) {
  std::uint64_t state = kHashStart;
  for (const auto& [name, value] : labels) state = hash(hash(state, name), value);
  return fmt::format("{:016x}", state);
}

}  // namespace gpuscope::alert

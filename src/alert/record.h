// What alert/ keeps in the StateStore, as text that people can read: docs/formats/alert_records.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/alert_status.h"

namespace gpuscope::alert {

// Kinds in the store.
inline constexpr std::string_view kAlertKind = "alert";        // one for each alert there is
inline constexpr std::string_view kGroupKind = "alert_group";  // what each group was told
inline constexpr std::string_view kSilenceKind = "silence";    // one for each silence
inline constexpr std::string_view kRunKind = "alert_run";      // when rules were evaluated last

// A line for each field: its name, a blank, its value; line ends and backslashes escaped.
class RecordWriter {
 public:
  void add(std::string_view name, std::string_view value);
  void add(std::string_view name, base::WallTime value);  // microseconds since 1970
  void add(std::string_view name, const std::optional<base::WallTime>& value);
  void add(std::string_view name, std::uint64_t value);
  void add(std::string_view name, double value);
  void add(std::string_view name, const model::Labels& labels);  // a line each: "name label value"
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

struct RecordField {
  std::string name;
  std::string value;
};
// kInvalidArgument for what is no record.
base::Result<std::vector<RecordField>> read_record(std::string_view text);
base::Result<base::WallTime> time_of(const RecordField& field);
base::Result<std::uint64_t> number_of(const RecordField& field);
// Adds what a line of labels says.
base::Result<void> add_label(model::Labels& labels, const RecordField& field);

// One alert; `group` is that of its rule.
struct KeptAlert {
  std::string group;
  model::AlertStatus status;
  std::optional<base::WallTime> keep_since;  // since when it fires on without its condition
  friend bool operator==(const KeptAlert&, const KeptAlert&) = default;
};
void add_alert(RecordWriter& writer, const KeptAlert& alert);
// Takes a field of an alert into it; false where it is none of an alert's.
base::Result<bool> take_alert_field(KeptAlert& alert, const RecordField& field);

std::string write_alert(const KeptAlert& alert);
base::Result<KeptAlert> read_alert(std::string_view text);

// A short name for labels, or for any text: 16 hexadecimal digits.
std::string fingerprint(std::string_view text);
std::string fingerprint(const model::Labels& labels);

}  // namespace gpuscope::alert

// What the catalogue's metrics are called outside: one row per Prometheus family. Beside the
// catalogue, so that exposition, JSON, CSV and the query language share one list of names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "model/catalog.h"

namespace gpuscope::model {

// One family: a metric, its name there, and the unit that this name promises. A family of the
// agent's verdict has no metric: its value is Health's number.
struct Family {
  std::optional<Metric> metric;
  std::string_view name;      // "gpu_memory_used_mib"
  std::string_view json_key;  // the same in JSON answers and CSV columns: "memory_used_mib"
  std::string_view help;
  Kind kind = Kind::kGauge;  // kState is exposed as a gauge
  // From the catalogue's unit to the family's: first divided by 2^binary_shift and rounded to the
  // nearest whole (bytes to MiB: 20), then the point moved by decimal_shift digits to the left
  // (percent to ratio: 2) or right (joules to mJ: -3, never past the catalogue's decimals).
  std::uint8_t binary_shift = 0;
  std::int8_t decimal_shift = 0;
};

// A number as wire/ writes it: value / 10^decimals.
struct Scaled {
  std::int64_t value = 0;
  int decimals = 0;
  friend bool operator==(const Scaled&, const Scaled&) = default;
};

// Where the text of a label comes from.
enum class LabelSource : std::uint8_t { kUuid, kIndex, kName, kHealth };

struct Label {
  std::string_view name;
  LabelSource source;
};

// All families of one document, and the labels that each of its series has.
struct Naming {
  std::span<const Family> families;
  std::span<const Label> labels;
};

// The families of /gpu/metric, in the order of its documentation.
Naming gpu_metric_naming();

// "gauge" or "counter", as a TYPE line has it.
std::string_view prometheus_type(Kind kind);

// value / 2^binary_shift, to the nearest whole; halves upwards.
constexpr std::int64_t shift_rounded(std::int64_t value, int binary_shift) {
  return binary_shift == 0 ? value
                           : (value + (std::int64_t{1} << (binary_shift - 1))) >> binary_shift;
}

// Digits behind the point of a family's values.
int decimals(const Family& family);

// A reading's value, in the family's unit.
inline Scaled scale(const Family& family, std::int64_t value) {
  return {shift_rounded(value, family.binary_shift), decimals(family)};
}

}  // namespace gpuscope::model

// What the catalogue's metrics are called outside: one row per Prometheus family. Beside the
// catalogue, so that exposition, JSON, CSV and the query language share one list of names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

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

// ---- /metrics

// What a series of /metrics takes its value from.
enum class FamilySource : std::uint8_t {
  kReading,        // the metric's reading: one series per GPU, fan, link, MIG instance or process
  kLinkSum,        // a metric of links, summed up over the links of a GPU
  kLinkBandwidth,  // kNvlinkTxRate and kNvlinkRxRate together, in DCGM's MB/s of 1024000 bytes
  kLaneBandwidth,  // GpuTrend::link_rates of one link, in the same unit
  kClockEvents,    // kClockEventIdle … kClockEventDisplayClocks as NVML's mask of reasons
  kXidLast,        // kXidLast, with code and text as labels
  kXidsRecent,     // one series per XID: how often it came within kRecent
  kClocksRecent,   // one series per reason: how often it began to hold the clocks within kRecent
  kPeerLinks,      // one series per other GPU: how NVLink reaches it
  kHealthWatches,  // one series per watch of DCGM's: what the verdicts say of it
  kWindowMin,      // of the metric, which is one of kMovingMetrics
  kWindowMean,
  kWindowMax,
};

// Which families are served.
enum class Tier : std::uint8_t {
  kDefault,    // always: dcgm-exporter serves it as it comes
  kCommon,     // always: dcgm-exporter knows it and many switch it on, or nobody else has a name
  kOnRequest,  // only where a list of counters names it; by default the metric has a name of ours
};

struct MetricsFamily {
  std::string_view name;
  std::string_view new_name;  // as DCGM 4.6 and later call it; empty: the same
  Metric metric;
  FamilySource source = FamilySource::kReading;
  Kind kind = Kind::kGauge;  // kState is exposed as a gauge
  Tier tier = Tier::kCommon;
  std::string_view help;
  // As of Family; a decimal_shift may go past the catalogue's decimals here (MHz to Hz: -6).
  std::uint8_t binary_shift = 0;
  std::int8_t decimal_shift = 0;
  // The same of a MIG instance: where a GPU has instances, each has a series and the GPU has none.
  std::optional<Metric> of_instance{};
  std::uint8_t link = 0;  // of kLaneBandwidth
};

// DCGM's families, in the order of dcgm-exporter's own list.
std::span<const MetricsFamily> dcgm_families();
// Those that have no name there, in base units: every metric that no always-served family of
// dcgm_families() has, then three for each of kMovingMetrics. Names follow from the catalogue:
// gpuscope_gpu_, gpuscope_fan_, …, the key with its base unit, _total for a counter.
std::span<const MetricsFamily> gpuscope_families();

// The names under which the values of a metric are served by default, in the order of the page: the
// metric's own, and where it is a part of what they tell.
std::vector<std::string_view> metrics_names(Metric metric);

// A text that a list of counters may put on every series as a label.
struct LabelField {
  std::string_view name;
  std::string_view new_name;  // empty: the same
  Fact fact;
};
std::span<const LabelField> dcgm_label_fields();
// The one that is a label unless a list of counters says otherwise.
inline constexpr Fact kDefaultLabelField = Fact::kDriverVersion;

// As clock_event has them: reason N is the metric kClockEventIdle + N.
std::span<const std::string_view> clock_event_names();

// How /metrics is told to look.
enum class DcgmNames : std::uint8_t { kOld, kNew, kBoth };
std::optional<DcgmNames> parse_dcgm_names(std::string_view text);  // "old", "new", "both"

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

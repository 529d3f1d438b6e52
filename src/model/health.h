// How well a GPU is, and why we say so.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/catalog.h"
#include "model/reading.h"

namespace gpuscope::model {

// The numbers are the values of gpu_health_status.
enum class Health : std::uint8_t {
  kHealthy = 0,
  kCaution = 1,
  kWarning = 2,
  kCritical = 3,
  kUnknown = 4,  // nothing is judged for want of data
};

// "Healthy", "Caution", "Warning", "Critical", "Unknown".
std::string_view health_name(Health health);
// The same in lower case, as label values and JSON have it.
std::string_view health_label(Health health);

// One rule that fired. All texts are static: a finding can be copied without allocating.
struct Finding {
  std::string_view rule;       // the rule's id: "temperature_slowdown"
  std::string_view component;  // "Temperature", "Memory", "Device", …
  Health severity = Health::kHealthy;
  std::string_view reason;  // what was seen, for a person
  std::string_view action;  // what to do about it
  Metric metric = Metric::kTemperature;
  Reading value;  // the evidence, in the metric's scale
  Reading limit;  // what it was held against; absent where the rule is a plain flag
};

// What the vendor's own tool said of this GPU (such as `dcgmi health`), carried beside our verdict.
struct SourceVerdict {
  Health health = Health::kUnknown;
  std::string text;
};

// The verdict on one GPU in one snapshot. Fixed in size: judging allocates nothing.
struct Verdict {
  static constexpr std::size_t kMaxFindings = 8;

  Health overall = Health::kUnknown;  // feeds gpu_health_status and "Overall Health"
  Health gpu = Health::kUnknown;      // the GPU's own child in the health document
  std::string_view temperature;       // "Normal", "Elevated", "High"; empty when unknown
  std::string_view memory;            // "Stable", "Heavy", "Stressed"; empty when unknown

  std::span<const Finding> findings() const { return {findings_.data(), finding_count_}; }
  // Keeps the first kMaxFindings; more than that many rules at once say nothing new.
  void add(const Finding& finding) {
    if (finding_count_ < kMaxFindings) findings_[finding_count_++] = finding;
  }

 private:
  std::array<Finding, kMaxFindings> findings_{};
  std::size_t finding_count_ = 0;
};

}  // namespace gpuscope::model

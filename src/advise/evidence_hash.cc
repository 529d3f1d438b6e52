#include "advise/evidence_hash.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gpuscope::advise {
namespace {

using model::UseEvidence;

constexpr std::int32_t kAbsent = std::numeric_limits<std::int32_t>::min();

// Fills features in order; what is absent takes its places, too.
class Rounder {
 public:
  Rounder(Features& to, const Features* before) : to_(to), before_(before) {}

  void add(std::optional<double> value, double step) {
    const std::size_t at = next_++;
    to_[at] = kAbsent;
    if (!value || !std::isfinite(*value)) return;
    constexpr double kMost = 1e9;
    constexpr double kStays = 0.75;  // half a step, and a quarter
    const double steps = std::clamp(*value / step, -kMost, kMost);
    const bool stays = before_ != nullptr && (*before_)[at] != kAbsent &&
                       std::abs(steps - (*before_)[at]) <= kStays;
    to_[at] = stays ? (*before_)[at] : static_cast<std::int32_t>(std::lround(steps));
  }

  // Mean, extremes and spread in one unit.
  void add_series(const std::optional<model::SeriesSummary>& series, double step) {
    add(series ? std::optional(series->mean) : std::nullopt, step);
    const auto spread = series ? series->spread : std::nullopt;
    add(spread ? std::optional(spread->minimum) : std::nullopt, 2 * step);
    add(spread ? std::optional(spread->maximum) : std::nullopt, 2 * step);
    add(spread ? std::optional(spread->standard_deviation) : std::nullopt, step);
  }

 private:
  Features& to_;
  const Features* before_;
  std::size_t next_ = 0;
};

// FNV-1a.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<std::uint8_t>(c));
    add_byte(0);  // an end: "a" and "b" are not "ab"
  }
  void add(std::int32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
      add_byte(static_cast<std::uint8_t>(static_cast<std::uint32_t>(value) >> shift));
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(std::uint8_t byte) { value_ = (value_ ^ byte) * 1'099'511'628'211U; }

  std::uint64_t value_ = 14'695'981'039'346'656'037U;
};

}  // namespace

Features round_evidence(const UseEvidence& evidence, const Features* before) {
  constexpr double kPoints = 5;
  constexpr double kPowerStep = 20;  // W, where the card's limit is not known
  constexpr double kMemoryStep = 2000;
  Features features{};
  Rounder rounder(features, before);
  rounder.add(evidence.score, kPoints);
  rounder.add_series(evidence.utilization, kPoints);
  rounder.add_series(evidence.memory_copy, kPoints);
  rounder.add_series(evidence.memory_used_mb,
                     std::max(evidence.memory_total_mb.value_or(20 * kMemoryStep), 1.0) / 20);
  rounder.add_series(evidence.power_watts,
                     std::max(evidence.power_limit_watts.value_or(kPowerStep / 0.08), 1.0) * 0.08);
  const auto& detail = evidence.detail;
  rounder.add(detail ? std::optional(detail->busy_share * 100) : std::nullopt, 2 * kPoints);
  rounder.add(
      detail ? std::optional(static_cast<double>(detail->trailing_idle.count())) : std::nullopt,
      std::max(static_cast<double>(evidence.window.count()) / 12, 1.0));
  rounder.add(evidence.sm_active_percent, kPoints);
  rounder.add(evidence.tensor_active_percent, kPoints);
  rounder.add(evidence.memory_bus_active_percent, kPoints);
  return features;
}

std::uint64_t hash_evidence(const UseEvidence& evidence, const Features& features,
                            std::string_view asked) {
  Hash hash;
  hash.add(evidence_key(evidence));
  hash.add(evidence.gpu.model_name);
  hash.add(asked);
  for (const std::int32_t feature : features) hash.add(feature);
  return hash.value();
}

std::uint64_t hash_text(std::string_view text) {
  Hash hash;
  hash.add(text);
  return hash.value();
}

std::string evidence_key(const UseEvidence& evidence) {
  std::string key = evidence.gpu.gpu_id;
  for (const std::string* part :
       {&evidence.gpu.mig_instance, &evidence.gpu.name_space, &evidence.gpu.pod}) {
    key += '\n';
    key += *part;
  }
  return key;
}

}  // namespace gpuscope::advise

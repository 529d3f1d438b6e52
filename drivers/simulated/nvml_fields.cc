// NVML's batch of numbered fields.
#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "answers.h"
#include "driver.h"
#include "latency.h"

namespace gpuscope::simulated {
namespace {

using model::Metric;
using model::Reading;

// How a value comes back.
enum class As { kUnsigned, kSigned, kLong };

struct GpuField {
  unsigned int id;
  Metric metric;
  As as;
};
constexpr std::array kGpuFields{
    GpuField{NVML_FI_DEV_ECC_CURRENT, Metric::kEccMode, As::kUnsigned},
    GpuField{NVML_FI_DEV_ECC_PENDING, Metric::kEccMode, As::kUnsigned},
    GpuField{NVML_FI_DEV_ECC_SBE_VOL_TOTAL, Metric::kEccCorrectedVolatile, As::kLong},
    GpuField{NVML_FI_DEV_ECC_DBE_VOL_TOTAL, Metric::kEccUncorrectedVolatile, As::kLong},
    GpuField{NVML_FI_DEV_ECC_SBE_AGG_TOTAL, Metric::kEccCorrectedAggregate, As::kLong},
    GpuField{NVML_FI_DEV_ECC_DBE_AGG_TOTAL, Metric::kEccUncorrectedAggregate, As::kLong},
    GpuField{NVML_FI_DEV_ECC_SBE_VOL_DEV, Metric::kEccDramCorrectedVolatile, As::kLong},
    GpuField{NVML_FI_DEV_ECC_DBE_VOL_DEV, Metric::kEccDramUncorrectedVolatile, As::kLong},
    GpuField{NVML_FI_DEV_ECC_SBE_AGG_DEV, Metric::kEccDramCorrectedAggregate, As::kLong},
    GpuField{NVML_FI_DEV_ECC_DBE_AGG_DEV, Metric::kEccDramUncorrectedAggregate, As::kLong},
    GpuField{NVML_FI_DEV_RETIRED_SBE, Metric::kRetiredPagesSingleBit, As::kLong},
    GpuField{NVML_FI_DEV_RETIRED_DBE, Metric::kRetiredPagesDoubleBit, As::kLong},
    GpuField{NVML_FI_DEV_RETIRED_PENDING, Metric::kRetiredPagesPending, As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_POWER, Metric::kViolationPowerSeconds, As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_THERMAL, Metric::kViolationThermalSeconds, As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_SYNC_BOOST, Metric::kViolationSyncBoostSeconds, As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT, Metric::kViolationBoardLimitSeconds, As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION, Metric::kViolationLowUtilizationSeconds,
             As::kLong},
    GpuField{NVML_FI_DEV_PERF_POLICY_RELIABILITY, Metric::kViolationReliabilitySeconds, As::kLong},
    GpuField{NVML_FI_DEV_MEMORY_TEMP, Metric::kMemoryTemperature, As::kUnsigned},
    GpuField{NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, Metric::kEnergy, As::kLong},
    GpuField{NVML_FI_DEV_PCIE_REPLAY_COUNTER, Metric::kPcieReplays, As::kUnsigned},
    GpuField{NVML_FI_DEV_REMAPPED_COR, Metric::kRemappedRowsCorrectable, As::kUnsigned},
    GpuField{NVML_FI_DEV_REMAPPED_UNC, Metric::kRemappedRowsUncorrectable, As::kUnsigned},
    GpuField{NVML_FI_DEV_REMAPPED_PENDING, Metric::kRemappedRowsPending, As::kUnsigned},
    GpuField{NVML_FI_DEV_REMAPPED_FAILURE, Metric::kRemappedRowsFailure, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_AVERAGE, Metric::kPowerAverage, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_INSTANT, Metric::kPower, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_MIN_LIMIT, Metric::kPowerLimitMin, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_MAX_LIMIT, Metric::kPowerLimitMax, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_DEFAULT_LIMIT, Metric::kPowerLimitDefault, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_CURRENT_LIMIT, Metric::kPowerLimitEnforced, As::kUnsigned},
    GpuField{NVML_FI_DEV_POWER_REQUESTED_LIMIT, Metric::kPowerLimit, As::kUnsigned},
    GpuField{NVML_FI_DEV_ENERGY, Metric::kEnergy, As::kLong},
    GpuField{NVML_FI_DEV_PCIE_COUNT_TX_BYTES, Metric::kPcieTxTotal, As::kLong},
    GpuField{NVML_FI_DEV_PCIE_COUNT_RX_BYTES, Metric::kPcieRxTotal, As::kLong},
    GpuField{NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, Metric::kRecoveryAction, As::kUnsigned},
    GpuField{NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
             Metric::kClockEventSwThermalSlowdownSeconds, As::kLong},
    GpuField{NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
             Metric::kClockEventHwThermalSlowdownSeconds, As::kLong},
    GpuField{NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
             Metric::kClockEventHwPowerBrakeSeconds, As::kLong},
};

// Fields with the link in the scope; a family of ids has one for each link instead.
struct LinkField {
  unsigned int id;
  Metric metric;
  As as;
};
constexpr std::array kLinkFields{
    LinkField{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, Metric::kLinkTx, As::kLong},
    LinkField{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, Metric::kLinkRx, As::kLong},
    LinkField{NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_TX, Metric::kLinkTx, As::kLong},
    LinkField{NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX, Metric::kLinkRx, As::kLong},
    LinkField{NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY, Metric::kLinkReplayErrors, As::kUnsigned},
    LinkField{NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY, Metric::kLinkRecoveryErrors, As::kUnsigned},
    LinkField{NVML_FI_DEV_NVLINK_ERROR_DL_CRC, Metric::kLinkCrcFlitErrors, As::kUnsigned},
    LinkField{NVML_FI_DEV_NVLINK_GET_STATE, Metric::kLinkState, As::kUnsigned},
    LinkField{NVML_FI_DEV_NVLINK_GET_VERSION, Metric::kLinkVersion, As::kUnsigned},
};
struct LinkFamily {
  unsigned int first;  // of six
  unsigned int sixth;  // the id of link 6, where six more begin
  unsigned int total;
  Metric metric;
};
constexpr std::array kLinkFamilies{
    LinkFamily{NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L0,
               NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L6,
               NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, Metric::kLinkCrcFlitErrors},
    LinkFamily{NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L0,
               NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L6,
               NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL, Metric::kLinkCrcDataErrors},
    LinkFamily{NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L0, NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L6,
               NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, Metric::kLinkReplayErrors},
    LinkFamily{NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L0,
               NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L6,
               NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL, Metric::kLinkRecoveryErrors},
};
constexpr unsigned int kFamilyHalf = 6;
constexpr unsigned int kAllLinks = ~0U;  // as a scope
constexpr std::int64_t kKib = 1024;

struct Found {
  nvmlReturn_t code = NVML_ERROR_NOT_SUPPORTED;
  std::int64_t value = 0;
  As as = As::kLong;
};

Found found(Metric metric, const Reading& reading, As as) {
  if (!reading.present()) return {error_of(reading.absence), 0, as};
  return {NVML_SUCCESS, nvml_value(metric, reading.value), as};
}

Found link_value(const model::DeviceSample& now, Metric metric, unsigned int link, As as) {
  if (now.links.empty()) return {};
  if (link == kAllLinks) {
    Found sum{NVML_SUCCESS, 0, as};
    for (const model::LinkRow& row : now.links) sum.value += row[column(metric)].value;
    return sum;
  }
  if (link >= now.links.size()) return {NVML_ERROR_INVALID_ARGUMENT, 0, as};
  return found(metric, now.links[link][column(metric)], as);
}

std::optional<Found> find_link_field(const model::DeviceSample& now, unsigned int id,
                                     unsigned int scope) {
  if (id == NVML_FI_DEV_NVLINK_LINK_COUNT) {
    return Found{now.links.empty() ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS,
                 static_cast<std::int64_t>(now.links.size()), As::kUnsigned};
  }
  const auto* field = std::ranges::find(kLinkFields, id, &LinkField::id);
  if (field != kLinkFields.end()) {
    Found value = link_value(now, field->metric, scope, field->as);
    if (id <= NVML_FI_DEV_NVLINK_THROUGHPUT_RAW_RX) value.value /= kKib;
    return value;
  }
  for (const LinkFamily& family : kLinkFamilies) {
    if (id == family.total) return link_value(now, family.metric, kAllLinks, As::kLong);
    for (const auto& [begin, link] : {std::pair(family.first, 0U), {family.sixth, kFamilyHalf}}) {
      if (id < begin || id >= begin + kFamilyHalf) continue;
      return link_value(now, family.metric, link + id - begin, As::kLong);
    }
  }
  return std::nullopt;
}

// Degrees left to a threshold.
std::optional<Found> find_margin(const model::DeviceSample& now, unsigned int id) {
  Metric threshold{};
  Metric measured = Metric::kTemperature;
  switch (id) {
    case NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT:
      threshold = Metric::kTemperatureShutdown;
      break;
    case NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT:
      threshold = Metric::kTemperatureSlowdown;
      break;
    case NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT:
      threshold = Metric::kTemperatureMax;
      break;
    case NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT:
      threshold = Metric::kMemoryTemperatureMax;
      measured = Metric::kMemoryTemperature;
      break;
    default:
      return std::nullopt;
  }
  const Reading& limit = now.at(threshold);
  const Reading& heat = now.at(measured);
  if (!limit.present() || !heat.present()) return Found{};
  return found(threshold, Reading::of(limit.value - heat.value), As::kSigned);
}

Found find_field(const model::DeviceSample& now, const nvmlFieldValue_t& asked) {
  const auto* field = std::ranges::find(kGpuFields, asked.fieldId, &GpuField::id);
  if (field != kGpuFields.end()) return found(field->metric, now.at(field->metric), field->as);
  if (const auto link = find_link_field(now, asked.fieldId, asked.scopeId)) return *link;
  if (const auto margin = find_margin(now, asked.fieldId)) return *margin;
  // Ids that no driver knows are an error of the caller's; others this card just does not have.
  const bool known = asked.fieldId > 0 && asked.fieldId < NVML_FI_MAX;
  return {known ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT, 0, As::kLong};
}

void write(const Found& found, nvmlFieldValue_t& out) {
  out.nvmlReturn = found.code;
  out.value = {};
  switch (found.as) {
    case As::kUnsigned:
      out.valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
      out.value.uiVal = static_cast<unsigned int>(found.value);
      break;
    case As::kSigned:
      out.valueType = NVML_VALUE_TYPE_SIGNED_INT;
      out.value.siVal = static_cast<int>(found.value);
      break;
    case As::kLong:
      out.valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
      out.value.ullVal = static_cast<unsigned long long>(found.value);
      break;
  }
}

void answer(Session& session, Gpu& gpu, nvmlFieldValue_t& value) {
  const base::SystemClock clock;
  const base::SteadyTime begin = clock.steady_now();
  if (session.published_latency) spend(published_field_latency(value.fieldId));
  nvmlReturn_t fault = NVML_SUCCESS;
  if (session.faults->any()) {
    const std::string name = "field/" + std::to_string(value.fieldId);
    fault = suffer_faults(session, {.function = name, .gpu = gpu.index(), .init = false});
  }
  gpu.sample([&](const model::DeviceSample& now, base::WallTime time) {
    write(find_field(now, value), value);
    // A counter that stands still with its machine must not look like one without traffic.
    value.timestamp = session.machine.shown(time).time_since_epoch().count();
  });
  if (fault != NVML_SUCCESS) value.nvmlReturn = fault;
  value.latencyUsec =
      std::chrono::duration_cast<std::chrono::microseconds>(clock.steady_now() - begin).count();
}

}  // namespace

extern "C" nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count,
                                                 nvmlFieldValue_t* values) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session& session, Gpu& gpu, const auto& mig) {
    if (values == nullptr || count < 1 || mig) return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; i < count; ++i) answer(session, gpu, values[i]);
    return NVML_SUCCESS;
  });
}

}  // namespace gpuscope::simulated

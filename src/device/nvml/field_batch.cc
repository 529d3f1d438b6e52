#include "device/nvml/field_batch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Entity;
using model::Metric;
using model::Reading;
using std::chrono::hours;
using std::chrono::seconds;

// One field. Those of links are asked per link, by NVML's scope, but for the oldest, which have a
// number of their own for each of twelve links.
struct Row {
  unsigned int field;
  Metric metric;
  Period period = kEveryTick;
  std::int64_t factor = 1;           // NVML's unit to the catalogue's
  bool alternative = false;          // asked only once the row before is refused
  unsigned int field_of_link_6 = 0;  // where links have numbers; `field` is that of link 0
};

// NVML's scope for all links together.
constexpr unsigned int kAllLinks = std::numeric_limits<unsigned int>::max();
constexpr std::int64_t kKibibyte = 1024;

// The metric decides the scope: rows of the link entity are asked per link.
constexpr std::array kRows{
    Row{NVML_FI_DEV_POWER_INSTANT, Metric::kPower},
    Row{NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, Metric::kEnergy},
    Row{NVML_FI_DEV_MEMORY_TEMP, Metric::kMemoryTemperature, kEveryTick, 10},
    Row{NVML_FI_DEV_PCIE_COUNT_TX_BYTES, Metric::kPcieTxTotal},
    Row{NVML_FI_DEV_PCIE_COUNT_RX_BYTES, Metric::kPcieRxTotal},
    Row{NVML_FI_DEV_PCIE_REPLAY_COUNTER, Metric::kPcieReplays},
    Row{NVML_FI_DEV_ECC_SBE_VOL_TOTAL, Metric::kEccCorrectedVolatile},
    Row{NVML_FI_DEV_ECC_DBE_VOL_TOTAL, Metric::kEccUncorrectedVolatile},
    Row{NVML_FI_DEV_ECC_SBE_AGG_TOTAL, Metric::kEccCorrectedAggregate},
    Row{NVML_FI_DEV_ECC_DBE_AGG_TOTAL, Metric::kEccUncorrectedAggregate},
    Row{NVML_FI_DEV_REMAPPED_COR, Metric::kRemappedRowsCorrectable},
    Row{NVML_FI_DEV_REMAPPED_UNC, Metric::kRemappedRowsUncorrectable},
    Row{NVML_FI_DEV_REMAPPED_PENDING, Metric::kRemappedRowsPending},
    Row{NVML_FI_DEV_REMAPPED_FAILURE, Metric::kRemappedRowsFailure},
    Row{NVML_FI_DEV_PERF_POLICY_POWER, Metric::kViolationPowerSeconds},
    Row{NVML_FI_DEV_PERF_POLICY_THERMAL, Metric::kViolationThermalSeconds},
    Row{NVML_FI_DEV_PERF_POLICY_SYNC_BOOST, Metric::kViolationSyncBoostSeconds},
    Row{NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT, Metric::kViolationBoardLimitSeconds},
    Row{NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION, Metric::kViolationLowUtilizationSeconds},
    Row{NVML_FI_DEV_PERF_POLICY_RELIABILITY, Metric::kViolationReliabilitySeconds},
    Row{NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP, Metric::kClockEventSwPowerCapSeconds},
    Row{NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST, Metric::kClockEventSyncBoostSeconds},
    Row{NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
        Metric::kClockEventSwThermalSlowdownSeconds},
    Row{NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
        Metric::kClockEventHwThermalSlowdownSeconds},
    Row{NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
        Metric::kClockEventHwPowerBrakeSeconds},
    Row{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, Metric::kNvlinkTx, kEveryTick, kKibibyte},
    Row{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, Metric::kNvlinkRx, kEveryTick, kKibibyte},
    Row{NVML_FI_DEV_ECC_CURRENT, Metric::kEccMode, seconds{30}},
    Row{NVML_FI_DEV_RETIRED_SBE, Metric::kRetiredPagesSingleBit, seconds{30}},
    Row{NVML_FI_DEV_RETIRED_DBE, Metric::kRetiredPagesDoubleBit, seconds{30}},
    Row{NVML_FI_DEV_RETIRED_PENDING, Metric::kRetiredPagesPending, seconds{30}},
    Row{NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, Metric::kRecoveryAction, seconds{10}},
    Row{NVML_FI_DEV_NVLINK_GET_STATE, Metric::kLinkState, seconds{10}},
    Row{NVML_FI_DEV_NVLINK_GET_VERSION, Metric::kLinkVersion, hours{24}},
    Row{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, Metric::kLinkTx, seconds{5}, kKibibyte},
    Row{NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES, Metric::kLinkTx, seconds{5}, 1, true},
    Row{NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, Metric::kLinkRx, seconds{5}, kKibibyte},
    Row{NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES, Metric::kLinkRx, seconds{5}, 1, true},
    Row{NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L0, Metric::kLinkCrcFlitErrors, seconds{30}, 1,
        false, NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L6},
    Row{NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L0, Metric::kLinkCrcDataErrors, seconds{30}, 1,
        false, NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_L6},
    Row{NVML_FI_DEV_NVLINK_ERROR_DL_REPLAY, Metric::kLinkReplayErrors, seconds{30}},
    Row{NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L0, Metric::kLinkReplayErrors, seconds{30}, 1, true,
        NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L6},
    Row{NVML_FI_DEV_NVLINK_ERROR_DL_RECOVERY, Metric::kLinkRecoveryErrors, seconds{30}},
    Row{NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L0, Metric::kLinkRecoveryErrors, seconds{30}, 1,
        true, NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_L6},
};

bool per_link(const Row& row) { return model::info(row.metric).entity == Entity::kLink; }

constexpr std::size_t kNumberedLinks = 12;

unsigned int field(const Row& row, std::uint8_t link) {
  if (row.field_of_link_6 == 0) return row.field;
  return link < 6 ? row.field + link : row.field_of_link_6 + link - 6;
}

unsigned int scope(const Row& row, std::uint8_t link) {
  if (row.field_of_link_6 != 0) return 0;
  if (per_link(row)) return link;
  const bool total = row.metric == Metric::kNvlinkTx || row.metric == Metric::kNvlinkRx;
  return total ? kAllLinks : 0;
}

// A whole number times `factor`; absent where NVML fills it with ones, which is its way of saying
// that there is none, and where it does not fit.
template <typename Integer>
Reading scaled(Integer value, std::int64_t factor) {
  constexpr bool kUnsigned = std::numeric_limits<Integer>::min() == 0;
  if (kUnsigned && value == std::numeric_limits<Integer>::max()) {
    return Reading::none(Absence::kUnsupported);
  }
  std::int64_t product = 0;
  if (__builtin_mul_overflow(value, factor, &product)) return Reading::none(Absence::kFailed);
  return Reading::of(product);
}

Reading value_of(const nvmlFieldValue_t& answer, std::int64_t factor) {
  const nvmlValue_t& value = answer.value;
  switch (answer.valueType) {
    case NVML_VALUE_TYPE_DOUBLE: {
      const double product = value.dVal * static_cast<double>(factor);
      constexpr double kLimit = 9e18;
      if (!(product > -kLimit && product < kLimit)) return Reading::none(Absence::kFailed);
      return Reading::of(static_cast<std::int64_t>(product));
    }
    case NVML_VALUE_TYPE_UNSIGNED_INT:
      return scaled(value.uiVal, factor);
    case NVML_VALUE_TYPE_UNSIGNED_LONG:
      return scaled(value.ulVal, factor);
    case NVML_VALUE_TYPE_UNSIGNED_LONG_LONG:
      return scaled(value.ullVal, factor);
    case NVML_VALUE_TYPE_SIGNED_LONG_LONG:
      return scaled(value.sllVal, factor);
    case NVML_VALUE_TYPE_SIGNED_INT:
      return scaled(value.siVal, factor);
    case NVML_VALUE_TYPE_UNSIGNED_SHORT:
      return scaled(value.usVal, factor);
    default:
      return Reading::none(Absence::kFailed);
  }
}

Absence field_absence(nvmlReturn_t code) {
  // What a driver answers for the number of a field that it does not know.
  if (code == NVML_ERROR_INVALID_ARGUMENT || code == NVML_ERROR_NOT_FOUND) {
    return Absence::kUnsupported;
  }
  return absence_of(code);
}

Reading& place(const Row& row, std::uint8_t link, model::DeviceSample& out) {
  return per_link(row) ? out.links[link][model::column(row.metric)] : out.at(row.metric);
}

}  // namespace

void FieldBatch::start(std::size_t links) {
  slots_.clear();
  sent_ = received_ = Meter{};
  for (std::size_t row = 0; row < kRows.size(); ++row) {
    if (per_link(kRows[row])) continue;
    slots_.push_back({static_cast<std::uint8_t>(row), 0, false, {}});
  }
  first_of_link_ = slots_.size();
  links_due_ = {};
  // Link by link, so that an alternative follows the row that it stands in for.
  for (std::size_t link = 0; link < links; ++link) {
    for (std::size_t row = 0; row < kRows.size(); ++row) {
      if (!per_link(kRows[row])) continue;
      if (kRows[row].field_of_link_6 != 0 && link >= kNumberedLinks) continue;
      slots_.push_back(
          {static_cast<std::uint8_t>(row), static_cast<std::uint8_t>(link), false, {}});
    }
  }
  given_ = {};
  given_of_links_.assign(links, {});
  for (const Slot& slot : slots_) ++given(kRows[slot.row].metric, slot.link);
  left_ = slots_.size();
  values_.reserve(slots_.size());
  asked_.reserve(slots_.size());
}

void FieldBatch::restart() {
  for (Slot& slot : slots_) slot.turn = {};
  links_due_ = {};
  sent_ = received_ = Meter{};
}

std::uint8_t& FieldBatch::given(Metric metric, std::size_t link) {
  const bool of_link = model::info(metric).entity == Entity::kLink;
  return of_link ? given_of_links_[link][model::column(metric)] : given_[model::column(metric)];
}

void FieldBatch::refuse(Slot& slot) {
  if (slot.refused) return;
  slot.refused = true;
  --given(kRows[slot.row].metric, slot.link);
  --left_;
}

bool FieldBatch::gives(Metric metric, std::size_t link) const {
  if (model::info(metric).entity != Entity::kLink) return given_[model::column(metric)] > 0;
  return link < given_of_links_.size() && given_of_links_[link][model::column(metric)] > 0;
}

bool FieldBatch::empty() const { return left_ == 0; }

// True for another way to what the slot before it gives.
bool FieldBatch::stands_aside(std::size_t i) const {
  const Row& row = kRows[slots_[i].row];
  return row.alternative && i > 0 && kRows[slots_[i - 1].row].metric == row.metric &&
         !slots_[i - 1].refused;
}

void FieldBatch::add(std::size_t i) {
  const Slot& slot = slots_[i];
  const Row& row = kRows[slot.row];
  nvmlFieldValue_t value{};
  value.fieldId = field(row, slot.link);
  value.scopeId = scope(row, slot.link);
  values_.push_back(value);
  asked_.push_back(static_cast<std::uint16_t>(i));
}

// Asks for the fields of the slots from `first` to `last` that are due; when the next one is, if
// all that are asked for answer.
base::WallTime FieldBatch::add_due(std::size_t first, std::size_t last, base::WallTime tick) {
  base::WallTime next = base::WallTime::max();
  for (std::size_t i = first; i < last; ++i) {
    if (slots_[i].refused || stands_aside(i)) continue;
    const Period period = kRows[slots_[i].row].period;
    Turn turn = slots_[i].turn;
    if (turn.due(tick, period)) {
      add(i);
      turn.done(tick, period);
    }
    next = std::min(next, turn.next);
  }
  return next;
}

// Links have most of the fields, and seconds between them.
void FieldBatch::request_links(base::WallTime tick) {
  const bool set_back = tick < last_tick_;
  last_tick_ = tick;
  if (!set_back && tick + Turn::kJitter < links_due_) return;
  links_due_ = add_due(first_of_link_, slots_.size(), tick);
}

void FieldBatch::request(base::WallTime tick) {
  values_.clear();
  asked_.clear();
  add_due(0, first_of_link_, tick);
  request_links(tick);
}

nvmlReturn_t FieldBatch::read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                              model::DeviceSample& out) {
  request(tick);
  if (values_.empty()) return NVML_SUCCESS;
  const nvmlReturn_t code =
      nvml.nvmlDeviceGetFieldValues == nullptr
          ? NVML_ERROR_FUNCTION_NOT_FOUND
          : nvml.nvmlDeviceGetFieldValues(device, static_cast<int>(values_.size()), values_.data());
  bool gone = device_gone(code);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (code != NVML_SUCCESS) values_[i].nvmlReturn = code;
    gone |= accept(values_[i], slots_[asked_[i]], tick, out);
  }
  return gone ? NVML_ERROR_GPU_IS_LOST : code;
}

bool FieldBatch::accept(const nvmlFieldValue_t& answer, Slot& slot, base::WallTime tick,
                        model::DeviceSample& out) {
  const Row& row = kRows[slot.row];
  Reading& reading = place(row, slot.link, out);
  const Absence absence = field_absence(answer.nvmlReturn);
  if (absence == Absence::kUnsupported) refuse(slot);
  reading = absence == Absence::kPresent ? value_of(answer, row.factor) : Reading::none(absence);
  if (row.metric == Metric::kPcieTxTotal) {
    meter(sent_, answer, slot, tick, reading, out.at(Metric::kPcieTx));
  } else if (row.metric == Metric::kPcieRxTotal) {
    meter(received_, answer, slot, tick, reading, out.at(Metric::kPcieRx));
  }
  if (absence == Absence::kPresent || absence == Absence::kUnsupported) {
    slot.turn.done(tick, row.period);
  }
  // It is asked again, or another in its place.
  if (absence != Absence::kPresent && per_link(row)) links_due_ = {};
  return absence == Absence::kGone;
}

// Total and rate of a byte counter. Some drivers count in 32 bits, which a busy link runs through
// in less than a tick: such a counter is good for nothing and is refused when it shows.
void FieldBatch::meter(Meter& meter, const nvmlFieldValue_t& answer, Slot& slot,
                       base::WallTime tick, Reading& total, Reading& rate) {
  constexpr std::int64_t kNarrow = std::int64_t{1} << 32;
  const bool narrow =
      answer.valueType == NVML_VALUE_TYPE_UNSIGNED_INT ||
      (meter.bytes >= 0 && total.present() && total.value < meter.bytes && meter.bytes < kNarrow);
  if (total.present() && narrow) {
    refuse(slot);
    total = Reading::none(Absence::kUnsupported);
  }
  if (!total.present()) {
    rate = total;
    meter = {};
    return;
  }
  const std::int64_t micros =
      answer.timestamp > 0 ? answer.timestamp : tick.time_since_epoch().count();
  const std::int64_t elapsed = micros - meter.micros;
  if (meter.bytes >= 0 && total.value >= meter.bytes && elapsed > 0) {
    const double per_second = static_cast<double>(total.value - meter.bytes) * 1e6;
    rate = Reading::of(static_cast<std::int64_t>(per_second / static_cast<double>(elapsed)));
  } else if (total.value < meter.bytes || !rate.present()) {
    rate = Reading::none(Absence::kNotYet);
  }
  meter = {total.value, micros};
}

}  // namespace gpuscope::device::nvml

// The names of /metrics: DCGM's table, and ours, which follow from the catalogue.
#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "model/naming.h"
#include "model/trend.h"

namespace gpuscope::model {
namespace {

using enum Tier;
using enum FamilySource;

constexpr std::uint8_t kMib = 20;
constexpr std::int8_t kRatio = 2;   // percent to a share of 1
constexpr std::int8_t kMilli = -3;  // joules to mJ
constexpr std::int8_t kNano = -9;   // seconds to ns
constexpr Kind kGauge = Kind::kGauge;
constexpr Kind kCounter = Kind::kCounter;

// clang-format off
constexpr std::array kDcgm{
  MetricsFamily{"DCGM_FI_DEV_SM_CLOCK", "", Metric::kSmClock, kReading, kGauge, kDefault,
    "Clock of the streaming multiprocessors, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_MEM_CLOCK", "", Metric::kMemoryClock, kReading, kGauge, kDefault,
    "Clock of the device memory, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_MEMORY_TEMP", "DCGM_FI_DEV_MEMORY_TEMP_CELSIUS", Metric::kMemoryTemperature, kReading, kGauge, kDefault,
    "Temperature of the device memory, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_GPU_TEMP_CELSIUS", Metric::kTemperature, kReading, kGauge, kDefault,
    "Temperature of the GPU core, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_BOARD_POWER_WATTS", Metric::kPower, kReading, kGauge, kDefault,
    "Power draw of the board, in watts"},
  MetricsFamily{"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "", Metric::kEnergy, kReading, kCounter, kDefault,
    "Energy used since the driver was loaded, in mJ", 0, kMilli},
  MetricsFamily{"DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "DCGM_FI_DEV_PCIE_REPLAY_TOTAL", Metric::kPcieReplays, kReading, kCounter, kDefault,
    "Packets sent again over PCIe"},
  MetricsFamily{"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO", Metric::kGpuUtilization, kReading, kGauge, kDefault,
    "Share of time in which at least one kernel ran, in percent"},
  MetricsFamily{"DCGM_FI_DEV_MEM_COPY_UTIL", "", Metric::kMemoryUtilization, kReading, kGauge, kDefault,
    "Share of time in which device memory was read or written, in percent"},
  MetricsFamily{"DCGM_FI_DEV_ENC_UTIL", "", Metric::kEncoderUtilization, kReading, kGauge, kDefault,
    "Share of time in which the video encoder worked, in percent"},
  MetricsFamily{"DCGM_FI_DEV_DEC_UTIL", "", Metric::kDecoderUtilization, kReading, kGauge, kDefault,
    "Share of time in which the video decoder worked, in percent"},
  MetricsFamily{"DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_ERROR", Metric::kXidLast, kXidLast, kGauge, kDefault,
    "Number of the last XID error, 0 when there was none"},
  MetricsFamily{"DCGM_FI_DEV_FB_FREE", "", Metric::kMemoryFree, kReading, kGauge, kDefault,
    "Device memory free, in MiB", kMib, 0, Metric::kMigMemoryFree},
  MetricsFamily{"DCGM_FI_DEV_FB_USED", "", Metric::kMemoryUsed, kReading, kGauge, kDefault,
    "Device memory in use, in MiB", kMib, 0, Metric::kMigMemoryUsed},
  MetricsFamily{"DCGM_FI_DEV_FB_RESERVED", "", Metric::kMemoryReserved, kReading, kGauge, kDefault,
    "Device memory that driver and firmware keep, in MiB", kMib},
  MetricsFamily{"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", Metric::kRemappedRowsUncorrectable, kReading, kCounter, kDefault,
    "Memory rows replaced after uncorrectable errors"},
  MetricsFamily{"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_ROW_REMAP_CORRECTABLE_TOTAL", Metric::kRemappedRowsCorrectable, kReading, kCounter, kDefault,
    "Memory rows replaced after correctable errors"},
  MetricsFamily{"DCGM_FI_DEV_ROW_REMAP_FAILURE", "DCGM_FI_DEV_ROW_REMAP_FAILED", Metric::kRemappedRowsFailure, kReading, kGauge, kDefault,
    "1 when a memory row could not be replaced"},
  // A rate, though DCGM calls it a counter: see docs/formats/metrics.md.
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL", Metric::kNvlinkTxRate, kLinkBandwidth, kCounter, kDefault,
    "Rate at which the GPU sends and receives over all NVLinks, in MB/s"},
  MetricsFamily{"DCGM_FI_DEV_VGPU_LICENSE_STATUS", "", Metric::kVgpuLicense, kReading, kGauge, kDefault,
    "1 while a vGPU guest holds a license"},
  MetricsFamily{"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", Metric::kGraphicsEngineActivity, kReading, kGauge, kDefault,
    "Share of time in which the graphics or compute engine was active, 0 to 1", 0, kRatio, Metric::kMigGraphicsEngineActivity},
  MetricsFamily{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_TENSOR_UTIL_RATIO", Metric::kTensorActivity, kReading, kGauge, kDefault,
    "Share of cycles in which the tensor pipes were active, 0 to 1", 0, kRatio, Metric::kMigTensorActivity},
  MetricsFamily{"DCGM_FI_PROF_DRAM_ACTIVE", "DCGM_FI_PROF_DRAM_UTIL_RATIO", Metric::kDramActivity, kReading, kGauge, kDefault,
    "Share of cycles in which device memory transferred data, 0 to 1", 0, kRatio, Metric::kMigDramActivity},
  MetricsFamily{"DCGM_FI_PROF_PCIE_TX_BYTES", "", Metric::kPcieTx, kReading, kGauge, kDefault,
    "Rate at which the GPU sends over PCIe, in bytes per second"},
  MetricsFamily{"DCGM_FI_PROF_PCIE_RX_BYTES", "", Metric::kPcieRx, kReading, kGauge, kDefault,
    "Rate at which the GPU receives over PCIe, in bytes per second"},

  MetricsFamily{"DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO", Metric::kSmActivity, kReading, kGauge, kCommon,
    "Share of time in which a streaming multiprocessor had a warp resident, 0 to 1", 0, kRatio, Metric::kMigSmActivity},
  MetricsFamily{"DCGM_FI_PROF_SM_OCCUPANCY", "DCGM_FI_PROF_SM_OCCUPANCY_RATIO", Metric::kSmOccupancy, kReading, kGauge, kCommon,
    "Share of warp slots in use, 0 to 1", 0, kRatio, Metric::kMigSmOccupancy},
  MetricsFamily{"DCGM_FI_PROF_PIPE_FP64_ACTIVE", "DCGM_FI_PROF_FP64_UTIL_RATIO", Metric::kFp64Activity, kReading, kGauge, kCommon,
    "Share of cycles in which the FP64 pipe was active, 0 to 1", 0, kRatio, Metric::kMigFp64Activity},
  MetricsFamily{"DCGM_FI_PROF_PIPE_FP32_ACTIVE", "DCGM_FI_PROF_FP32_UTIL_RATIO", Metric::kFp32Activity, kReading, kGauge, kCommon,
    "Share of cycles in which the FP32 pipe was active, 0 to 1", 0, kRatio, Metric::kMigFp32Activity},
  MetricsFamily{"DCGM_FI_PROF_PIPE_FP16_ACTIVE", "DCGM_FI_PROF_FP16_UTIL_RATIO", Metric::kFp16Activity, kReading, kGauge, kCommon,
    "Share of cycles in which the FP16 pipe was active, 0 to 1", 0, kRatio, Metric::kMigFp16Activity},
  MetricsFamily{"DCGM_FI_PROF_NVLINK_TX_BYTES", "", Metric::kNvlinkTxRate, kReading, kGauge, kCommon,
    "Rate at which the GPU sends over all NVLinks, in bytes per second"},
  MetricsFamily{"DCGM_FI_PROF_NVLINK_RX_BYTES", "", Metric::kNvlinkRxRate, kReading, kGauge, kCommon,
    "Rate at which the GPU receives over all NVLinks, in bytes per second"},
  MetricsFamily{"DCGM_FI_DEV_FB_TOTAL", "", Metric::kMemoryTotal, kReading, kGauge, kCommon,
    "Device memory in all, in MiB", kMib, 0, Metric::kMigMemoryTotal},
  MetricsFamily{"DCGM_FI_DEV_FAN_SPEED", "", Metric::kFanSpeedPercent, kReading, kGauge, kCommon,
    "Intended speed of the fans, in percent of their maximum"},
  MetricsFamily{"DCGM_FI_DEV_PSTATE", "DCGM_FI_DEV_GPU_PSTATE", Metric::kPerformanceState, kReading, kGauge, kCommon,
    "Performance state, 0 (fastest) to 15"},
  MetricsFamily{"DCGM_FI_DEV_APP_SM_CLOCK", "", Metric::kSmClockApplication, kReading, kGauge, kCommon,
    "SM clock that applications ask for, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_APP_MEM_CLOCK", "", Metric::kMemoryClockApplication, kReading, kGauge, kCommon,
    "Memory clock that applications ask for, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_POWER_MGMT_LIMIT", "DCGM_FI_DEV_BOARD_POWER_LIMIT_REQUESTED_WATTS", Metric::kPowerLimit, kReading, kGauge, kCommon,
    "Power limit that is set, in watts"},
  MetricsFamily{"DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "DCGM_FI_DEV_BOARD_POWER_LIMIT_ENFORCED_WATTS", Metric::kPowerLimitEnforced, kReading, kGauge, kCommon,
    "Lowest of all power limits in force, in watts"},
  MetricsFamily{"DCGM_FI_DEV_POWER_VIOLATION", "", Metric::kViolationPowerSeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of the power limit, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_THERMAL_VIOLATION", "", Metric::kViolationThermalSeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of temperature, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_SYNC_BOOST_VIOLATION", "", Metric::kViolationSyncBoostSeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of a sync boost group, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", "", Metric::kViolationBoardLimitSeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of a limit of the board, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_LOW_UTIL_VIOLATION", "", Metric::kViolationLowUtilizationSeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of low utilization, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_RELIABILITY_VIOLATION", "", Metric::kViolationReliabilitySeconds, kReading, kCounter, kCommon,
    "Time in which clocks were reduced because of the reliability voltage limit, in ns", 0, kNano},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "", Metric::kEccCorrectedVolatile, kReading, kCounter, kCommon,
    "Corrected memory errors since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "", Metric::kEccUncorrectedVolatile, kReading, kCounter, kCommon,
    "Uncorrected memory errors since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "", Metric::kEccCorrectedAggregate, kReading, kCounter, kCommon,
    "Corrected memory errors in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "", Metric::kEccUncorrectedAggregate, kReading, kCounter, kCommon,
    "Uncorrected memory errors in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_RETIRED_SBE", "DCGM_FI_DEV_PAGE_RETIRED_SBE_TOTAL", Metric::kRetiredPagesSingleBit, kReading, kCounter, kCommon,
    "Memory pages retired after several single-bit errors"},
  MetricsFamily{"DCGM_FI_DEV_RETIRED_DBE", "DCGM_FI_DEV_PAGE_RETIRED_DBE_TOTAL", Metric::kRetiredPagesDoubleBit, kReading, kCounter, kCommon,
    "Memory pages retired after a double-bit error"},
  MetricsFamily{"DCGM_FI_DEV_RETIRED_PENDING", "DCGM_FI_DEV_PAGE_RETIRED_PENDING", Metric::kRetiredPagesPending, kReading, kCounter, kCommon,
    "1 while a memory page waits for a restart to be retired"},
  MetricsFamily{"DCGM_FI_DEV_ROW_REMAP_PENDING", "", Metric::kRemappedRowsPending, kReading, kGauge, kCommon,
    "1 while a memory row waits for a reset to be replaced"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_TOTAL", Metric::kLinkCrcFlitErrors, kLinkSum, kCounter, kCommon,
    "Flow control CRC errors of all NVLinks"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_TOTAL", Metric::kLinkCrcDataErrors, kLinkSum, kCounter, kCommon,
    "Data CRC errors of all NVLinks"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_TOTAL", Metric::kLinkReplayErrors, kLinkSum, kCounter, kCommon,
    "Replays of all NVLinks"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_TOTAL", Metric::kLinkRecoveryErrors, kLinkSum, kCounter, kCommon,
    "Recoveries of all NVLinks"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L0", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L0", Metric::kLinkTx, kLaneBandwidth, kCounter, kCommon,
    "Rate at which the GPU sends and receives over NVLink 0, in MB/s", 0, 0, {}, 0},
  MetricsFamily{"DCGM_EXP_XID_ERRORS_COUNT", "", Metric::kXidErrors, kXidsRecent, kGauge, kCommon,
    "How often each XID came within the last five minutes"},
  MetricsFamily{"DCGM_EXP_CLOCK_EVENTS_COUNT", "", Metric::kClockEventIdle, kClocksRecent, kGauge, kCommon,
    "How often each reason began to hold the clocks within the last five minutes"},
  MetricsFamily{"DCGM_EXP_GPU_HEALTH_STATUS", "", Metric::kRecoveryAction, kHealthWatches, kGauge, kCommon,
    "Result of each health watch: 0 pass, 10 warning, 20 failure"},
  MetricsFamily{"DCGM_EXP_P2P_STATUS", "", Metric::kNvlinkActiveLinks, kPeerLinks, kGauge, kCommon,
    "How NVLink reaches each other GPU: 0 where it does, else why not"},

  MetricsFamily{"DCGM_FI_DEV_VIDEO_CLOCK", "", Metric::kVideoClock, kReading, kGauge, kOnRequest,
    "Clock of the video engines, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_MAX_SM_CLOCK", "", Metric::kSmClockMax, kReading, kGauge, kOnRequest,
    "Highest SM clock of this card, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_MAX_MEM_CLOCK", "", Metric::kMemoryClockMax, kReading, kGauge, kOnRequest,
    "Highest memory clock of this card, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_MAX_VIDEO_CLOCK", "", Metric::kVideoClockMax, kReading, kGauge, kOnRequest,
    "Highest video clock of this card, in MHz"},
  MetricsFamily{"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", Metric::kClockEventIdle, kClockEvents, kGauge, kOnRequest,
    "Reasons that hold the clocks, as a mask of bits"},
  MetricsFamily{"DCGM_FI_DEV_MEM_MAX_OP_TEMP", "DCGM_FI_DEV_MEMORY_MAX_OP_TEMP_CELSIUS", Metric::kMemoryTemperatureMax, kReading, kGauge, kOnRequest,
    "Memory temperature that software throttling keeps, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_GPU_MAX_OP_TEMP", "DCGM_FI_DEV_GPU_MAX_OP_TEMP_CELSIUS", Metric::kTemperatureMax, kReading, kGauge, kOnRequest,
    "Core temperature that software throttling keeps, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_GPU_TEMP_LIMIT", "DCGM_FI_DEV_GPU_TEMP_MARGIN_CELSIUS", Metric::kTemperatureMargin, kReading, kGauge, kOnRequest,
    "Degrees left until the GPU throttles"},
  MetricsFamily{"DCGM_FI_DEV_POWER_USAGE_INSTANT", "DCGM_FI_DEV_BOARD_POWER_RAW_WATTS", Metric::kPower, kReading, kGauge, kOnRequest,
    "Power draw of the board now, in watts"},
  MetricsFamily{"DCGM_FI_DEV_SLOWDOWN_TEMP", "DCGM_FI_DEV_GPU_TEMP_SLOWDOWN_CELSIUS", Metric::kTemperatureSlowdown, kReading, kGauge, kOnRequest,
    "Core temperature at which the hardware throttles, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_SHUTDOWN_TEMP", "DCGM_FI_DEV_GPU_TEMP_SHUTDOWN_CELSIUS", Metric::kTemperatureShutdown, kReading, kGauge, kOnRequest,
    "Core temperature at which the GPU shuts down, in degrees Celsius"},
  MetricsFamily{"DCGM_FI_DEV_POWER_MGMT_LIMIT_MIN", "DCGM_FI_DEV_BOARD_POWER_LIMIT_MIN_WATTS", Metric::kPowerLimitMin, kReading, kGauge, kOnRequest,
    "Lowest power limit that can be set, in watts"},
  MetricsFamily{"DCGM_FI_DEV_POWER_MGMT_LIMIT_MAX", "DCGM_FI_DEV_BOARD_POWER_LIMIT_MAX_WATTS", Metric::kPowerLimitMax, kReading, kGauge, kOnRequest,
    "Highest power limit that can be set, in watts"},
  MetricsFamily{"DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF", "DCGM_FI_DEV_BOARD_POWER_LIMIT_DEFAULT_WATTS", Metric::kPowerLimitDefault, kReading, kGauge, kOnRequest,
    "Power limit after a restart, in watts"},
  MetricsFamily{"DCGM_FI_DEV_BAR1_TOTAL", "", Metric::kBar1Total, kReading, kGauge, kOnRequest,
    "BAR1 window in all, in MiB", kMib},
  MetricsFamily{"DCGM_FI_DEV_BAR1_USED", "", Metric::kBar1Used, kReading, kGauge, kOnRequest,
    "BAR1 window in use, in MiB", kMib},
  MetricsFamily{"DCGM_FI_DEV_BAR1_FREE", "", Metric::kBar1Free, kReading, kGauge, kOnRequest,
    "BAR1 window free, in MiB", kMib},
  MetricsFamily{"DCGM_FI_DEV_PCIE_MAX_LINK_GEN", "", Metric::kPcieGenerationMax, kReading, kGauge, kOnRequest,
    "Highest PCIe generation that card and slot both have"},
  MetricsFamily{"DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH", "", Metric::kPcieWidthMax, kReading, kGauge, kOnRequest,
    "Most PCIe lanes that card and slot both have"},
  MetricsFamily{"DCGM_FI_DEV_PCIE_LINK_GEN", "", Metric::kPcieGeneration, kReading, kGauge, kOnRequest,
    "PCIe generation of the link now"},
  MetricsFamily{"DCGM_FI_DEV_PCIE_LINK_WIDTH", "", Metric::kPcieWidth, kReading, kGauge, kOnRequest,
    "PCIe lanes of the link now"},
  MetricsFamily{"DCGM_FI_DEV_ECC_CURRENT", "DCGM_FI_DEV_ECC_MODE", Metric::kEccMode, kReading, kGauge, kOnRequest,
    "1 while ECC is on"},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_VOL_DEV", "", Metric::kEccDramCorrectedVolatile, kReading, kCounter, kOnRequest,
    "Corrected errors in DRAM since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_VOL_DEV", "", Metric::kEccDramUncorrectedVolatile, kReading, kCounter, kOnRequest,
    "Uncorrected errors in DRAM since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_AGG_DEV", "", Metric::kEccDramCorrectedAggregate, kReading, kCounter, kOnRequest,
    "Corrected errors in DRAM in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_AGG_DEV", "", Metric::kEccDramUncorrectedAggregate, kReading, kCounter, kOnRequest,
    "Uncorrected errors in DRAM in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_VOL_SRM", "", Metric::kEccSramCorrectedVolatile, kReading, kCounter, kOnRequest,
    "Corrected errors in SRAM since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_VOL_SRM", "", Metric::kEccSramUncorrectedVolatile, kReading, kCounter, kOnRequest,
    "Uncorrected errors in SRAM since the driver was loaded"},
  MetricsFamily{"DCGM_FI_DEV_ECC_SBE_AGG_SRM", "", Metric::kEccSramCorrectedAggregate, kReading, kCounter, kOnRequest,
    "Corrected errors in SRAM in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_ECC_DBE_AGG_SRM", "", Metric::kEccSramUncorrectedAggregate, kReading, kCounter, kOnRequest,
    "Uncorrected errors in SRAM in the life of the card"},
  MetricsFamily{"DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX", "DCGM_FI_DEV_BANK_REMAP_AVAIL_MAX", Metric::kRemapBanksMax, kReading, kGauge, kOnRequest,
    "Memory banks with all spare rows left"},
  MetricsFamily{"DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH", "DCGM_FI_DEV_BANK_REMAP_AVAIL_HIGH", Metric::kRemapBanksHigh, kReading, kGauge, kOnRequest,
    "Memory banks with many spare rows left"},
  MetricsFamily{"DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL", "DCGM_FI_DEV_BANK_REMAP_AVAIL_PARTIAL", Metric::kRemapBanksPartial, kReading, kGauge, kOnRequest,
    "Memory banks with some spare rows left"},
  MetricsFamily{"DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW", "DCGM_FI_DEV_BANK_REMAP_AVAIL_LOW", Metric::kRemapBanksLow, kReading, kGauge, kOnRequest,
    "Memory banks with few spare rows left"},
  MetricsFamily{"DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE", "DCGM_FI_DEV_BANK_REMAP_AVAIL_NONE", Metric::kRemapBanksNone, kReading, kGauge, kOnRequest,
    "Memory banks with no spare row left"},
  MetricsFamily{"DCGM_FI_DEV_FB_USED_PERCENT", "DCGM_FI_DEV_FB_USED_RATIO", Metric::kMemoryUsagePercent, kReading, kGauge, kOnRequest,
    "Device memory in use as a share of all, 0 to 1", 0, kRatio},
  MetricsFamily{"DCGM_FI_DEV_MIG_MODE", "", Metric::kMigMode, kReading, kGauge, kOnRequest,
    "1 while the GPU is split into MIG instances"},
  MetricsFamily{"DCGM_FI_DEV_PERSISTENCE_MODE", "", Metric::kPersistenceMode, kReading, kGauge, kOnRequest,
    "1 while the driver stays loaded without a client"},
  MetricsFamily{"DCGM_FI_DEV_COMPUTE_MODE", "", Metric::kComputeMode, kReading, kGauge, kOnRequest,
    "Compute mode: 0 default, 2 prohibited, 3 exclusive process"},
  MetricsFamily{"DCGM_FI_DEV_VIRTUAL_MODE", "DCGM_FI_DEV_GPU_VIRTUAL_MODE", Metric::kVirtualizationMode, kReading, kGauge, kOnRequest,
    "Virtualization mode: 0 none, 1 passed through, 2 vGPU guest, 3 vGPU host, 4 vGPU host with SR-IOV"},
  MetricsFamily{"DCGM_FI_DEV_MINOR_NUMBER", "", Metric::kMinorNumber, kReading, kGauge, kOnRequest,
    "Number N of the device node /dev/nvidiaN"},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L1", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L1", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 1, in MB/s", 0, 0, {}, 1},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L2", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L2", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 2, in MB/s", 0, 0, {}, 2},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L3", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L3", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 3, in MB/s", 0, 0, {}, 3},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L4", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L4", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 4, in MB/s", 0, 0, {}, 4},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L5", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L5", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 5, in MB/s", 0, 0, {}, 5},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L6", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L6", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 6, in MB/s", 0, 0, {}, 6},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L7", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L7", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 7, in MB/s", 0, 0, {}, 7},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L8", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L8", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 8, in MB/s", 0, 0, {}, 8},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L9", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L9", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 9, in MB/s", 0, 0, {}, 9},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L10", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L10", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 10, in MB/s", 0, 0, {}, 10},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L11", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L11", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 11, in MB/s", 0, 0, {}, 11},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L12", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L12", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 12, in MB/s", 0, 0, {}, 12},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L13", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L13", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 13, in MB/s", 0, 0, {}, 13},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L14", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L14", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 14, in MB/s", 0, 0, {}, 14},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L15", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L15", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 15, in MB/s", 0, 0, {}, 15},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L16", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L16", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 16, in MB/s", 0, 0, {}, 16},
  MetricsFamily{"DCGM_FI_DEV_NVLINK_BANDWIDTH_L17", "DCGM_FI_DEV_NVLINK_THROUGHPUT_L17", Metric::kLinkTx, kLaneBandwidth, kCounter, kOnRequest,
    "Rate at which the GPU sends and receives over NVLink 17, in MB/s", 0, 0, {}, 17},
};

constexpr std::array kLabelFields{
  LabelField{"DCGM_FI_DRIVER_VERSION", "DCGM_FI_SYSTEM_DRIVER_VERSION", Fact::kDriverVersion},
  LabelField{"DCGM_FI_NVML_VERSION", "", Fact::kNvmlVersion},
  LabelField{"DCGM_FI_CUDA_DRIVER_VERSION", "", Fact::kCudaVersion},
  LabelField{"DCGM_FI_DEV_BRAND", "", Fact::kBrand},
  LabelField{"DCGM_FI_DEV_SERIAL", "", Fact::kSerial},
  LabelField{"DCGM_FI_DEV_UUID", "", Fact::kUuid},
  LabelField{"DCGM_FI_DEV_NAME", "", Fact::kName},
  LabelField{"DCGM_FI_DEV_OEM_INFOROM_VER", "", Fact::kInforomOem},
  LabelField{"DCGM_FI_DEV_ECC_INFOROM_VER", "", Fact::kInforomEcc},
  LabelField{"DCGM_FI_DEV_POWER_INFOROM_VER", "", Fact::kInforomPower},
  LabelField{"DCGM_FI_DEV_INFOROM_IMAGE_VER", "", Fact::kInforomImage},
  LabelField{"DCGM_FI_DEV_VBIOS_VERSION", "", Fact::kVbios},
};

constexpr std::array<std::string_view, kClockEventCount> kClockEventNames{
  "gpu_idle", "clocks_setting", "power_cap", "hw_slowdown", "sync_boost", "sw_thermal",
  "hw_thermal", "hw_power_brake", "display_clocks"};
// clang-format on

bool has_dcgm_name(Metric metric) {
  return std::ranges::any_of(kDcgm, [metric](const MetricsFamily& family) {
    const bool whole = family.source == kReading || family.source == kXidLast;
    return whole && family.tier != kOnRequest &&
           (family.metric == metric || family.of_instance == metric);
  });
}

// The part of a key behind its entity, in front of it our prefix.
std::string stem(const MetricInfo& row) {
  struct Prefix {
    std::string_view ours;
    std::string_view theirs;
  };
  constexpr std::array<Prefix, kEntityCount> kPrefixes{{{"gpuscope_gpu_", "gpu_"},
                                                        {"gpuscope_fan_speed_", "fan_"},
                                                        {"gpuscope_nvlink_", "link_"},
                                                        {"gpuscope_mig_", "mig_"},
                                                        {"gpuscope_process_", "process_"}}};
  const Prefix& prefix = kPrefixes[static_cast<std::size_t>(row.entity)];
  std::string_view key = row.key;
  if (key.starts_with(prefix.theirs)) key.remove_prefix(prefix.theirs.size());
  return std::string(prefix.ours).append(key);
}

void replace_end(std::string& name, std::string_view end, std::string_view by) {
  const std::size_t at = name.rfind(end);
  if (at != name.npos) name.replace(at, end.size(), by);
}

struct BaseUnit {
  std::string name;
  std::int8_t decimal_shift = 0;
};

BaseUnit in_base_unit(const MetricInfo& row) {
  BaseUnit base{stem(row)};
  if (row.unit == Unit::kPercent) {
    replace_end(base.name, "percent", "ratio");
    base.decimal_shift = kRatio;
  } else if (row.unit == Unit::kMegahertz) {
    replace_end(base.name, "mhz", "hertz");
    base.decimal_shift = -6;
  }
  return base;
}

// Texts that families refer to, for as long as the program runs.
class OwnNames {
 public:
  OwnNames() {
    for (const MetricInfo& row : metrics()) {
      if (!has_dcgm_name(row.id))
        add(row, kReading, row.kind == kCounter ? "_total" : "", row.help);
    }
    for (const Metric metric : kMovingMetrics) {
      const MetricInfo& row = info(metric);
      add(row, kWindowMin, "_min", std::string(row.help) + ": least within the window");
      add(row, kWindowMean, "_mean", std::string(row.help) + ": mean within the window");
      add(row, kWindowMax, "_max", std::string(row.help) + ": most within the window");
    }
  }
  std::span<const MetricsFamily> families() const { return families_; }

 private:
  void add(const MetricInfo& row, FamilySource source, std::string_view suffix,
           std::string_view help) {
    const BaseUnit base = in_base_unit(row);
    families_.push_back({.name = keep(base.name + std::string(suffix)),
                         .new_name = {},
                         .metric = row.id,
                         .source = source,
                         .kind = row.kind,
                         .help = keep(std::string(help)),
                         .decimal_shift = base.decimal_shift});
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  std::deque<std::string> texts_;
  std::vector<MetricsFamily> families_;
};

}  // namespace

std::span<const MetricsFamily> dcgm_families() { return kDcgm; }

std::span<const MetricsFamily> gpuscope_families() {
  static const OwnNames names;
  return names.families();
}

std::vector<std::string_view> metrics_names(Metric metric) {
  std::vector<std::string_view> names;
  for (const auto& rows : {dcgm_families(), gpuscope_families()}) {
    for (const MetricsFamily& row : rows) {
      const bool of_it = row.metric == metric || row.of_instance == metric;
      if (of_it && row.tier != kOnRequest) names.push_back(row.name);
    }
  }
  return names;
}

std::span<const LabelField> dcgm_label_fields() { return kLabelFields; }

std::span<const std::string_view> clock_event_names() { return kClockEventNames; }

std::optional<DcgmNames> parse_dcgm_names(std::string_view text) {
  if (text == "old") return DcgmNames::kOld;
  if (text == "new") return DcgmNames::kNew;
  if (text == "both") return DcgmNames::kBoth;
  return std::nullopt;
}

}  // namespace gpuscope::model

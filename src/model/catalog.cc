#include "model/catalog.h"

#include <algorithm>
#include <array>

namespace gpuscope::model {
namespace {

using enum Unit;
using enum Cadence;

// clang-format off
constexpr std::array<MetricInfo, kMetricCount> kMetrics{{
  {Metric::kGpuUtilization, Entity::kGpu, "gpu_utilization_percent", "util", kPercent, 2, Kind::kGauge, kTick,
   "GPU utilization", "Share of time in which at least one kernel ran since it was last read, from the driver's own samples where it keeps any"},
  {Metric::kMemoryUtilization, Entity::kGpu, "memory_utilization_percent", "util", kPercent, 2, Kind::kGauge, kTick,
   "Memory utilization", "Share of time in which device memory was read or written since it was last read, from the driver's own samples where it keeps any"},
  {Metric::kEncoderUtilization, Entity::kGpu, "encoder_utilization_percent", "engines", kPercent, 2, Kind::kGauge, kTick,
   "Encoder utilization", "Share of time in which the video encoder worked since it was last read, from the driver's own samples where it keeps any"},
  {Metric::kDecoderUtilization, Entity::kGpu, "decoder_utilization_percent", "engines", kPercent, 2, Kind::kGauge, kTick,
   "Decoder utilization", "Share of time in which the video decoder worked since it was last read, from the driver's own samples where it keeps any"},
  {Metric::kJpegUtilization, Entity::kGpu, "jpeg_utilization_percent", "engines", kPercent, 2, Kind::kGauge, kSlow,
   "JPEG utilization", "Share of time in which the JPEG engine worked"},
  {Metric::kOfaUtilization, Entity::kGpu, "ofa_utilization_percent", "engines", kPercent, 2, Kind::kGauge, kSlow,
   "OFA utilization", "Share of time in which the optical flow accelerator worked"},
  {Metric::kGraphicsEngineActivity, Entity::kGpu, "graphics_engine_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "Graphics engine activity", "Share of time in which the graphics or compute engine was active"},
  {Metric::kSmActivity, Entity::kGpu, "sm_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "SM activity", "Mean share of time in which a streaming multiprocessor had a warp resident"},
  {Metric::kSmOccupancy, Entity::kGpu, "sm_occupancy_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "SM occupancy", "Mean share of warp slots in use"},
  {Metric::kTensorActivity, Entity::kGpu, "tensor_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "Tensor activity", "Mean share of cycles in which the tensor pipes were active"},
  {Metric::kFp64Activity, Entity::kGpu, "fp64_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "FP64 activity", "Mean share of cycles in which the FP64 pipe was active"},
  {Metric::kFp32Activity, Entity::kGpu, "fp32_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "FP32 activity", "Mean share of cycles in which the FP32 pipe was active"},
  {Metric::kFp16Activity, Entity::kGpu, "fp16_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "FP16 activity", "Mean share of cycles in which the FP16 pipe was active"},
  {Metric::kDramActivity, Entity::kGpu, "dram_activity_percent", "activity", kPercent, 2, Kind::kGauge, kTick,
   "DRAM activity", "Mean share of cycles in which device memory transferred data"},
  {Metric::kMemoryUsed, Entity::kGpu, "memory_used_bytes", "mem", kBytes, 0, Kind::kGauge, kTick,
   "Memory used", "Device memory in use, without what the driver reserves"},
  {Metric::kMemoryFree, Entity::kGpu, "memory_free_bytes", "mem", kBytes, 0, Kind::kGauge, kTick,
   "Memory free", "Device memory free"},
  {Metric::kMemoryTotal, Entity::kGpu, "memory_total_bytes", "mem", kBytes, 0, Kind::kGauge, kTick,
   "Memory total", "Device memory in all"},
  {Metric::kMemoryReserved, Entity::kGpu, "memory_reserved_bytes", "mem", kBytes, 0, Kind::kGauge, kTick,
   "Memory reserved", "Device memory that driver and firmware keep"},
  {Metric::kMemoryUsagePercent, Entity::kGpu, "memory_usage_percent", "mem", kPercent, 2, Kind::kGauge, kTick,
   "Memory usage", "Memory used as a share of memory total"},
  {Metric::kBar1Used, Entity::kGpu, "bar1_used_bytes", "bar1", kBytes, 0, Kind::kGauge, kSlow,
   "BAR1 used", "BAR1 window in use"},
  {Metric::kBar1Free, Entity::kGpu, "bar1_free_bytes", "bar1", kBytes, 0, Kind::kGauge, kSlow,
   "BAR1 free", "BAR1 window free"},
  {Metric::kBar1Total, Entity::kGpu, "bar1_total_bytes", "bar1", kBytes, 0, Kind::kGauge, kSlow,
   "BAR1 total", "BAR1 window in all"},
  {Metric::kTemperature, Entity::kGpu, "temperature_celsius", "temp", kCelsius, 1, Kind::kGauge, kTick,
   "Temperature", "Temperature of the GPU core"},
  {Metric::kMemoryTemperature, Entity::kGpu, "memory_temperature_celsius", "temps", kCelsius, 1, Kind::kGauge, kTick,
   "Memory temperature", "Temperature of the device memory"},
  {Metric::kTemperatureMargin, Entity::kGpu, "temperature_margin_celsius", "temps", kCelsius, 1, Kind::kGauge, kTick,
   "Temperature margin", "Degrees left until the GPU throttles (T.Limit)"},
  {Metric::kTemperatureShutdown, Entity::kGpu, "temperature_shutdown_celsius", "temps", kCelsius, 1, Kind::kGauge, kOnce,
   "Shutdown temperature", "Core temperature at which the GPU shuts down"},
  {Metric::kTemperatureSlowdown, Entity::kGpu, "temperature_slowdown_celsius", "temps", kCelsius, 1, Kind::kGauge, kOnce,
   "Slowdown temperature", "Core temperature at which the hardware throttles"},
  {Metric::kTemperatureMax, Entity::kGpu, "temperature_max_celsius", "temps", kCelsius, 1, Kind::kGauge, kOnce,
   "Maximum operating temperature", "Core temperature that software throttling keeps"},
  {Metric::kMemoryTemperatureMax, Entity::kGpu, "memory_temperature_max_celsius", "temps", kCelsius, 1, Kind::kGauge, kOnce,
   "Maximum memory temperature", "Memory temperature that software throttling keeps"},
  {Metric::kPower, Entity::kGpu, "power_watts", "power", kWatts, 3, Kind::kGauge, kTick,
   "Power", "Power draw of the board now, or averaged over a second where a card gives only that"},
  {Metric::kPowerAverage, Entity::kGpu, "power_average_watts", "powers", kWatts, 3, Kind::kGauge, kSlow,
   "Average power", "Power draw averaged over one second"},
  {Metric::kPowerLimit, Entity::kGpu, "power_limit_watts", "plimit", kWatts, 3, Kind::kGauge, kSlow,
   "Power limit", "Power limit that is set"},
  {Metric::kPowerLimitEnforced, Entity::kGpu, "power_limit_enforced_watts", "powers", kWatts, 3, Kind::kGauge, kSlow,
   "Enforced power limit", "Lowest of all power limits in force"},
  {Metric::kPowerLimitDefault, Entity::kGpu, "power_limit_default_watts", "powers", kWatts, 3, Kind::kGauge, kOnce,
   "Default power limit", "Power limit after a restart"},
  {Metric::kPowerLimitMin, Entity::kGpu, "power_limit_min_watts", "powers", kWatts, 3, Kind::kGauge, kOnce,
   "Minimum power limit", "Lowest power limit that can be set"},
  {Metric::kPowerLimitMax, Entity::kGpu, "power_limit_max_watts", "powers", kWatts, 3, Kind::kGauge, kOnce,
   "Maximum power limit", "Highest power limit that can be set"},
  {Metric::kEnergy, Entity::kGpu, "energy_joules", "energy", kJoules, 3, Kind::kCounter, kTick,
   "Energy", "Energy used since the driver was loaded"},
  {Metric::kSmClock, Entity::kGpu, "gpu_clock_mhz", "clocks", kMegahertz, 0, Kind::kGauge, kTick,
   "GPU clock", "Clock of the streaming multiprocessors"},
  {Metric::kMemoryClock, Entity::kGpu, "memory_clock_mhz", "clocks", kMegahertz, 0, Kind::kGauge, kTick,
   "Memory clock", "Clock of the device memory"},
  {Metric::kGraphicsClock, Entity::kGpu, "graphics_clock_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kTick,
   "Graphics clock", "Clock of the graphics engine"},
  {Metric::kVideoClock, Entity::kGpu, "video_clock_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kTick,
   "Video clock", "Clock of the video engines"},
  {Metric::kSmClockApplication, Entity::kGpu, "gpu_clock_application_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kSlow,
   "Application GPU clock", "SM clock that applications ask for"},
  {Metric::kMemoryClockApplication, Entity::kGpu, "memory_clock_application_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kSlow,
   "Application memory clock", "Memory clock that applications ask for"},
  {Metric::kSmClockMax, Entity::kGpu, "gpu_clock_max_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kOnce,
   "Maximum GPU clock", "Highest SM clock of this card"},
  {Metric::kMemoryClockMax, Entity::kGpu, "memory_clock_max_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kOnce,
   "Maximum memory clock", "Highest memory clock of this card"},
  {Metric::kGraphicsClockMax, Entity::kGpu, "graphics_clock_max_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kOnce,
   "Maximum graphics clock", "Highest graphics clock of this card"},
  {Metric::kVideoClockMax, Entity::kGpu, "video_clock_max_mhz", "clocks_more", kMegahertz, 0, Kind::kGauge, kOnce,
   "Maximum video clock", "Highest video clock of this card"},
  {Metric::kPerformanceState, Entity::kGpu, "performance_state", "pstate", kState, 0, Kind::kState, kTick,
   "Performance state", "P-state, 0 (fastest) to 15"},
  {Metric::kClockEventIdle, Entity::kGpu, "clock_event_idle", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: idle", "1 while clocks are held because nothing runs"},
  {Metric::kClockEventApplicationsClocks, Entity::kGpu, "clock_event_applications_clocks", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: applications clocks", "1 while clocks are held because clocks are set by hand"},
  {Metric::kClockEventSwPowerCap, Entity::kGpu, "clock_event_sw_power_cap", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: software power cap", "1 while clocks are held because the power limit is reached"},
  {Metric::kClockEventHwSlowdown, Entity::kGpu, "clock_event_hw_slowdown", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: hardware slowdown", "1 while clocks are held because temperature, power brake or a fast trigger halve the clocks or worse"},
  {Metric::kClockEventSyncBoost, Entity::kGpu, "clock_event_sync_boost", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: sync boost", "1 while clocks are held because a sync boost group keeps all at one clock"},
  {Metric::kClockEventSwThermalSlowdown, Entity::kGpu, "clock_event_sw_thermal_slowdown", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: software thermal slowdown", "1 while clocks are held because core or memory is above its maximum operating temperature"},
  {Metric::kClockEventHwThermalSlowdown, Entity::kGpu, "clock_event_hw_thermal_slowdown", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: hardware thermal slowdown", "1 while clocks are held because the hardware found it too hot"},
  {Metric::kClockEventHwPowerBrake, Entity::kGpu, "clock_event_hw_power_brake", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: hardware power brake", "1 while clocks are held because the machine asserted the power brake"},
  {Metric::kClockEventDisplayClocks, Entity::kGpu, "clock_event_display_clocks", "clock_events", kFlag, 0, Kind::kState, kTick,
   "Clock event: display clocks", "1 while clocks are held because a display asks for them"},
  {Metric::kClockEventSwPowerCapSeconds, Entity::kGpu, "clock_event_sw_power_cap_seconds", "clock_events", kSeconds, 9, Kind::kCounter, kTick,
   "Time under software power cap", "Time in which clocks were held by the power limit"},
  {Metric::kClockEventSyncBoostSeconds, Entity::kGpu, "clock_event_sync_boost_seconds", "clock_events", kSeconds, 9, Kind::kCounter, kTick,
   "Time under sync boost", "Time in which clocks were held by a sync boost group"},
  {Metric::kClockEventSwThermalSlowdownSeconds, Entity::kGpu, "clock_event_sw_thermal_slowdown_seconds", "clock_events", kSeconds, 9, Kind::kCounter, kTick,
   "Time under software thermal slowdown", "Time in which clocks were held by software thermal slowdown"},
  {Metric::kClockEventHwThermalSlowdownSeconds, Entity::kGpu, "clock_event_hw_thermal_slowdown_seconds", "clock_events", kSeconds, 9, Kind::kCounter, kTick,
   "Time under hardware thermal slowdown", "Time in which clocks were held by hardware thermal slowdown"},
  {Metric::kClockEventHwPowerBrakeSeconds, Entity::kGpu, "clock_event_hw_power_brake_seconds", "clock_events", kSeconds, 9, Kind::kCounter, kTick,
   "Time under hardware power brake", "Time in which clocks were held by the power brake"},
  {Metric::kViolationPowerSeconds, Entity::kGpu, "violation_power_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: power", "Time in which clocks were reduced because of the power limit"},
  {Metric::kViolationThermalSeconds, Entity::kGpu, "violation_thermal_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: thermal", "Time in which clocks were reduced because of temperature"},
  {Metric::kViolationSyncBoostSeconds, Entity::kGpu, "violation_sync_boost_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: sync boost", "Time in which clocks were reduced because of a sync boost group"},
  {Metric::kViolationBoardLimitSeconds, Entity::kGpu, "violation_board_limit_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: board limit", "Time in which clocks were reduced because of a limit of the board"},
  {Metric::kViolationLowUtilizationSeconds, Entity::kGpu, "violation_low_utilization_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: low utilization", "Time in which clocks were reduced because of low utilization"},
  {Metric::kViolationReliabilitySeconds, Entity::kGpu, "violation_reliability_seconds", "violations", kSeconds, 9, Kind::kCounter, kTick,
   "Violation time: reliability", "Time in which clocks were reduced because of the reliability voltage limit"},
  {Metric::kEccMode, Entity::kGpu, "ecc_mode", "ecc_more", kFlag, 0, Kind::kState, kSlow,
   "ECC mode", "1 while ECC is on"},
  {Metric::kEccCorrectedVolatile, Entity::kGpu, "ecc_corrected_errors", "ecc", kCount, 0, Kind::kCounter, kTick,
   "ECC corrected", "Corrected memory errors since the driver was loaded"},
  {Metric::kEccUncorrectedVolatile, Entity::kGpu, "ecc_uncorrected_errors", "ecc", kCount, 0, Kind::kCounter, kTick,
   "ECC uncorrected", "Uncorrected memory errors since the driver was loaded"},
  {Metric::kEccCorrectedAggregate, Entity::kGpu, "ecc_corrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kTick,
   "ECC corrected, lifetime", "Corrected memory errors in the life of the card"},
  {Metric::kEccUncorrectedAggregate, Entity::kGpu, "ecc_uncorrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kTick,
   "ECC uncorrected, lifetime", "Uncorrected memory errors in the life of the card"},
  {Metric::kEccSramCorrectedVolatile, Entity::kGpu, "ecc_sram_corrected_errors_volatile", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "SRAM ECC corrected, volatile", "Corrected errors in SRAM since the driver was loaded"},
  {Metric::kEccSramCorrectedAggregate, Entity::kGpu, "ecc_sram_corrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "SRAM ECC corrected, aggregate", "Corrected errors in SRAM in the life of the card"},
  {Metric::kEccSramUncorrectedVolatile, Entity::kGpu, "ecc_sram_uncorrected_errors_volatile", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "SRAM ECC uncorrected, volatile", "Uncorrected errors in SRAM since the driver was loaded"},
  {Metric::kEccSramUncorrectedAggregate, Entity::kGpu, "ecc_sram_uncorrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "SRAM ECC uncorrected, aggregate", "Uncorrected errors in SRAM in the life of the card"},
  {Metric::kEccDramCorrectedVolatile, Entity::kGpu, "ecc_dram_corrected_errors_volatile", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "DRAM ECC corrected, volatile", "Corrected errors in DRAM since the driver was loaded"},
  {Metric::kEccDramCorrectedAggregate, Entity::kGpu, "ecc_dram_corrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "DRAM ECC corrected, aggregate", "Corrected errors in DRAM in the life of the card"},
  {Metric::kEccDramUncorrectedVolatile, Entity::kGpu, "ecc_dram_uncorrected_errors_volatile", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "DRAM ECC uncorrected, volatile", "Uncorrected errors in DRAM since the driver was loaded"},
  {Metric::kEccDramUncorrectedAggregate, Entity::kGpu, "ecc_dram_uncorrected_errors_aggregate", "ecc_more", kCount, 0, Kind::kCounter, kSlow,
   "DRAM ECC uncorrected, aggregate", "Uncorrected errors in DRAM in the life of the card"},
  {Metric::kRemappedRowsCorrectable, Entity::kGpu, "remapped_rows_correctable", "remapped_rows", kCount, 0, Kind::kCounter, kTick,
   "Rows remapped, correctable", "Memory rows replaced after correctable errors"},
  {Metric::kRemappedRowsUncorrectable, Entity::kGpu, "remapped_rows_uncorrectable", "remapped_rows", kCount, 0, Kind::kCounter, kTick,
   "Rows remapped, uncorrectable", "Memory rows replaced after uncorrectable errors"},
  {Metric::kRemappedRowsPending, Entity::kGpu, "remapped_rows_pending", "remapped_rows", kFlag, 0, Kind::kState, kTick,
   "Row remap pending", "1 while a row waits for a reset to be replaced"},
  {Metric::kRemappedRowsFailure, Entity::kGpu, "remapped_rows_failure", "remapped_rows", kFlag, 0, Kind::kState, kTick,
   "Row remap failed", "1 when a row could not be replaced"},
  {Metric::kRemapBanksMax, Entity::kGpu, "remap_banks_max", "remapped_rows", kCount, 0, Kind::kGauge, kSlow,
   "Banks with all spare rows left", "Memory banks with all spare rows left"},
  {Metric::kRemapBanksHigh, Entity::kGpu, "remap_banks_high", "remapped_rows", kCount, 0, Kind::kGauge, kSlow,
   "Banks with many spare rows left", "Memory banks with many spare rows left"},
  {Metric::kRemapBanksPartial, Entity::kGpu, "remap_banks_partial", "remapped_rows", kCount, 0, Kind::kGauge, kSlow,
   "Banks with some spare rows left", "Memory banks with some spare rows left"},
  {Metric::kRemapBanksLow, Entity::kGpu, "remap_banks_low", "remapped_rows", kCount, 0, Kind::kGauge, kSlow,
   "Banks with few spare rows left", "Memory banks with few spare rows left"},
  {Metric::kRemapBanksNone, Entity::kGpu, "remap_banks_none", "remapped_rows", kCount, 0, Kind::kGauge, kSlow,
   "Banks with no spare row left", "Memory banks with no spare row left"},
  {Metric::kRetiredPagesSingleBit, Entity::kGpu, "retired_pages_single_bit", "retired_pages", kCount, 0, Kind::kCounter, kSlow,
   "Pages retired, single bit", "Memory pages retired after several single-bit errors"},
  {Metric::kRetiredPagesDoubleBit, Entity::kGpu, "retired_pages_double_bit", "retired_pages", kCount, 0, Kind::kCounter, kSlow,
   "Pages retired, double bit", "Memory pages retired after a double-bit error"},
  {Metric::kRetiredPagesPending, Entity::kGpu, "retired_pages_pending", "retired_pages", kFlag, 0, Kind::kState, kSlow,
   "Page retirement pending", "1 while a page waits for a restart to be retired"},
  {Metric::kPcieGeneration, Entity::kGpu, "pcie_generation", "pcie", kGeneration, 0, Kind::kState, kSlow,
   "PCIe generation", "PCIe generation of the link now"},
  {Metric::kPcieWidth, Entity::kGpu, "pcie_width_lanes", "pcie", kLanes, 0, Kind::kState, kSlow,
   "PCIe width", "PCIe lanes of the link now"},
  {Metric::kPcieGenerationMax, Entity::kGpu, "pcie_generation_max", "pciegen", kGeneration, 0, Kind::kState, kOnce,
   "Maximum PCIe generation", "Highest PCIe generation that card and slot both have"},
  {Metric::kPcieWidthMax, Entity::kGpu, "pcie_width_max_lanes", "pciewidth", kLanes, 0, Kind::kState, kOnce,
   "Maximum PCIe width", "Most PCIe lanes that card and slot both have"},
  {Metric::kPcieTx, Entity::kGpu, "pcie_tx_bytes_per_second", "pcie", kBytesPerSecond, 0, Kind::kGauge, kTick,
   "PCIe sent", "Rate at which the GPU sends over PCIe"},
  {Metric::kPcieRx, Entity::kGpu, "pcie_rx_bytes_per_second", "pcie", kBytesPerSecond, 0, Kind::kGauge, kTick,
   "PCIe received", "Rate at which the GPU receives over PCIe"},
  {Metric::kPcieTxTotal, Entity::kGpu, "pcie_tx_bytes", "pcie", kBytes, 0, Kind::kCounter, kTick,
   "PCIe sent, total", "Bytes that the GPU sent over PCIe"},
  {Metric::kPcieRxTotal, Entity::kGpu, "pcie_rx_bytes", "pcie", kBytes, 0, Kind::kCounter, kTick,
   "PCIe received, total", "Bytes that the GPU received over PCIe"},
  {Metric::kPcieReplays, Entity::kGpu, "pcie_replays", "pcie", kCount, 0, Kind::kCounter, kTick,
   "PCIe replays", "Packets sent again over PCIe"},
  {Metric::kNvlinkTx, Entity::kGpu, "nvlink_tx_bytes", "nvlink", kBytes, 0, Kind::kCounter, kTick,
   "NVLink sent, total", "Bytes that the GPU sent over all its NVLinks"},
  {Metric::kNvlinkRx, Entity::kGpu, "nvlink_rx_bytes", "nvlink", kBytes, 0, Kind::kCounter, kTick,
   "NVLink received, total", "Bytes that the GPU received over all its NVLinks"},
  {Metric::kNvlinkTxRate, Entity::kGpu, "nvlink_tx_bytes_per_second", "nvlink", kBytesPerSecond, 0, Kind::kGauge, kTick,
   "NVLink sent", "Rate at which the GPU sends over all its NVLinks, since the tick before"},
  {Metric::kNvlinkRxRate, Entity::kGpu, "nvlink_rx_bytes_per_second", "nvlink", kBytesPerSecond, 0, Kind::kGauge, kTick,
   "NVLink received", "Rate at which the GPU receives over all its NVLinks, since the tick before"},
  {Metric::kNvlinkActiveLinks, Entity::kGpu, "nvlink_active_links", "nvlink", kCount, 0, Kind::kGauge, kSlow,
   "NVLinks up", "NVLinks that are up"},
  {Metric::kFanSpeedPercent, Entity::kGpu, "fan_speed_percent", "fan_percent", kPercent, 2, Kind::kGauge, kTick,
   "Fan speed, share", "Intended speed of the fans as a share of their maximum"},
  {Metric::kFanSpeed, Entity::kGpu, "fan_speed_rpm", "fan", kRpm, 0, Kind::kGauge, kTick,
   "Fan speed", "Speed of the fastest fan"},
  {Metric::kMigMode, Entity::kGpu, "mig_mode", "mig", kFlag, 0, Kind::kState, kSlow,
   "MIG mode", "1 while the GPU is split into MIG instances"},
  {Metric::kComputeProcesses, Entity::kGpu, "compute_processes", "processes_count", kCount, 0, Kind::kGauge, kSlow,
   "Compute processes", "Processes that hold a compute context"},
  {Metric::kGraphicsProcesses, Entity::kGpu, "graphics_processes", "processes_count", kCount, 0, Kind::kGauge, kSlow,
   "Graphics processes", "Processes that hold a graphics context"},
  {Metric::kPersistenceMode, Entity::kGpu, "persistence_mode", "modes", kFlag, 0, Kind::kState, kSlow,
   "Persistence mode", "1 while the driver stays loaded without a client"},
  {Metric::kComputeMode, Entity::kGpu, "compute_mode", "modes", kState, 0, Kind::kState, kSlow,
   "Compute mode", "0 default, 2 prohibited, 3 exclusive process"},
  {Metric::kDisplayActive, Entity::kGpu, "display_active", "modes", kFlag, 0, Kind::kState, kSlow,
   "Display active", "1 while a display is driven"},
  {Metric::kRecoveryAction, Entity::kGpu, "recovery_action", "modes", kState, 0, Kind::kState, kSlow,
   "Recovery action", "0 none, 1 reset the GPU, 2 reboot, 3 drain peer traffic, 4 drain and reset"},
  {Metric::kMinorNumber, Entity::kGpu, "minor_number", "minor", kState, 0, Kind::kState, kOnce,
   "Minor number", "Number N of the device node /dev/nvidiaN"},
  {Metric::kUnifiedMemory, Entity::kGpu, "unified_memory", "modes", kFlag, 0, Kind::kState, kOnce,
   "Unified memory", "1 where the GPU has no memory of its own and shares the host's: memory figures are the host's"},
  {Metric::kVirtualizationMode, Entity::kGpu, "virtualization_mode", "modes", kState, 0, Kind::kState, kSlow,
   "Virtualization mode", "0 none, 1 passed through, 2 vGPU guest, 3 vGPU host, 4 vGPU host with SR-IOV"},
  {Metric::kVgpuInstances, Entity::kGpu, "vgpu_instances", "vgpu", kCount, 0, Kind::kGauge, kSlow,
   "vGPU instances", "Virtual GPUs that run on this GPU"},
  {Metric::kVgpuLicense, Entity::kGpu, "vgpu_licensed", "vgpu", kFlag, 0, Kind::kState, kSlow,
   "vGPU license", "1 while a vGPU guest holds a license"},
  {Metric::kXidLast, Entity::kGpu, "xid_last", "xid", kState, 0, Kind::kState, kTick,
   "Last XID", "Number of the last XID error that the agent saw; 0 when it saw none"},
  {Metric::kXidErrors, Entity::kGpu, "xid_errors", "xid", kCount, 0, Kind::kCounter, kTick,
   "XID errors", "XID errors since the agent began to watch this GPU"},
  {Metric::kBusySeconds, Entity::kGpu, "busy_seconds", "busy", kSeconds, 3, Kind::kCounter, kTick,
   "Busy time", "Time in which the GPU worked since the agent began to watch it: its utilization, summed over every tick"},
  {Metric::kFanPercent, Entity::kFan, "fan_percent", "fans", kPercent, 2, Kind::kGauge, kTick,
   "Fan share", "Intended speed of one fan as a share of its maximum"},
  {Metric::kFanRpm, Entity::kFan, "fan_rpm", "fans", kRpm, 0, Kind::kGauge, kTick,
   "Fan speed", "Speed of one fan"},
  {Metric::kLinkState, Entity::kLink, "link_state", "links", kFlag, 0, Kind::kState, kSlow,
   "Link state", "1 while the NVLink is up"},
  {Metric::kLinkVersion, Entity::kLink, "link_version", "links", kGeneration, 0, Kind::kState, kOnce,
   "Link version", "NVLink generation"},
  {Metric::kLinkTx, Entity::kLink, "link_tx_bytes", "links", kBytes, 0, Kind::kCounter, kTick,
   "Link sent", "Bytes sent over one NVLink"},
  {Metric::kLinkRx, Entity::kLink, "link_rx_bytes", "links", kBytes, 0, Kind::kCounter, kTick,
   "Link received", "Bytes received over one NVLink"},
  {Metric::kLinkCrcFlitErrors, Entity::kLink, "link_crc_flit_errors", "links", kCount, 0, Kind::kCounter, kSlow,
   "Flow control CRC errors", "Flow control CRC errors of one NVLink"},
  {Metric::kLinkCrcDataErrors, Entity::kLink, "link_crc_data_errors", "links", kCount, 0, Kind::kCounter, kSlow,
   "Data CRC errors", "Data CRC errors of one NVLink"},
  {Metric::kLinkReplayErrors, Entity::kLink, "link_replay_errors", "links", kCount, 0, Kind::kCounter, kSlow,
   "Replays", "Replays of one NVLink"},
  {Metric::kLinkRecoveryErrors, Entity::kLink, "link_recovery_errors", "links", kCount, 0, Kind::kCounter, kSlow,
   "Recoveries", "Recoveries of one NVLink"},
  {Metric::kMigMemoryUsed, Entity::kMigInstance, "mig_memory_used_bytes", "mig_instances", kBytes, 0, Kind::kGauge, kTick,
   "Memory used", "Memory of the instance in use"},
  {Metric::kMigMemoryFree, Entity::kMigInstance, "mig_memory_free_bytes", "mig_instances", kBytes, 0, Kind::kGauge, kTick,
   "Memory free", "Memory of the instance free"},
  {Metric::kMigMemoryTotal, Entity::kMigInstance, "mig_memory_total_bytes", "mig_instances", kBytes, 0, Kind::kGauge, kTick,
   "Memory total", "Memory of the instance in all"},
  {Metric::kMigGraphicsEngineActivity, Entity::kMigInstance, "mig_graphics_engine_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "Graphics engine activity", "Share of time in which the engine of the instance was active"},
  {Metric::kMigSmActivity, Entity::kMigInstance, "mig_sm_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "SM activity", "Mean share of time in which an SM of the instance had a warp resident"},
  {Metric::kMigSmOccupancy, Entity::kMigInstance, "mig_sm_occupancy_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "SM occupancy", "Mean share of the instance's warp slots in use"},
  {Metric::kMigTensorActivity, Entity::kMigInstance, "mig_tensor_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "Tensor activity", "Mean share of cycles in which the instance's tensor pipes were active"},
  {Metric::kMigFp64Activity, Entity::kMigInstance, "mig_fp64_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "FP64 activity", "Mean share of cycles in which the instance's FP64 pipe was active"},
  {Metric::kMigFp32Activity, Entity::kMigInstance, "mig_fp32_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "FP32 activity", "Mean share of cycles in which the instance's FP32 pipe was active"},
  {Metric::kMigFp16Activity, Entity::kMigInstance, "mig_fp16_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "FP16 activity", "Mean share of cycles in which the instance's FP16 pipe was active"},
  {Metric::kMigDramActivity, Entity::kMigInstance, "mig_dram_activity_percent", "mig_instances", kPercent, 2, Kind::kGauge, kTick,
   "DRAM activity", "Mean share of cycles in which the instance's memory transferred data"},
  {Metric::kMigEccUncorrected, Entity::kMigInstance, "mig_ecc_sram_uncorrected_errors", "mig_instances", kCount, 0, Kind::kCounter, kSlow,
   "SRAM ECC uncorrected", "Uncorrected errors in the instance's SRAM since the driver was loaded"},
  {Metric::kProcessMemory, Entity::kProcess, "process_memory_bytes", "processes", kBytes, 0, Kind::kGauge, kSlow,
   "Memory", "Device memory of one process"},
  {Metric::kProcessSmUtilization, Entity::kProcess, "process_sm_utilization_percent", "processes", kPercent, 2, Kind::kGauge, kSlow,
   "SM share", "Share of SM time that one process had"},
  {Metric::kProcessMemoryUtilization, Entity::kProcess, "process_memory_utilization_percent", "processes", kPercent, 2, Kind::kGauge, kSlow,
   "Memory share", "Share of memory time that one process had"},
  {Metric::kProcessEncoderUtilization, Entity::kProcess, "process_encoder_utilization_percent", "processes", kPercent, 2, Kind::kGauge, kSlow,
   "Encoder share", "Share of encoder time that one process had"},
  {Metric::kProcessDecoderUtilization, Entity::kProcess, "process_decoder_utilization_percent", "processes", kPercent, 2, Kind::kGauge, kSlow,
   "Decoder share", "Share of decoder time that one process had"},
}};

constexpr std::array<FactInfo, kFactCount> kFacts{{
  {Fact::kName, "name", "Product name"},
  {Fact::kUuid, "uuid", "UUID, with its prefix GPU-"},
  {Fact::kSerial, "serial", "Serial number of the board"},
  {Fact::kVbios, "vbios", "VBIOS version"},
  {Fact::kDriverVersion, "driver", "Version of the kernel driver"},
  {Fact::kCudaVersion, "cuda", "Highest CUDA version that the driver supports"},
  {Fact::kNvmlVersion, "nvml", "Version of the NVML library"},
  {Fact::kPciBusId, "pci_bus_id", "PCI address as NVML writes it, such as 00000000:06:00.0"},
  {Fact::kBrand, "brand", "Product line"},
  {Fact::kArchitecture, "architecture", "Chip generation"},
  {Fact::kComputeCapability, "compute_capability", "CUDA compute capability, such as 9.0"},
  {Fact::kBoardPartNumber, "board_part_number", "Part number of the board"},
  {Fact::kBoardId, "board_id", "Id that the GPUs of one board share"},
  {Fact::kInforomImage, "inforom_image", "Version of the InfoROM image"},
  {Fact::kInforomOem, "inforom_oem", "Version of the InfoROM OEM object"},
  {Fact::kInforomEcc, "inforom_ecc", "Version of the InfoROM ECC object"},
  {Fact::kInforomPower, "inforom_power", "Version of the InfoROM power object"},
  {Fact::kGspFirmware, "gsp_firmware", "Version of the GSP firmware"},
}};
// clang-format on

constexpr bool rows_stand_in_order() {
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (static_cast<std::size_t>(kMetrics[i].id) != i) return false;
    if (i > 0 && kMetrics[i].entity < kMetrics[i - 1].entity) return false;
  }
  for (std::size_t i = 0; i < kFactCount; ++i) {
    if (static_cast<std::size_t>(kFacts[i].id) != i) return false;
  }
  return true;
}
static_assert(rows_stand_in_order());

constexpr std::size_t rows_of(Entity entity) {
  return static_cast<std::size_t>(std::ranges::count(kMetrics, entity, &MetricInfo::entity));
}
static_assert(rows_of(Entity::kGpu) == kGpuMetricCount);
static_assert(rows_of(Entity::kFan) == kFanMetricCount);
static_assert(rows_of(Entity::kLink) == kLinkMetricCount);
static_assert(rows_of(Entity::kMigInstance) == kMigInstanceMetricCount);
static_assert(rows_of(Entity::kProcess) == kProcessMetricCount);

}  // namespace

std::span<const MetricInfo, kMetricCount> metrics() { return kMetrics; }

std::span<const MetricInfo> metrics(Entity entity) {
  const auto rows = std::ranges::equal_range(kMetrics, entity, {}, &MetricInfo::entity);
  return {rows.begin(), rows.end()};
}

std::span<const FactInfo, kFactCount> facts() { return kFacts; }

const MetricInfo& info(Metric metric) { return kMetrics[static_cast<std::size_t>(metric)]; }

const FactInfo& info(Fact fact) { return kFacts[static_cast<std::size_t>(fact)]; }

std::optional<Metric> find_metric(std::string_view key) {
  const auto* row = std::ranges::find(kMetrics, key, &MetricInfo::key);
  if (row == kMetrics.end()) return std::nullopt;
  return row->id;
}

std::string_view unit_symbol(Unit unit) {
  switch (unit) {
    case kPercent:
      return "%";
    case kBytes:
      return "B";
    case kBytesPerSecond:
      return "B/s";
    case kCelsius:
      return "°C";
    case kWatts:
      return "W";
    case kJoules:
      return "J";
    case kMegahertz:
      return "MHz";
    case kSeconds:
      return "s";
    case kRpm:
      return "rpm";
    case kCount:
    case kFlag:
    case kState:
    case kGeneration:
    case kLanes:
      return "";
  }
  return "";
}

std::string_view unit_name(Unit unit) {
  switch (unit) {
    case kPercent:
      return "percent";
    case kBytes:
      return "bytes";
    case kBytesPerSecond:
      return "bytes per second";
    case kCelsius:
      return "degrees Celsius";
    case kWatts:
      return "watts";
    case kJoules:
      return "joules";
    case kMegahertz:
      return "megahertz";
    case kSeconds:
      return "seconds";
    case kRpm:
      return "revolutions per minute";
    case kCount:
      return "count";
    case kFlag:
      return "0 or 1";
    case kState:
      return "state";
    case kGeneration:
      return "generation";
    case kLanes:
      return "lanes";
  }
  return "";
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kGauge:
      return "gauge";
    case Kind::kCounter:
      return "counter";
    case Kind::kState:
      return "state";
  }
  return "";
}

std::string_view cadence_name(Cadence cadence) {
  switch (cadence) {
    case kTick:
      return "every tick";
    case kSlow:
      return "every few seconds";
    case kOnce:
      return "once";
  }
  return "";
}

std::string_view entity_name(Entity entity) {
  switch (entity) {
    case Entity::kGpu:
      return "GPU";
    case Entity::kFan:
      return "fan";
    case Entity::kLink:
      return "NVLink";
    case Entity::kMigInstance:
      return "MIG instance";
    case Entity::kProcess:
      return "process";
  }
  return "";
}

}  // namespace gpuscope::model

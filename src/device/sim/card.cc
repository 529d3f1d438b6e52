#include "device/sim/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "device/sim/machine.h"
#include "device/sim/noise.h"

namespace gpuscope::device::sim {
namespace {

using model::Absence;
using model::Fact;
using model::Metric;
using model::Reading;
using model::Text;

constexpr std::array<Identity, kIdentityCount> kIdentities{{
    {"SIM-RTX4090",
     "GPU-0a1b2c3d-4e5f-6172-8192-334455667788",
     "SIM123456",
     "90.00.01.00.AB",
     "Ada",
     "8.9",
     4,
     16,
     350,
     24'000,
     {45, 1050, 100, 2100, 1100, 30, 3000}},
    {"SIM-RTX3080",
     "GPU-1b2c3d4e-5f6a-7b8c-9d0e-112233445566",
     "SIM654321",
     "90.00.02.00.CD",
     "Ampere",
     "8.6",
     3,
     8,
     250,
     16'000,
     {55, 2400, 200, 1800, 900, 60, 6000}},
    {"SIM-GTX1060",
     "GPU-2c3d4e5f-6a7b-8c9d-0e1f-223344556677",
     "SIM000001",
     "90.00.03.00.EF",
     "Pascal",
     "6.1",
     2,
     4,
     150,
     8'000,
     {65, 9500, 300, 1500, 700, 90, 2000}},
}};

std::int64_t milli(double value) { return std::llround(value * 1000); }
std::int64_t deci(double value) { return std::llround(value * 10); }

// A UUID made of two hashes, with the version and variant bits of a random one.
std::string make_uuid(std::uint64_t seed, std::size_t index) {
  const std::uint64_t high = mix(mix(seed, 0x55), index);
  const std::uint64_t low = mix(high, index);
  return fmt::format("GPU-{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32U,
                     (high >> 16U) & 0xffffU, high & 0xfffU, 0x8000U | ((low >> 48U) & 0x3fffU),
                     low & 0xffff'ffff'ffffU);
}

// As NVML writes it: domain, bus, device, function.
std::string make_bus_id(std::size_t index) {
  return fmt::format("{:08X}:{:02X}:00.0", index / 255, index % 255 + 1);
}

void set_limits(const CardModel& card, model::GpuRow& row) {
  const auto put = [&row](Metric metric, std::int64_t value) {
    row[column(metric)] = Reading::of(value);
  };
  put(Metric::kTemperatureShutdown, deci(card.temperature_shutdown_celsius));
  put(Metric::kTemperatureSlowdown, deci(card.temperature_slowdown_celsius));
  put(Metric::kTemperatureMax, deci(card.temperature_max_celsius));
  put(Metric::kMemoryTemperatureMax, deci(card.temperature_max_celsius + 8));
  put(Metric::kPowerLimit, milli(card.power_limit_watts));
  put(Metric::kPowerLimitEnforced, milli(card.power_limit_watts));
  put(Metric::kPowerLimitDefault, milli(card.power_limit_watts));
  put(Metric::kPowerLimitMin, milli(std::floor(card.power_limit_watts * 0.3)));
  put(Metric::kPowerLimitMax, milli(card.power_limit_watts));
  const std::int64_t clock = std::llround(card.gpu_clock_max_mhz);
  put(Metric::kSmClockMax, clock);
  put(Metric::kGraphicsClockMax, clock);
  put(Metric::kVideoClockMax, clock * 9 / 10);
  put(Metric::kSmClockApplication, clock);
  put(Metric::kMemoryClock, std::llround(card.memory_clock_mhz));
  put(Metric::kMemoryClockMax, std::llround(card.memory_clock_mhz));
  put(Metric::kMemoryClockApplication, std::llround(card.memory_clock_mhz));
  put(Metric::kPcieGeneration, card.pcie_generation);
  put(Metric::kPcieGenerationMax, card.pcie_generation);
  put(Metric::kPcieWidth, card.pcie_width);
  put(Metric::kPcieWidthMax, card.pcie_width);
}

void set_memory(const CardModel& card, model::GpuRow& row) {
  const std::int64_t total = memory_total_mib(card);
  row[column(Metric::kMemoryTotal)] = Reading::of(total * kMib);
  row[column(Metric::kUnifiedMemory)] = Reading::of(card.unified_memory ? 1 : 0);
  if (card.unified_memory) {
    for (const Metric metric :
         {Metric::kMemoryReserved, Metric::kBar1Total, Metric::kBar1Used, Metric::kBar1Free}) {
      row[column(metric)] = Reading::none(Absence::kUnsupported);
    }
    return;
  }
  row[column(Metric::kMemoryReserved)] = Reading::of(memory_reserved_mib(card) * kMib);
  std::int64_t bar1 = 256;  // the window covers the memory, in a power of two
  while (bar1 < total) bar1 *= 2;
  row[column(Metric::kBar1Total)] = Reading::of(bar1 * kMib);
  row[column(Metric::kBar1Used)] = Reading::of(3 * kMib);
  row[column(Metric::kBar1Free)] = Reading::of((bar1 - 3) * kMib);
}

// As the metric virtualization_mode counts them.
constexpr int kVgpuGuest = 2;
constexpr int kVgpuHost = 3;

void set_virtualization(const CardModel& card, model::GpuRow& row) {
  const Reading none = Reading::none(Absence::kUnsupported);
  row[column(Metric::kVirtualizationMode)] = Reading::of(card.virtualization_mode);
  row[column(Metric::kVgpuInstances)] =
      card.virtualization_mode >= kVgpuHost ? Reading::of(card.vgpu_instances) : none;
  row[column(Metric::kVgpuLicense)] =
      card.virtualization_mode == kVgpuGuest ? Reading::of(card.vgpu_licensed ? 1 : 0) : none;
}

}  // namespace

const Identity& identity(std::size_t index) { return kIdentities[index]; }

CardModel card_of(const Identity& identity) {
  CardModel card;
  card.name = identity.name;
  card.memory_mib = identity.memory_mib;
  card.power_limit_watts = identity.power_limit_watts;
  card.idle_power_watts = identity.power_limit_watts / 10;
  // Wandering goes up to 5 % above the base.
  card.gpu_clock_max_mhz = std::ceil(identity.base.gpu_clock_mhz * 1.05);
  card.memory_clock_mhz = std::ceil(identity.base.memory_clock_mhz * 1.05);
  card.pcie_generation = identity.pcie_generation;
  card.pcie_width = identity.pcie_width;
  card.nvlinks = 4;
  return card;
}

model::GpuInfo describe(const CardModel& card, const Identity* who, std::uint64_t seed,
                        std::size_t index) {
  model::GpuInfo info;
  const auto put = [&info](Fact fact, std::string text) {
    info.fact(fact) = Text::of(std::move(text));
  };
  put(Fact::kName, card.name);
  put(Fact::kUuid, who != nullptr ? who->uuid : make_uuid(seed, index));
  put(Fact::kSerial, who != nullptr ? std::string(who->serial)
                                    : fmt::format("165{:010}", mix(seed, index) % 10'000'000'000U));
  put(Fact::kVbios, who != nullptr ? who->vbios : "96.00.5E.00.01");
  put(Fact::kDriverVersion, kDriverVersion);
  put(Fact::kCudaVersion, "12.0");
  put(Fact::kNvmlVersion, fmt::format("12.{}", kDriverVersion));
  put(Fact::kPciBusId, make_bus_id(index));
  put(Fact::kBrand, who != nullptr ? "GeForce" : "NVIDIA");
  put(Fact::kArchitecture, who != nullptr ? who->architecture : "Hopper");
  put(Fact::kComputeCapability, who != nullptr ? who->compute_capability : "9.0");
  put(Fact::kBoardPartNumber, who != nullptr ? "900-1G136-2530-000" : "692-2G520-0200-000");
  put(Fact::kBoardId, fmt::format("0x{:x}", (index + 1) * 0x100));
  put(Fact::kInforomImage, "G520.0200.00.05");
  put(Fact::kInforomOem, "2.1");
  put(Fact::kInforomEcc, "7.16");
  put(Fact::kInforomPower, "1.0");
  put(Fact::kGspFirmware, kDriverVersion);
  return info;
}

model::GpuRow fixed_row(const CardModel& card) {
  model::GpuRow row{};
  set_limits(card, row);
  set_memory(card, row);
  set_virtualization(card, row);
  // What no load and no fault moves: no display, no graphics, no retired page, ECC on, …
  for (const Metric metric : {Metric::kJpegUtilization,
                              Metric::kOfaUtilization,

                              Metric::kClockEventApplicationsClocks,
                              Metric::kClockEventSyncBoost,
                              Metric::kClockEventHwPowerBrake,
                              Metric::kClockEventDisplayClocks,
                              Metric::kClockEventSyncBoostSeconds,
                              Metric::kClockEventHwPowerBrakeSeconds,
                              Metric::kViolationSyncBoostSeconds,
                              Metric::kViolationBoardLimitSeconds,
                              Metric::kViolationReliabilitySeconds,
                              Metric::kEccSramCorrectedVolatile,
                              Metric::kEccSramCorrectedAggregate,
                              Metric::kEccSramUncorrectedVolatile,
                              Metric::kEccSramUncorrectedAggregate,
                              Metric::kRemappedRowsCorrectable,
                              Metric::kRetiredPagesSingleBit,
                              Metric::kRetiredPagesDoubleBit,
                              Metric::kRetiredPagesPending,
                              Metric::kGraphicsProcesses,
                              Metric::kComputeMode,
                              Metric::kDisplayActive}) {
    row[column(metric)] = Reading::of(0);
  }
  row[column(Metric::kEccMode)] = Reading::of(1);
  row[column(Metric::kPersistenceMode)] = Reading::of(1);
  row[column(Metric::kMigMode)] = Reading::of(card.mig_instances > 0 ? 1 : 0);
  return row;
}

double fan_max_rpm() { return 10'500; }

std::int64_t memory_total_mib(const CardModel& card) {
  return static_cast<std::int64_t>(card.memory_mib);
}

std::int64_t memory_reserved_mib(const CardModel& card) {
  return card.unified_memory ? 0 : memory_total_mib(card) / 100;
}

}  // namespace gpuscope::device::sim

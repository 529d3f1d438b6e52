// The cards that are simulated: what they are called and what never changes about them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "device/sim/scenario.h"
#include "model/snapshot.h"

namespace gpuscope::device::sim {

// The three GPUs that everybody's tests and dashboards know stand at index 0 to 2.
inline constexpr std::size_t kIdentityCount = 3;

// Where a wandering GPU wanders around.
struct Base {
  double temperature_celsius;
  double fan_rpm;
  double power_watts;
  double gpu_clock_mhz;
  double memory_clock_mhz;
  double utilization_percent;
  double memory_used_mib;
};

struct Identity {
  const char* name;
  const char* uuid;
  const char* serial;
  const char* vbios;
  const char* architecture;
  const char* compute_capability;
  int pcie_generation;
  int pcie_width;
  double power_limit_watts;
  double memory_mib;
  Base base;
};

const Identity& identity(std::size_t index);  // below kIdentityCount
CardModel card_of(const Identity& identity);
inline CardModel default_card() { return {}; }

// All facts of one GPU. `who` is null for a GPU that is none of the three.
model::GpuInfo describe(const CardModel& card, const Identity* who, std::uint64_t seed,
                        std::size_t index);

// A row with all that never changes on this card; the rest is not read yet.
model::GpuRow fixed_row(const CardModel& card);

double fan_max_rpm();  // of all simulated cards

// The memory of the card that can be used, in MiB: what is left beside what the driver keeps.
std::int64_t memory_total_mib(const CardModel& card);
std::int64_t memory_reserved_mib(const CardModel& card);

inline constexpr std::int64_t kMib = std::int64_t{1} << 20U;

}  // namespace gpuscope::device::sim

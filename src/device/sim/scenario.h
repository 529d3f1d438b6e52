// What simulated GPUs do: plain data, as a scenario file describes it (docs/formats/scenario.md).
// config/scenario.h reads the files; whoever fills this by hand keeps the ranges given here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/catalog.h"

namespace gpuscope::device::sim {

using Milliseconds = std::chrono::milliseconds;

// Simulated time moves in steps of this length; every duration counts in whole steps.
inline constexpr Milliseconds kStep{100};
inline constexpr Milliseconds kMaxPeriod = std::chrono::hours{1};
inline constexpr std::size_t kMaxPhases = 64;
inline constexpr std::size_t kMaxFaults = 32;
// Faults that change the physics (cooling, power cap) each double the work of preparing a machine.
inline constexpr std::size_t kMaxPhysicalFaults = 4;
inline constexpr int kMaxProcesses = 16;
inline constexpr int kMaxLinks = 18;
inline constexpr int kMaxFans = 8;
inline constexpr int kMaxMigInstances = 7;
inline constexpr int kMaxVgpuInstances = 32;

// The card that all GPUs of a scenario are. The values are those of SIM-H100.
struct CardModel {
  std::string name = "SIM-H100";
  double memory_mib = 81'559;                // 1024 to 2^21
  double power_limit_watts = 700;            // 10 to 5000
  double idle_power_watts = 72;              // 0 to the limit
  double gpu_clock_max_mhz = 1980;           // 100 to 10'000
  double memory_clock_mhz = 2619;            // 100 to 30'000
  double ambient_celsius = 28;               // -20 to 60: the temperature at no power
  double rise_celsius = 42;                  // 1 to 200: above ambient, at the power limit for long
  double temperature_max_celsius = 87;       // software throttling begins
  double temperature_slowdown_celsius = 90;  // the hardware halves the clocks
  double temperature_shutdown_celsius = 95;  // in rising order, 30 to 150
  int pcie_generation = 5;                   // 1 to 7
  int pcie_width = 16;                       // 1 to 32
  int fans = 2;                              // 0 to kMaxFans
  int nvlinks = 18;                          // 0 to kMaxLinks
  int mig_instances = 0;                     // 0 (MIG off) to kMaxMigInstances
  // It has no memory of its own and shares the host's, which `memory_mib` then is.
  bool unified_memory = false;
  int virtualization_mode = 0;  // 0 to 4, as the metric virtualization_mode
  int vgpu_instances = 0;       // 0 to kMaxVgpuInstances; of a vGPU host
  bool vgpu_licensed = false;   // of a vGPU guest
};

// One stretch of load. The next phase takes over within a few seconds, not at once.
struct Phase {
  Milliseconds duration = std::chrono::seconds{60};  // kStep to kMaxPeriod
  double utilization_percent = 0;                    // 0 to 100
  double wander_percent = 3;              // 0 to 50: points by which it wanders up and down
  double power_percent = 10;              // 0 to 150: what it wants, of the card's limit
  double memory_utilization_percent = 0;  // 0 to 100
  double memory_used_percent = 0;         // 0 to 100
  double tensor_percent = 0;              // 0 to 100: how busy the tensor pipes are
  double encoder_percent = 0;             // 0 to 100
  double decoder_percent = 0;             // 0 to 100
  double pcie_mb_per_second = 0;          // 0 to 500'000, each way
  double nvlink_mb_per_second = 0;        // 0 to 2'000'000, each way, over all links
  int processes_min = 1;                  // 0 to processes_max
  int processes_max = 1;                  // 0 to kMaxProcesses
};

enum class FaultKind : std::uint8_t {
  kCooling,         // amount: heat leaves so many times worse (1 to 20)
  kPowerCap,        // amount: percent of the card's power limit that is enforced (10 to 100)
  kEccCorrected,    // amount: errors a minute
  kEccUncorrected,  // amount: errors a minute; each remaps a row while there are spare ones
  kRemapPending,    // no amount
  kRemapFailure,    // no amount
  kLost,            // no amount: the GPU is off the bus
  kNvlinkDown,      // amount: how many links are down (1 to kMaxLinks)
  kNvlinkErrors,    // amount: replays a minute on the first link
  kPcieDegraded,    // amount: lanes that are left (1 to 32)
  kPcieReplays,     // amount: replays a minute
  kPcieSlow,        // amount: the PCIe generation that the link works at (1 to 7)
  kXid,             // amount: the XID that the driver reports when it begins (1 to kMaxXid)
};
inline constexpr int kFaultKindCount = 13;
inline constexpr int kMaxXid = 9999;

// Something that is wrong with some GPUs, in a window of every period.
struct Fault {
  FaultKind kind = FaultKind::kLost;
  std::vector<int> gpus;              // by index; empty: all
  Milliseconds from{0};               // since the period began
  std::optional<Milliseconds> until;  // none: to the end of the period
  double amount = 0;                  // as FaultKind says
};

// The phases run one after another, again and again, counted from the simulated boot.
struct Scenario {
  std::string name;
  std::string description;
  std::optional<int> gpus;        // how many, where nobody asks for another number
  std::optional<CardModel> card;  // none: the three default GPUs, then SIM-H100
  // True: all GPUs are at the same point of the period, as in one job. False: each at its own, but
  // for GPUs that a fault hits: their period begins with the fault's clock.
  bool lockstep = false;
  std::vector<Phase> phases;               // 1 to kMaxPhases, kMaxPeriod in all
  std::vector<Fault> faults;               // up to kMaxFaults, kMaxPhysicalFaults of them physical
  std::vector<model::Metric> unsupported;  // metrics that these cards do not give
};

}  // namespace gpuscope::device::sim

// Everything known of a machine's GPUs at one instant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/catalog.h"
#include "model/health.h"
#include "model/reading.h"
#include "model/trend.h"

namespace gpuscope::model {

// A text fact, or the reason that there is none.
struct Text {
  std::string value;
  Absence absence = Absence::kNotYet;

  bool present() const { return absence == Absence::kPresent; }
  static Text of(std::string value) { return {std::move(value), Absence::kPresent}; }
  static Text none(Absence why) { return {{}, why}; }
};

// What does not change while a device is open.
struct GpuInfo {
  std::array<Text, kFactCount> facts;

  const Text& fact(Fact which) const { return facts[static_cast<std::size_t>(which)]; }
  Text& fact(Fact which) { return facts[static_cast<std::size_t>(which)]; }
  // The UUID with its prefix; empty when unknown.
  const std::string& uuid() const { return fact(Fact::kUuid).value; }
  const std::string& name() const { return fact(Fact::kName).value; }
};

// Which rules of health/ judge a machine.
enum class RuleSet : std::uint8_t {
  kHardware,          // the card's own limits, ECC, remapped rows, loss
  kSimulatedDefault,  // the fixed thresholds of the three default simulated GPUs
};

// Where a replayed machine comes from.
struct Recorded {
  std::string method;  // by which it was read then: "nvml"
  base::WallTime
      time{};  // of the recorded tick that was the first with this inventory, or the first
               // that is replayed; snapshots are stamped with the time of the replay
};

// The devices of one source. Immutable once published; a new object when anything changes.
struct Inventory {
  std::string method;      // "nvml", "smi", "sim", "replay"
  bool simulated = false;  // true for every device that is not real
  RuleSet rules = RuleSet::kHardware;
  std::vector<GpuInfo> gpus;         // by index, as the driver orders them
  std::optional<Recorded> recorded;  // of the method "replay" alone
};

// One row: the readings of one entity, by column(metric).
using GpuRow = std::array<Reading, kGpuMetricCount>;
using FanRow = std::array<Reading, kFanMetricCount>;
using LinkRow = std::array<Reading, kLinkMetricCount>;
using MigRow = std::array<Reading, kMigInstanceMetricCount>;

struct MigInstance {
  std::uint32_t gpu_instance_id = 0;
  std::uint32_t compute_instance_id = 0;
  std::string uuid;     // "MIG-…"; empty when unknown
  std::string profile;  // "1g.10gb"; empty when unknown
  MigRow row;
};

enum class ProcessType : std::uint8_t { kCompute, kGraphics, kComputeAndGraphics };
// "C", "G", "C+G", as nvidia-smi writes them.
std::string_view process_type_name(ProcessType type);

struct Process {
  std::uint32_t pid = 0;
  ProcessType type = ProcessType::kCompute;
  std::string name;  // empty when unknown
  std::array<Reading, kProcessMetricCount> row;
};

enum class EventKind : std::uint8_t {
  kXid,          // `code` is the XID
  kClockEvents,  // the reasons that hold the clocks changed: `code` has bit N set where the metric
                 // kClockEventIdle + N is 1 from now on
};

// How one GPU reaches another over NVLink: the numbers are NVML's (nvmlGpuP2PStatus_t).
enum class PeerLink : std::uint8_t {
  kOk,
  kChipsetNotSupported,
  kGpuNotSupported,
  kTopologyNotSupported,
  kDisabledByRegistryKey,
  kNotSupported,
  kUnknown,
  kNotKnownYet,  // also of a GPU and itself
};

// Something that happened to a device between two ticks.
struct Event {
  EventKind kind = EventKind::kXid;
  std::uint64_t code = 0;
  base::WallTime time{};  // when it happened, or when the source learned of it
  friend bool operator==(const Event&, const Event&) = default;
};

// All that a source reads of one device in one tick. Filled again and again: vectors and strings
// keep their capacity, so a steady machine is read without allocating.
struct DeviceSample {
  GpuRow gpu;
  std::vector<FanRow> fans;
  std::vector<LinkRow> links;
  std::vector<MigInstance> mig_instances;
  std::vector<Process> processes;
  Absence processes_absence = Absence::kNotYet;  // kPresent: `processes` is the whole list
  std::optional<SourceVerdict> source_verdict;
  std::vector<PeerLink> peers;  // by GPU index; empty where the source does not say
  // Since the device's last read: read() clears what it finds and puts its own. Events are oldest
  // first.
  std::vector<Event> events;
  Spreads spreads{};

  const Reading& at(Metric metric) const { return gpu[column(metric)]; }
  Reading& at(Metric metric) { return gpu[column(metric)]; }
  // Every reading of the GPU row absent for one reason, lists empty. With `keep_once`, rows of
  // Cadence::kOnce keep their value: what a lost GPU was is still known.
  // What happened to it stays in `events`.
  void mark_absent(Absence why, bool keep_once);
};

// One instant of one source. Shared as const; the sampler recycles the object once nobody holds it.
struct Snapshot {
  std::uint64_t sequence = 0;  // 1 for a sampler's first tick, then rising by one
  base::WallTime time{};       // the tick's one time stamp
  std::shared_ptr<const Inventory> inventory;
  std::vector<DeviceSample> devices;  // by GPU index, same length as inventory->gpus
  std::vector<Verdict> verdicts;      // by GPU index
  std::vector<GpuTrend> trends;       // by GPU index; empty where nobody follows from tick to tick
};

// A GPU that was there once and is not among the devices any more.
struct AbsentGpu {
  std::size_t index = 0;  // that it had
  GpuInfo info;
  std::optional<base::WallTime> last_seen;  // none: it was there and never answered
};

}  // namespace gpuscope::model

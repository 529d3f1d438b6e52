#include "device/replay/encoder.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "device/replay/bytes.h"
#include "device/replay/format.h"
#include "model/catalog.h"

namespace gpuscope::device::replay {
namespace {

using model::DeviceSample;
using model::Reading;

bool differ(const Reading& a, const Reading& b) {
  return a.absence != b.absence || (a.present() && a.value != b.value);
}

void write_session(ByteWriter& out) {
  out.varint(static_cast<std::uint64_t>(Record::kSession));
  out.varint(model::kMetricCount);
  for (const model::MetricInfo& row : model::metrics()) {
    out.byte(static_cast<std::uint8_t>(row.entity));
    out.byte(row.decimals);
    out.text(row.key);
  }
  out.varint(model::kFactCount);
  for (const model::FactInfo& row : model::facts()) out.text(row.key);
}

void write_inventory(ByteWriter& out, const model::Inventory& inventory) {
  out.varint(static_cast<std::uint64_t>(Record::kInventory));
  out.text(inventory.method);
  out.byte(inventory.simulated ? 1 : 0);
  out.byte(static_cast<std::uint8_t>(inventory.rules));
  out.varint(inventory.gpus.size());
  for (const model::GpuInfo& gpu : inventory.gpus) {
    for (const model::Text& fact : gpu.facts) {
      out.byte(static_cast<std::uint8_t>(fact.absence));
      if (fact.present()) out.text(fact.value);
    }
  }
}

// What changed in one row; `previous` becomes `row`.
void write_row(ByteWriter& out, std::span<const Reading> row, std::span<Reading> previous) {
  std::size_t next = 0;  // the first column that is not behind the last changed one
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!differ(row[i], previous[i])) continue;
    out.varint((i - next + 1) << 1 | (row[i].present() ? 0 : 1));
    if (row[i].present()) {
      out.difference(row[i].value, previous[i].present() ? previous[i].value : 0);
    } else {
      out.byte(static_cast<std::uint8_t>(row[i].absence));
    }
    previous[i] = row[i];
    next = i + 1;
  }
  out.varint(0);
}

bool rows_differ(const auto& now, const auto& before) {
  return !std::ranges::equal(now, before,
                             [](const Reading& a, const Reading& b) { return !differ(a, b); });
}

bool identity_differs(const model::MigInstance& a, const model::MigInstance& b) {
  return a.gpu_instance_id != b.gpu_instance_id || a.compute_instance_id != b.compute_instance_id ||
         a.uuid != b.uuid || a.profile != b.profile;
}
bool identity_differs(const model::Process& a, const model::Process& b) {
  return a.pid != b.pid || a.type != b.type || a.name != b.name;
}

void write_identity(ByteWriter& out, const model::MigInstance& instance) {
  out.varint(instance.gpu_instance_id);
  out.varint(instance.compute_instance_id);
  out.text(instance.uuid);
  out.text(instance.profile);
}
void write_identity(ByteWriter& out, const model::Process& process) {
  out.varint(process.pid);
  out.byte(static_cast<std::uint8_t>(process.type));
  out.text(process.name);
}
void copy_identity(const model::MigInstance& from, model::MigInstance& to) {
  to.gpu_instance_id = from.gpu_instance_id;
  to.compute_instance_id = from.compute_instance_id;
  to.uuid = from.uuid;
  to.profile = from.profile;
}
void copy_identity(const model::Process& from, model::Process& to) {
  to.pid = from.pid;
  to.type = from.type;
  to.name = from.name;
}

template <typename Row>
bool lists_differ(const std::vector<Row>& now, const std::vector<Row>& before, std::size_t limit) {
  const std::size_t size = std::min(now.size(), limit);
  if (size != before.size()) return true;
  for (std::size_t i = 0; i < size; ++i) {
    if constexpr (requires { now[i].row; }) {
      if (identity_differs(now[i], before[i]) || rows_differ(now[i].row, before[i].row)) {
        return true;
      }
    } else if (rows_differ(now[i], before[i])) {
      return true;
    }
  }
  return false;
}

template <typename Row>
void write_list(ByteWriter& out, const std::vector<Row>& now, std::vector<Row>& before,
                std::size_t limit) {
  const std::size_t size = std::min(now.size(), limit);
  const std::size_t had = before.size();
  before.resize(size);
  out.varint(size);
  for (std::size_t i = 0; i < size; ++i) {
    if constexpr (requires { now[i].row; }) {
      const bool other = i >= had || identity_differs(now[i], before[i]);
      out.byte(other ? 1 : 0);
      if (other) {
        write_identity(out, now[i]);
        copy_identity(now[i], before[i]);
      }
      write_row(out, now[i].row, before[i].row);
    } else {
      write_row(out, now[i], before[i]);
    }
  }
}

bool verdicts_differ(const std::optional<model::SourceVerdict>& a,
                     const std::optional<model::SourceVerdict>& b) {
  if (a.has_value() != b.has_value()) return true;
  return a && (a->health != b->health || a->text != b->text);
}

std::uint8_t further_parts_of(const DeviceSample& now, const DeviceSample& before) {
  std::uint8_t parts = 0;
  if (std::ranges::any_of(now.spreads, &model::Spread::present)) parts |= kSpreadPart;
  if (now.peers != before.peers && now.peers.size() <= kMaxPeers) parts |= kPeerPart;
  return parts;
}

std::uint8_t sections_of(const DeviceSample& now, const DeviceSample& before) {
  std::uint8_t sections = 0;
  if (rows_differ(now.gpu, before.gpu)) sections |= kGpuSection;
  if (lists_differ(now.fans, before.fans, kMaxFans)) sections |= kFanSection;
  if (lists_differ(now.links, before.links, kMaxLinks)) sections |= kLinkSection;
  if (lists_differ(now.mig_instances, before.mig_instances, kMaxMigInstances)) {
    sections |= kMigSection;
  }
  if (now.processes_absence != before.processes_absence ||
      lists_differ(now.processes, before.processes, kMaxProcesses)) {
    sections |= kProcessSection;
  }
  if (verdicts_differ(now.source_verdict, before.source_verdict)) sections |= kVerdictSection;
  if (!now.events.empty()) sections |= kEventSection;
  if (further_parts_of(now, before) != 0) sections |= kFurtherSection;
  return sections;
}

void write_verdict(ByteWriter& out, const std::optional<model::SourceVerdict>& verdict) {
  out.byte(verdict ? 1 : 0);
  if (!verdict) return;
  out.byte(static_cast<std::uint8_t>(verdict->health));
  out.text(verdict->text);
}

void write_events(ByteWriter& out, const std::vector<model::Event>& events, std::int64_t tick) {
  const std::size_t size = std::min(events.size(), kMaxEvents);
  out.varint(size);
  for (std::size_t i = 0; i < size; ++i) {
    out.byte(static_cast<std::uint8_t>(events[i].kind));
    out.varint(events[i].code);
    const base::WallTime time = std::clamp(events[i].time, kMinTime, kMaxTime);
    out.difference(time.time_since_epoch().count(), tick);
  }
}

void write_further(ByteWriter& out, const DeviceSample& now, DeviceSample& before) {
  const std::uint8_t parts = further_parts_of(now, before);
  out.byte(parts);
  if ((parts & kSpreadPart) != 0) {
    out.varint(
        static_cast<std::uint64_t>(std::ranges::count_if(now.spreads, &model::Spread::present)));
    for (std::size_t i = 0; i < now.spreads.size(); ++i) {
      const model::Spread& spread = now.spreads[i];
      if (!spread.present) continue;
      out.varint(model::column(model::kSampledMetrics[i]));
      out.difference(spread.min, 0);
      out.difference(spread.max, spread.min);
    }
  }
  if ((parts & kPeerPart) != 0) {
    out.varint(now.peers.size());
    for (const model::PeerLink link : now.peers) out.byte(static_cast<std::uint8_t>(link));
    before.peers = now.peers;
  }
}

void write_device(ByteWriter& out, const DeviceSample& now, DeviceSample& before,
                  std::int64_t tick) {
  const std::uint8_t sections = sections_of(now, before);
  out.byte(sections);
  if ((sections & kGpuSection) != 0) write_row(out, now.gpu, before.gpu);
  if ((sections & kFanSection) != 0) write_list(out, now.fans, before.fans, kMaxFans);
  if ((sections & kLinkSection) != 0) write_list(out, now.links, before.links, kMaxLinks);
  if ((sections & kMigSection) != 0) {
    write_list(out, now.mig_instances, before.mig_instances, kMaxMigInstances);
  }
  if ((sections & kProcessSection) != 0) {
    out.byte(static_cast<std::uint8_t>(now.processes_absence));
    before.processes_absence = now.processes_absence;
    write_list(out, now.processes, before.processes, kMaxProcesses);
  }
  if ((sections & kVerdictSection) != 0) {
    write_verdict(out, now.source_verdict);
    before.source_verdict = now.source_verdict;
  }
  if ((sections & kEventSection) != 0) write_events(out, now.events, tick);
  if ((sections & kFurtherSection) != 0) write_further(out, now, before);
}

std::size_t rows_of(const model::Snapshot& snapshot) {
  std::size_t rows = 0;
  for (const DeviceSample& device : snapshot.devices) {
    rows += device.fans.size() + device.links.size() + device.mig_instances.size() +
            device.processes.size();
  }
  return rows;
}

}  // namespace

void Encoder::reset() {
  inventory_.reset();
  time_ = 0;
  sequence_ = 0;
}

bool Encoder::append(const model::Snapshot& snapshot, std::string& out) {
  const std::size_t gpus = snapshot.inventory->gpus.size();
  if (gpus > kMaxGpus || snapshot.devices.size() != gpus || rows_of(snapshot) > kMaxRows ||
      snapshot.time < kMinTime || snapshot.time > kMaxTime) {
    return false;
  }
  ByteWriter bytes(out);
  if (!inventory_) write_session(bytes);
  if (inventory_ != snapshot.inventory) {
    write_inventory(bytes, *snapshot.inventory);
    inventory_ = snapshot.inventory;
    previous_.assign(gpus, DeviceSample{});
  }
  const std::int64_t time = snapshot.time.time_since_epoch().count();
  const auto sequence = static_cast<std::int64_t>(snapshot.sequence);
  bytes.varint(static_cast<std::uint64_t>(Record::kTick));
  bytes.difference(time, time_);
  bytes.difference(sequence, sequence_);
  for (std::size_t i = 0; i < gpus; ++i) {
    write_device(bytes, snapshot.devices[i], previous_[i], time);
  }
  time_ = time;
  sequence_ = sequence;
  return true;
}

}  // namespace gpuscope::device::replay

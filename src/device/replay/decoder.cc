#include "device/replay/decoder.h"

#include <algorithm>
#include <utility>

#include "device/replay/format.h"

namespace gpuscope::device::replay {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Reading;

constexpr std::uint8_t kLastAbsence = model::kAbsenceCount - 1;

bool same(const model::Text& a, const model::Text& b) {
  return a.absence == b.absence && a.value == b.value;
}

}  // namespace

bool same_inventory(const model::Inventory& a, const model::Inventory& b) {
  return a.method == b.method && a.simulated == b.simulated && a.rules == b.rules &&
         std::ranges::equal(a.gpus, b.gpus, [](const model::GpuInfo& x, const model::GpuInfo& y) {
           return std::ranges::equal(x.facts, y.facts, same);
         });
}

Decoder::Step Decoder::next() {
  while (!broken_ && !in_.empty()) {
    const std::uint64_t type = in_.varint();
    const bool is_tick = type == static_cast<std::uint64_t>(Record::kTick);
    if (is_tick && tick_.inventory) {
      read_tick();
      if (in_.ok()) return Step::kTick;
    } else if (type == static_cast<std::uint64_t>(Record::kSession) && !tick_is_next_) {
      read_session();
    } else if (type == static_cast<std::uint64_t>(Record::kInventory) && in_session_ &&
               !tick_is_next_) {
      read_inventory();
    } else {
      in_.fail();
    }
    broken_ = !in_.ok();
  }
  return broken_ ? Step::kBroken : Step::kEnd;
}

void Decoder::read_session() {
  for (Columns& columns : columns_) columns.clear();
  facts_.clear();
  const std::size_t metrics = in_.count(kMaxMetrics);
  for (std::size_t i = 0; i < metrics && in_.ok(); ++i) {
    const std::size_t entity = in_.byte();
    const std::uint8_t decimals = in_.byte();
    const auto metric = model::find_metric(in_.text());
    if (entity >= columns_.size())
      continue;  // of a newer kind: nothing refers to it in this version
    std::optional<std::size_t> ours;
    if (metric && static_cast<std::size_t>(model::info(*metric).entity) == entity &&
        model::info(*metric).decimals == decimals) {
      ours = model::column(*metric);
    }
    columns_[entity].push_back(ours);
  }
  const std::size_t facts = in_.count(kMaxFacts);
  for (std::size_t i = 0; i < facts && in_.ok(); ++i) {
    const std::string_view key = in_.text();
    const auto known = model::facts();
    const auto found = std::ranges::find(known, key, &model::FactInfo::key);
    facts_.push_back(found == known.end() ? std::nullopt : std::optional(found->id));
  }
  in_session_ = in_.ok();
  tick_.time = {};
  tick_.sequence = 0;
}

void Decoder::read_inventory() {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = in_.text();
  inventory->simulated = (in_.byte() & 1) != 0;
  inventory->rules = static_cast<model::RuleSet>(
      in_.byte_to(static_cast<std::uint8_t>(model::RuleSet::kSimulatedDefault)));
  const std::size_t gpus = in_.count(kMaxGpus);
  for (std::size_t i = 0; i < gpus && in_.ok(); ++i) {
    model::GpuInfo& gpu = inventory->gpus.emplace_back();
    for (const auto& fact : facts_) {
      model::Text text = model::Text::none(static_cast<Absence>(in_.byte_to(kLastAbsence)));
      if (text.present()) text.value = in_.text();
      if (fact) gpu.fact(*fact) = std::move(text);
    }
  }
  if (!in_.ok()) return;
  tick_is_next_ = true;
  if (!tick_.inventory || !same_inventory(*tick_.inventory, *inventory)) {
    tick_.inventory = std::move(inventory);
  }
  tick_.devices.assign(gpus, DeviceSample{});
}

base::WallTime Decoder::read_time(base::WallTime from) {
  const base::WallTime time{
      std::chrono::microseconds{in_.difference(from.time_since_epoch().count())}};
  if (time < kMinTime || time > kMaxTime) in_.fail();
  return in_.ok() ? time : base::WallTime{};
}

void Decoder::read_tick() {
  tick_is_next_ = false;
  tick_.time = read_time(tick_.time);
  tick_.sequence =
      static_cast<std::uint64_t>(in_.difference(static_cast<std::int64_t>(tick_.sequence)));
  rows_ = 0;
  for (DeviceSample& device : tick_.devices) {
    // The lists that stay count as well.
    read_device(device);
    rows_ += device.fans.size() + device.links.size() + device.mig_instances.size() +
             device.processes.size();
    if (rows_ > kMaxRows) in_.fail();
    if (!in_.ok()) return;
  }
}

void Decoder::read_device(DeviceSample& device) {
  device.events.clear();
  device.spreads = {};
  const std::uint8_t sections = in_.byte();
  if ((sections & kGpuSection) != 0) read_row(columns(model::Entity::kGpu), device.gpu.data());
  if ((sections & kFanSection) != 0) {
    read_list(device.fans, kMaxFans, columns(model::Entity::kFan));
  }
  if ((sections & kLinkSection) != 0) {
    read_list(device.links, kMaxLinks, columns(model::Entity::kLink));
  }
  if ((sections & kMigSection) != 0) {
    read_list(device.mig_instances, kMaxMigInstances, columns(model::Entity::kMigInstance));
  }
  if ((sections & kProcessSection) != 0) read_processes(device);
  if ((sections & kVerdictSection) != 0) read_verdict(device);
  if ((sections & kEventSection) != 0) read_events(device);
  if ((sections & kFurtherSection) != 0) read_further(device);
}

// `row` has a reading for every column of ours.
void Decoder::read_row(const Columns& columns, Reading* row) {
  std::size_t next = 0;
  while (in_.ok()) {
    const std::uint64_t head = in_.varint();
    if (head == 0) return;
    const bool absent = (head & 1) != 0;
    const std::uint64_t skipped = (head >> 1) - 1;
    if (head == 1 || skipped >= columns.size() - next) return in_.fail();
    const std::optional<std::size_t> column = columns[next + skipped];
    Reading unknown;
    Reading& reading = column ? row[*column] : unknown;
    if (absent) {
      const auto absence = static_cast<Absence>(in_.byte_to(kLastAbsence));
      if (absence == Absence::kPresent) return in_.fail();
      reading = Reading::none(absence);
    } else {
      reading = Reading::of(in_.difference(reading.present() ? reading.value : 0));
    }
    next += skipped + 1;
  }
}

template <typename Row>
void Decoder::read_list(std::vector<Row>& list, std::size_t limit, const Columns& columns) {
  const std::size_t size = in_.count(limit);
  if (list.size() > size) list.resize(size);
  for (std::size_t i = 0; i < size && in_.ok(); ++i) {
    if (i == list.size()) list.emplace_back();
    if constexpr (requires { list[i].row; }) {
      if (in_.byte_to(1) != 0) read_identity(list[i]);
      read_row(columns, list[i].row.data());
    } else {
      read_row(columns, list[i].data());
    }
  }
}

void Decoder::read_identity(model::MigInstance& instance) {
  instance.gpu_instance_id = static_cast<std::uint32_t>(in_.count(UINT32_MAX));
  instance.compute_instance_id = static_cast<std::uint32_t>(in_.count(UINT32_MAX));
  instance.uuid = in_.text();
  instance.profile = in_.text();
}

void Decoder::read_identity(model::Process& process) {
  process.pid = static_cast<std::uint32_t>(in_.count(UINT32_MAX));
  process.type = static_cast<model::ProcessType>(
      in_.byte_to(static_cast<std::uint8_t>(model::ProcessType::kComputeAndGraphics)));
  process.name = in_.text();
}

void Decoder::read_processes(DeviceSample& device) {
  device.processes_absence = static_cast<Absence>(in_.byte_to(kLastAbsence));
  read_list(device.processes, kMaxProcesses, columns(model::Entity::kProcess));
}

void Decoder::read_verdict(DeviceSample& device) {
  device.source_verdict.reset();
  if (in_.byte_to(1) == 0) return;
  model::SourceVerdict verdict;
  verdict.health =
      static_cast<model::Health>(in_.byte_to(static_cast<std::uint8_t>(model::Health::kUnknown)));
  verdict.text = in_.text();
  device.source_verdict = std::move(verdict);
}

void Decoder::read_events(DeviceSample& device) {
  const std::size_t size = in_.count(kMaxEvents);
  for (std::size_t i = 0; i < size && in_.ok(); ++i) {
    const std::uint8_t kind = in_.byte();
    model::Event event;
    event.code = in_.varint();
    event.time = read_time(tick_.time);
    if (kind > static_cast<std::uint8_t>(model::EventKind::kClockEvents)) continue;
    event.kind = static_cast<model::EventKind>(kind);
    if (in_.ok()) device.events.push_back(event);
  }
}

void Decoder::read_further(DeviceSample& device) {
  const std::uint8_t parts = in_.byte_to(kSpreadPart | kPeerPart);
  if ((parts & kSpreadPart) != 0) read_spreads(device);
  if ((parts & kPeerPart) == 0) return;
  const std::size_t size = in_.count(std::min(kMaxPeers, in_.left()));
  device.peers.resize(size);
  for (model::PeerLink& link : device.peers) {
    link = static_cast<model::PeerLink>(
        in_.byte_to(static_cast<std::uint8_t>(model::PeerLink::kNotKnownYet)));
  }
}

void Decoder::read_spreads(DeviceSample& device) {
  const Columns& recorded = columns(model::Entity::kGpu);
  const std::size_t size = in_.count(kMaxSpreads);
  for (std::size_t i = 0; i < size && in_.ok(); ++i) {
    const std::uint64_t column = in_.varint();
    const std::int64_t min = in_.difference(0);
    const std::int64_t max = in_.difference(min);
    if (column >= recorded.size() || max < min) return in_.fail();
    for (std::size_t place = 0; place < device.spreads.size(); ++place) {
      if (recorded[column] == model::column(model::kSampledMetrics[place])) {
        device.spreads[place] = {true, min, max};
      }
    }
  }
}

}  // namespace gpuscope::device::replay

#include "history/tick_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "history/layout.h"
#include "history/schema.h"
#include "history/times.h"

namespace gpuscope::history {

using base::ErrorKind;
using base::Result;
using model::DeviceSample;
using model::Entity;
using model::Reading;
using model::Snapshot;
using model::TickPosition;

namespace {

constexpr std::uint32_t kInstanceMask = (1U << kInstanceBits) - 1;
constexpr std::size_t kMaxRows = 1024;           // fans or links of one GPU
constexpr std::size_t kSliceDevices = 3000;      // readings of GPUs: a few MiB
constexpr std::uint32_t kMaxMetricIds = 65'536;  // of a file

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
base::WallTime wall(std::int64_t micros) {
  return base::WallTime{std::chrono::microseconds{micros}};
}

template <typename Row>
Row& row_at(std::vector<Row>& rows, std::uint32_t place) {
  if (place >= rows.size()) rows.resize(place + 1);
  return rows[place];
}

// `known`: what the instances of the GPU are called.
model::MigRow& mig_row(DeviceSample& device, std::uint32_t instance,
                       const TickCursor::MigInstances& known) {
  const std::uint32_t gpu = instance >> kInstanceBits;
  const std::uint32_t compute = instance & kInstanceMask;
  for (model::MigInstance& mig : device.mig_instances) {
    if (mig.gpu_instance_id == gpu && mig.compute_instance_id == compute) return mig.row;
  }
  model::MigInstance& mig = device.mig_instances.emplace_back();
  mig.gpu_instance_id = gpu;
  mig.compute_instance_id = compute;
  if (const auto called = known.find(instance); called != known.end()) {
    mig.uuid = called->second.uuid;
    mig.profile = called->second.profile;
  }
  return mig.row;
}

void put(DeviceSample& device, model::Metric metric, std::uint32_t instance, Reading reading,
         const TickCursor::MigInstances& known) {
  const std::size_t column = model::column(metric);
  switch (model::info(metric).entity) {
    case Entity::kGpu:
      device.gpu[column] = reading;
      return;
    case Entity::kFan:
      if (instance < kMaxRows) row_at(device.fans, instance)[column] = reading;
      return;
    case Entity::kLink:
      if (instance < kMaxRows) row_at(device.links, instance)[column] = reading;
      return;
    case Entity::kMigInstance:
      // One that never has a value is not there (any more).
      if (reading.present()) mig_row(device, instance, known)[column] = reading;
      return;
    case Entity::kProcess:
      return;
  }
}

void put_health(model::Verdict& verdict, Reading reading) {
  constexpr auto kLast = static_cast<std::int64_t>(model::Health::kUnknown);
  const bool known = reading.present() && reading.value >= 0 && reading.value <= kLast;
  verdict.overall = known ? static_cast<model::Health>(reading.value) : model::Health::kUnknown;
}

void empty(DeviceSample& device) {
  device.mark_absent(model::Absence::kNotYet, false);
  device.processes_absence = model::Absence::kUnsupported;
}

// Ends the transaction of a reader.
class ReadScope {
 public:
  explicit ReadScope(Connection& connection) : connection_(connection) {}
  ~ReadScope() {
    // Nothing was written: whatever comes of it, the transaction is over.
    const auto ended = connection_.execute("COMMIT");
    static_cast<void>(ended);
  }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;

 private:
  Connection& connection_;
};

}  // namespace

Result<TickCursor::File*> TickCursor::file() {
  if (file_) return &*file_;
  std::error_code ignored;
  if (!std::filesystem::exists(path_, ignored)) return nullptr;
  auto connection = Connection::open(path_, Connection::Mode::kRead);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const auto state = check_file(*connection);
  if (!state) return std::unexpected(state.error());
  if (*state == FileState::kNew) return nullptr;
  const auto version = schema_version(*connection);
  if (!version) return std::unexpected(version.error());
  if (*version < kSchemaVersion) return nullptr;  // who writes it brings it forward first
  File file{std::move(*connection), {}, {}, {}, {}, {}, {}, {}, {}};
  const std::pair<Statement*, std::string_view> statements[] = {
      {&file.find_block,
       "SELECT id, ticks, gpus, times FROM block WHERE id>=? ORDER BY id LIMIT 1"},
      {&file.find_chunk, "SELECT data FROM chunk WHERE id=?"},
      {&file.find_row, "SELECT id, data FROM tail WHERE id>=? ORDER BY id LIMIT 1"},
      {&file.find_gpu, "SELECT coalesce(facts, '{}'), simulated FROM gpu WHERE id=?"},
      {&file.read_facts, "SELECT key, value FROM json_each(?)"},
      {&file.find_instances, "SELECT gpu, instance, uuid, profile FROM mig_instance"},
      {&file.count_blocks, "SELECT id, ticks FROM block WHERE id>=? ORDER BY id"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = file.connection.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  file_ = std::move(file);
  return &*file_;
}

// Again with each block: a file that is made anew has no metrics yet.
Result<void> TickCursor::load_targets(File& file) {
  auto metrics = file.connection.prepare("SELECT id, key, decimals FROM metric");
  if (!metrics) return std::unexpected(std::move(metrics.error()));
  for (;;) {
    const auto row = metrics->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto id = static_cast<std::uint64_t>(metrics->number(0));
    if (id >= kMaxMetricIds) continue;
    if (id >= file.targets.size()) file.targets.resize(id + 1);
    const std::string key = metrics->text(1);
    const auto metric = model::find_metric(key);
    if (key == kHealthKey) {
      file.targets[id].kind = Target::Kind::kHealth;
    } else if (metric && model::info(*metric).decimals == metrics->number(2)) {
      file.targets[id] = {Target::Kind::kMetric, *metric};
    }
  }
  return {};
}

template <typename T, typename Ask>
Result<T> TickCursor::ask(T nothing, Ask ask) {
  const auto opened = file();
  if (!opened) return std::unexpected(opened.error());
  if (*opened == nullptr) return nothing;
  if (auto begun = (*opened)->connection.execute("BEGIN"); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  const ReadScope scope((*opened)->connection);
  return ask(**opened);
}

// ---- the open block

Result<bool> TickCursor::open_tail(File& file, std::unique_ptr<Tail>& tail) {
  const auto row = file.find_row.bind(1, std::int64_t{0}).step();
  if (!row) return std::unexpected(row.error());
  BlockHead head;
  const bool whole =
      *row && file.find_row.number(0) == 0 && decode_head(file.find_row.bytes(1), head);
  file.find_row.reset();
  if (!whole) {
    tail.reset();
    return false;
  }
  if (tail && tail->head.block == head.block) return true;
  if (auto done = load_targets(file); !done) return std::unexpected(std::move(done.error()));
  tail = std::make_unique<Tail>();
  tail->head = std::move(head);
  tail->decoder = std::make_unique<TailDecoder>(tail->head);
  return true;
}

Result<bool> TickCursor::advance(File& file, Tail& tail) {
  for (;;) {
    if (tail.decoder->next()) {
      ++tail.ticks;
      return true;
    }
    tail.damaged = tail.damaged || tail.decoder->failed();
    if (tail.damaged) return false;
    const auto row = file.find_row.bind(1, tail.row + 1).step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return false;
    tail.row = file.find_row.number(0);
    tail.bytes = file.find_row.text(1);
    file.find_row.reset();
    tail.decoder->feed(tail.bytes);
  }
}

Result<const Snapshot*> TickCursor::give_machine(const File& file) {
  const Tail& tail = *tail_;
  begin_snapshot(tail.decoder->machine().time);
  for (std::size_t place = 0; place < gpus_.size(); ++place) {
    const Machine::Gpu& gpu = tail.decoder->machine().gpus[place];
    DeviceSample& device = snapshot_.devices[place];
    empty(device);
    snapshot_.verdicts[place] = {};
    std::size_t at = 0;
    for (const PartKey& part : gpu.parts) {
      for (const std::uint32_t metric : tail.head.layout.of(part.entity)) {
        const Reading& reading = gpu.readings[at++];
        const Target target = metric < file.targets.size() ? file.targets[metric] : Target{};
        if (target.kind == Target::Kind::kMetric) {
          put(device, target.metric, part.instance, reading, mig_instances_[gpus_[place]]);
        } else if (target.kind == Target::Kind::kHealth) {
          put_health(snapshot_.verdicts[place], reading);
        }
      }
    }
  }
  ++position_.tick;
  return &snapshot_;
}

Result<const Snapshot*> TickCursor::next_in_tail(File& file) {
  if (tail_ && tail_->ticks > position_.tick) tail_.reset();
  const auto open = open_tail(file, tail_);
  if (!open) return std::unexpected(open.error());
  while (*open && tail_->ticks <= position_.tick) {
    const auto more = advance(file, *tail_);
    if (!more) return std::unexpected(more.error());
    if (*more) continue;
    if (tail_->damaged) {
      if (auto told = tell_once(position_.block, "its last rows are damaged"); !told) {
        return std::unexpected(std::move(told.error()));
      }
    }
    return nullptr;
  }
  if (!*open) return nullptr;
  if (auto done = load_inventory(file, tail_->head.gpus); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return give_machine(file);
}

// ---- blocks that are over

Result<void> TickCursor::load_gpu(File& file, std::size_t place, std::string& damage) {
  Slice& slice = *slice_;
  const std::size_t gpus = gpus_.size();
  const auto device_at = [&](std::size_t tick) {
    return (tick - static_cast<std::size_t>(slice.first)) * gpus + place;
  };
  const auto id = chunk_id(number(slice.block), gpus_[place]);
  const auto row = file.find_chunk.bind(1, id).step();
  if (!row) return std::unexpected(row.error());
  const std::string chunk = *row ? file.find_chunk.text(0) : std::string();
  file.find_chunk.reset();
  const auto directory = parse_directory(chunk);
  if (!directory || directory->ticks != slice.ticks) {
    damage = directory ? "a chunk is of other ticks" : directory.error().message;
    return {};
  }
  const Fetch fetch = [&](std::size_t offset, std::size_t length) -> Result<std::string_view> {
    if (offset > chunk.size() || length > chunk.size() - offset) {
      return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is cut off");
    }
    return std::string_view(chunk).substr(offset, length);
  };
  const std::size_t begin = slice.first;
  const std::size_t end = slice.end;
  const MigInstances& known = mig_instances_[gpus_[place]];
  ColumnData column;
  for (const ColumnEntry& entry : directory->entries) {
    if (entry.key.metric >= file.targets.size()) continue;
    const Target target = file.targets[entry.key.metric];
    if (target.kind == Target::Kind::kUnknown) continue;
    column.clear();
    if (auto done = decode_column(*directory, entry, fetch, column); !done) {
      damage = done.error().message;
      column.runs = {{static_cast<std::uint32_t>(slice.ticks), model::Absence::kFailed}};
      column.values.clear();
    }
    column.for_each([&](std::size_t tick, const Reading& reading) {
      if (tick < begin || tick >= end) return;
      if (target.kind == Target::Kind::kHealth) {
        put_health(slice.verdicts[device_at(tick)], reading);
      } else {
        put(slice.devices[device_at(tick)], target.metric, entry.key.instance, reading, known);
      }
    });
  }
  return {};
}

// Some ticks of the block at position_, from there on.
Result<void> TickCursor::load_slice(File& file) {
  if (auto done = load_targets(file); !done) return done;
  const auto row = file.find_block.bind(1, number(position_.block)).step();
  if (!row) return std::unexpected(row.error());
  slice_ = std::make_unique<Slice>();
  slice_->block = position_.block;
  slice_->ticks = static_cast<std::uint64_t>(file.find_block.number(1));
  slice_->first = position_.tick;
  std::vector<std::uint32_t> gpus;
  ByteReader in(file.find_block.bytes(2));
  while (in.ok() && !in.empty()) gpus.push_back(static_cast<std::uint32_t>(in.count(UINT32_MAX)));
  const bool whole =
      in.ok() && decode_times(file.find_block.bytes(3), slice_->ticks, slice_->times);
  file.find_block.reset();
  if (!whole) {
    position_.tick = slice_->ticks;  // passed over
    slice_.reset();
    return tell_once(position_.block, "its times are damaged");
  }
  if (auto done = load_inventory(file, gpus); !done) return done;
  const std::size_t most =
      std::max<std::size_t>(kSliceDevices / std::max<std::size_t>(gpus.size(), 1), 1);
  const std::size_t ticks = std::min<std::size_t>(slice_->ticks - slice_->first, most);
  slice_->end = slice_->first + ticks;
  slice_->devices.resize(ticks * gpus.size());
  slice_->verdicts.resize(slice_->devices.size());
  for (DeviceSample& device : slice_->devices) empty(device);
  std::string damage;
  for (std::size_t place = 0; place < gpus.size(); ++place) {
    if (auto done = load_gpu(file, place, damage); !done) {
      slice_.reset();
      return done;
    }
  }
  return damage.empty() ? Result<void>{} : tell_once(position_.block, damage);
}

// Null: the slice has no more.
Result<const Snapshot*> TickCursor::next_in_slice() {
  const std::size_t gpus = gpus_.size();
  if (!slice_ || slice_->block != position_.block || position_.tick < slice_->first ||
      position_.tick >= slice_->end) {
    return nullptr;
  }
  const auto at = static_cast<std::size_t>(position_.tick - slice_->first) * gpus;
  begin_snapshot(wall(slice_->times[position_.tick]));
  for (std::size_t place = 0; place < gpus; ++place) {
    std::swap(snapshot_.devices[place], slice_->devices[at + place]);
    snapshot_.verdicts[place] = slice_->verdicts[at + place];
  }
  ++position_.tick;
  return &snapshot_;
}

// ---- what is given out

void TickCursor::begin_snapshot(base::WallTime time) {
  ++snapshot_.sequence;
  snapshot_.time = time;
  snapshot_.devices.resize(gpus_.size());
  snapshot_.verdicts.resize(gpus_.size());
}

Result<void> TickCursor::load_inventory(File& file, const std::vector<std::uint32_t>& gpus) {
  std::vector<std::string> all;
  bool simulated = false;
  std::string facts;
  for (const std::uint32_t gpu : gpus) {
    const auto row = file.find_gpu.bind(1, std::int64_t{gpu}).step();
    if (!row) return std::unexpected(row.error());
    all.push_back(*row ? file.find_gpu.text(0) : "{}");
    simulated = simulated || (*row && file.find_gpu.number(1) != 0);
    file.find_gpu.reset();
    facts += all.back();
  }
  facts += simulated ? '1' : '0';
  mig_instances_.clear();
  for (;;) {
    const auto row = file.find_instances.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto gpu = static_cast<std::uint32_t>(file.find_instances.number(0));
    mig_instances_[gpu][static_cast<std::uint32_t>(file.find_instances.number(1))] = {
        .uuid = file.find_instances.text(2), .profile = file.find_instances.text(3)};
  }
  if (snapshot_.inventory && gpus == gpus_ && facts == facts_) return {};
  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = "history";
  inventory->simulated = simulated;
  for (const std::string& text : all) {
    model::GpuInfo& info = inventory->gpus.emplace_back();
    file.read_facts.bind_text(1, text);
    for (;;) {
      const auto row = file.read_facts.step();
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
      for (const model::FactInfo& fact : model::facts()) {
        if (fact.key == file.read_facts.bytes(0)) {
          info.fact(fact.id) = model::Text::of(file.read_facts.text(1));
        }
      }
    }
  }
  snapshot_.inventory = std::move(inventory);
  gpus_ = gpus;
  facts_ = std::move(facts);
  return {};
}

Result<void> TickCursor::tell_once(std::uint64_t block, const std::string& damage) {
  if (!damaged_.insert(block).second) return {};
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot read all of block {} of {}: {}", block, path_, damage));
}

// ---- where one stands

// Moves on to the next block where there is nothing more to come of this one.
Result<TickCursor::Place> TickCursor::find_place(File& file) {
  for (std::uint64_t from = position_.block;; ++from) {
    const auto row = file.find_block.bind(1, number(from)).step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto block = static_cast<std::uint64_t>(file.find_block.number(0));
    const auto ticks = static_cast<std::uint64_t>(file.find_block.number(1));
    file.find_block.reset();
    if (block > position_.block) position_ = {block, 0};
    if (position_.tick < ticks) return Place::kChunks;
    from = block;
  }
  const auto open = open_tail(file, tail_);
  if (!open) return std::unexpected(open.error());
  if (!*open || tail_->head.block < position_.block) return Place::kNowhere;
  if (tail_->head.block > position_.block) position_ = {tail_->head.block, 0};
  return Place::kTail;
}

Result<const Snapshot*> TickCursor::next_of(File& file) {
  // Where what should have come next was removed, that is counted first.
  if (auto left = count_left(file); !left) return std::unexpected(std::move(left.error()));
  for (;;) {
    const auto place = find_place(file);
    if (!place) return std::unexpected(place.error());
    if (*place == Place::kNowhere) return nullptr;
    if (*place == Place::kTail) return next_in_tail(file);
    if (auto done = load_slice(file); !done) return std::unexpected(std::move(done.error()));
    if (slice_) return next_in_slice();
  }
}

Result<const Snapshot*> TickCursor::next() {
  const auto ready = next_in_slice();
  if (!ready || *ready != nullptr) return ready;
  if (file_ && tail_ && tail_->head.block == position_.block && tail_->ticks == position_.tick &&
      tail_->head.gpus == gpus_ && snapshot_.inventory && tail_->decoder->next()) {
    ++tail_->ticks;
    return give_machine(*file_);
  }
  return ask(static_cast<const Snapshot*>(nullptr), [&](File& file) { return next_of(file); });
}

void TickCursor::seek(TickPosition position) {
  position_ = position;
  slice_.reset();
  tail_.reset();
  known_.clear();
}

Result<std::uint64_t> TickCursor::count_left(File& file) {
  std::map<std::uint64_t, std::uint64_t> now;
  file.count_blocks.bind(1, number(position_.block));
  for (;;) {
    const auto row = file.count_blocks.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    now[static_cast<std::uint64_t>(file.count_blocks.number(0))] =
        static_cast<std::uint64_t>(file.count_blocks.number(1));
  }
  const auto open = open_tail(file, counted_);
  if (!open) return std::unexpected(open.error());
  if (*open && counted_->head.block >= position_.block) {
    for (bool more = true; more;) {
      const auto on = advance(file, *counted_);
      if (!on) return std::unexpected(on.error());
      more = *on;
    }
    now[counted_->head.block] = counted_->ticks;
  }
  const auto to_come = [&](std::uint64_t block, std::uint64_t ticks) {
    if (block != position_.block) return ticks;
    return ticks - std::min(ticks, position_.tick);
  };
  for (const auto& [block, ticks] : known_) {
    if (block < position_.block || now.contains(block)) continue;
    lost_ += to_come(block, ticks);
    if (block != position_.block) continue;
    // What is counted as lost is not given out any more.
    slice_.reset();
    tail_.reset();
  }
  std::uint64_t left = 0;
  for (const auto& [block, ticks] : now) left += to_come(block, ticks);
  known_ = std::move(now);
  return left;
}

Result<std::uint64_t> TickCursor::left() {
  return ask(std::uint64_t{0}, [&](File& file) { return count_left(file); });
}

Result<TickPosition> TickCursor::find_end(File& file) {
  const auto open = open_tail(file, counted_);
  if (!open) return std::unexpected(open.error());
  if (*open) {
    for (bool more = true; more;) {
      const auto on = advance(file, *counted_);
      if (!on) return std::unexpected(on.error());
      more = *on;
    }
    return TickPosition{counted_->head.block, counted_->ticks};
  }
  const auto last = file.connection.number("SELECT coalesce(max(id), 0) FROM block");
  if (!last) return std::unexpected(last.error());
  const auto row = file.find_block.bind(1, *last).step();
  if (!row) return std::unexpected(row.error());
  const std::uint64_t ticks = *row ? static_cast<std::uint64_t>(file.find_block.number(1)) : 0;
  file.find_block.reset();
  return TickPosition{static_cast<std::uint64_t>(*last), ticks};
}

Result<TickPosition> TickCursor::end() {
  return ask(TickPosition{}, [&](File& file) { return find_end(file); });
}

}  // namespace gpuscope::history

#include "history/store.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <utility>

#include "base/log.h"
#include "history/checksum.h"
#include "history/layout.h"
#include "history/series_list.h"
#include "history/times.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::MutexLock;
using base::Result;
using std::chrono::floor;
using std::chrono::seconds;

constexpr std::size_t kMaxBlockTicks = 36'000;  // an hour at ten a second
constexpr std::size_t kLongest = 8;         // times as much as full, where a minute does not end
constexpr std::uint64_t kRetainEvery = 15;  // commits: about a minute
// An open block of more is given back to the system when it ends: it was of GPUs that most
// machines will never have.
constexpr std::size_t kMuchMemory = std::size_t{64} << 20;

bool same_minute(base::WallTime one, base::WallTime two) {
  return floor<std::chrono::minutes>(one) == floor<std::chrono::minutes>(two);
}
bool same_hour(base::WallTime one, base::WallTime two) {
  return floor<std::chrono::hours>(one) == floor<std::chrono::hours>(two);
}

// The UUID; where a driver gives none, or gives one twice, a name that no UUID has.
std::string name_of(const model::Inventory& inventory, std::size_t index,
                    const std::set<std::string>& taken) {
  const std::string& uuid = inventory.gpus[index].uuid();
  if (!uuid.empty() && !taken.contains(uuid)) return uuid;
  return fmt::format("index-{}", index);
}

}  // namespace

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options,
                                           std::shared_ptr<LiveBlock> live) {
  auto lock = base::LockFile::acquire(options.path + ".lock");
  if (!lock) {
    return base::fail(lock.error().kind, fmt::format("cannot open the history {}: {}", options.path,
                                                     lock.error().message));
  }
  auto connection = Connection::open(options.path, Connection::Mode::kWrite);
  if (!connection) return std::unexpected(std::move(connection.error()));
  std::unique_ptr<Store> store(
      new Store(options, std::move(live), std::move(*lock), std::move(*connection)));
  if (auto loaded = store->load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return store;
}

Result<void> Store::load() {
  if (auto done = prepare_file(connection_); !done) return done;
  auto metrics = load_metrics(connection_);
  if (!metrics) return std::unexpected(std::move(metrics.error()));
  metrics_ = std::move(*metrics);
  if (auto done = rollup_tables_.load(); !done) return done;
  if (auto done = prepare(); !done) return done;
  const auto last = connection_.number("SELECT coalesce(max(id), 0) FROM block");
  if (!last) return std::unexpected(last.error());
  next_block_ = static_cast<std::uint64_t>(*last) + 1;
  if (auto done = recover(); !done) return done;
  MutexLock lock(live_->mutex);
  live_->taken_up = true;
  return {};
}

Result<void> Store::prepare() {
  const std::pair<Statement*, std::string_view> statements[] = {
      {&insert_tail_, "INSERT INTO tail(id, data) VALUES(?, ?)"},
      {&find_series_, "SELECT data FROM series WHERE gpu=?"},
      {&insert_series_, "INSERT OR REPLACE INTO series(gpu, data) VALUES(?, ?)"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = connection_.prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  return {};
}

// Takes up the tail that the last run left, as if its ticks had just come.
Result<void> Store::recover() {
  auto select = connection_.prepare("SELECT id, data FROM tail ORDER BY id");
  if (!select) return std::unexpected(std::move(select.error()));
  std::unique_ptr<OpenBlock> block;
  std::unique_ptr<TailDecoder> decoder;
  std::vector<RollupRow> ended;
  bool whole = true;
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    next_tail_ = select->number(0) + 1;
    if (!decoder) {
      if (select->number(0) != 0 || !decode_head(select->bytes(1), head_)) {
        whole = false;
        break;
      }
      block = std::make_unique<OpenBlock>(head_);
      rollup_ = new_rollup();
      decoder = std::make_unique<TailDecoder>(head_);
      continue;
    }
    block_bytes_ += select->bytes(1).size();
    decoder->feed(select->bytes(1));
    while (decoder->next()) {
      block->append(decoder->machine());
      rollup_->add(decoder->machine(), ended);
      ended.clear();  // stands in the tables since the tick was committed
    }
    if (!decoder->failed()) continue;
    whole = false;
    break;
  }
  select->reset();
  if (!whole) {
    base::log(base::LogLevel::kWarning,
              fmt::format("cannot read all of the last hour in {}: what could be read is kept",
                          options_.path));
  }
  if (!block || block->ticks() == 0) {
    rollup_.reset();
    return connection_.execute("DELETE FROM tail");
  }
  block_first_ = block->first();
  block_last_ = committed_ = block->last();
  block_ticks_ = block->ticks();
  next_block_ = std::max(next_block_, head_.block);
  encoder_ = std::make_unique<TailEncoder>(head_, decoder->machine());
  {
    MutexLock lock(live_->mutex);
    live_->block = std::move(block);
  }
  // Another catalogue has other columns.
  if (!whole || !(head_.layout == metrics_.layout)) return close_block();
  return {};
}

// The numbers of these GPUs, in a transaction of its own.
Result<std::vector<std::uint32_t>> Store::write_gpus(const std::vector<std::string>& names,
                                                     const model::Inventory& inventory) {
  constexpr std::string_view kCount = "SELECT count(*) FROM gpu";
  auto transaction = Transaction::begin(connection_);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  const auto before = connection_.number(kCount);
  if (!before) return std::unexpected(before.error());
  std::vector<std::uint32_t> ids;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto id =
        gpu_table_.write(names[i], options_.knows_indexes ? std::optional(i) : std::nullopt,
                         options_.host, inventory.gpus[i], inventory.simulated);
    if (!id) return std::unexpected(id.error());
    if (*id >= std::int64_t{kMaxGpus}) {
      return base::fail(ErrorKind::kUnavailable,
                        fmt::format("cannot keep more than {} GPUs in {}; name another directory "
                                    "for data",
                                    kMaxGpus, options_.path));
    }
    ids.push_back(static_cast<std::uint32_t>(*id));
  }
  const auto after = connection_.number(kCount);
  if (!after) return std::unexpected(after.error());
  if (*after != *before) {
    if (auto done = make_gpu_views(connection_); !done) return std::unexpected(done.error());
  }
  if (auto done = transaction->commit(); !done) return std::unexpected(std::move(done.error()));
  return ids;
}

Result<void> Store::register_gpus(const model::Snapshot& snapshot) {
  const model::Inventory& inventory = *snapshot.inventory;
  std::set<std::string> taken;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inventory.gpus.size(); ++i) {
    names.push_back(name_of(inventory, i, taken));
    taken.insert(names.back());
  }
  known_.clear();
  inventory_.reset();
  auto ids = write_gpus(names, inventory);
  if (!ids) return std::unexpected(std::move(ids.error()));
  inventory_ = snapshot.inventory;
  gpus_ = std::move(*ids);
  for (const std::uint32_t id : gpus_) known_.emplace_back().id = id;
  return {};
}

void Store::note_facts(const model::Snapshot& snapshot) {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    KnownGpu& known = known_[i];
    const model::DeviceSample& device = snapshot.devices[i];
    for (std::size_t j = 0; j < kReadingsOfGpu.size(); ++j) {
      const model::Reading& reading = device.at(kReadingsOfGpu[j]);
      if (!reading.present() || reading == known.readings[j]) continue;
      known.readings[j] = reading;
      known.changed = true;
    }
    for (const model::MigInstance& mig : device.mig_instances) {
      const auto instance = mig_instance(mig.gpu_instance_id, mig.compute_instance_id);
      const auto [at, fresh] = known.instances.try_emplace(instance);
      if (!fresh && at->second.uuid == mig.uuid && at->second.profile == mig.profile) continue;
      at->second = {.uuid = mig.uuid, .profile = mig.profile, .row = {}};
      known.changed = true;
    }
  }
}

// Sees to it that the tick has a block to go to. An error: it has none, unless ticks go on in the
// one that is there.
Result<void> Store::make_room(const model::Snapshot& snapshot) {
  if (inventory_ != snapshot.inventory) {
    if (auto done = register_gpus(snapshot); !done) return done;
  }
  if (block_ticks_ > 0) {
    const bool full =
        !same_hour(snapshot.time, block_first_) || block_ticks_ >= kMaxBlockTicks ||
        block_bytes_ >= kLongest * options_.full_block_bytes ||
        (block_bytes_ >= options_.full_block_bytes && !same_minute(snapshot.time, block_last_));
    const bool fits = head_.gpus == gpus_ && snapshot.time > block_last_;
    if (fits && (!full || snapshot.time < close_again_)) return {};
    close_again_ = snapshot.time + options_.commit_after;
    if (auto done = close_block(); !done) return done;
    close_again_ = {};
  }
  begin_block();
  committed_ = snapshot.time;
  return {};
}

std::unique_ptr<Rollup> Store::new_rollup() const {
  return std::make_unique<Rollup>(head_, [this](std::uint32_t id) {
    const StoredMetric* metric = metrics_.find(id);
    return metric != nullptr && metric->rolled;
  });
}

void Store::begin_block() {
  head_ = {.block = next_block_, .gpus = gpus_, .layout = metrics_.layout};
  encoder_ = std::make_unique<TailEncoder>(head_);
  rollup_ = new_rollup();
  block_bytes_ = 0;
  head_pending_ = true;
  next_tail_ = 1;
  MutexLock lock(live_->mutex);
  live_->block = std::make_unique<OpenBlock>(head_);
}

Taken Store::append(const model::Snapshot& snapshot, Result<void>& outcome) {
  outcome = {};
  if (snapshot.devices.size() != snapshot.inventory->gpus.size()) return Taken::kDropped;
  if (block_ticks_ > 0 && snapshot.time == block_last_) return Taken::kDuplicate;
  const std::size_t rows = rows_pending_.size() * metrics_.layout.of(model::Entity::kGpu).size();
  if (tail_pending_.size() + rows * sizeof(Stat) > options_.max_pending) {
    outcome = commit();
    if (!outcome) return Taken::kDropped;
  }
  outcome = make_room(snapshot);
  if (!outcome) {
    const bool can_go_on = block_ticks_ > 0 && block_ticks_ < kMaxTicks &&
                           inventory_ == snapshot.inventory && head_.gpus == gpus_ &&
                           snapshot.time > block_last_ && head_.layout == metrics_.layout;
    if (!can_go_on) return Taken::kDropped;
  }
  note_facts(snapshot);
  const std::size_t before = tail_pending_.size();
  encoder_->append(snapshot, tail_pending_);
  block_bytes_ += tail_pending_.size() - before;
  rollup_->add(encoder_->machine(), rows_pending_);
  {
    MutexLock lock(live_->mutex);
    live_->block->append(encoder_->machine());
  }
  if (block_ticks_++ == 0) block_first_ = snapshot.time;
  block_last_ = snapshot.time;
  ++pending_ticks_;
  return Taken::kYes;
}

bool Store::is_due() const {
  // A tick may come a little early.
  const auto enough = options_.commit_after - options_.commit_after / 20;
  return pending_ticks_ > 0 && block_last_ - committed_ >= enough;
}

Result<void> Store::write_facts() {
  for (const KnownGpu& known : known_) {
    if (!known.changed) continue;
    if (auto done = gpu_table_.write_readings(known.id, known.readings); !done) return done;
    for (const auto& [instance, mig] : known.instances) {
      if (auto done = gpu_table_.write_instance(known.id, instance, mig); !done) return done;
    }
  }
  return {};
}

Result<void> Store::write_pending() {
  if (head_pending_) {
    const std::string head = encode_head(head_);
    if (auto done = insert_tail_.bind(1, std::int64_t{0}).bind_blob(2, head).run(); !done) {
      return done;
    }
  }
  if (tail_pending_.empty()) return {};
  const std::size_t size = tail_pending_.size();
  put_checksum(tail_pending_, checksum(tail_pending_));
  auto done = insert_tail_.bind(1, next_tail_).bind_blob(2, tail_pending_).run();
  tail_pending_.resize(size);  // more may come before it is tried again
  return done;
}

Result<void> Store::commit() {
  if (pending_ticks_ == 0) return {};
  if (auto done = rollup_tables_.make_columns(*rollup_, rows_pending_); !done) return done;
  auto transaction = Transaction::begin(connection_);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  if (auto done = write_facts(); !done) return done;
  if (auto done = write_pending(); !done) return done;
  if (auto done = rollup_tables_.write(*rollup_, rows_pending_); !done) return done;
  if (++commits_ % kRetainEvery == 0 || more_to_drop_) {
    if (auto done = retain(); !done) return done;
  }
  if (auto done = transaction->commit(); !done) return done;
  for (KnownGpu& known : known_) known.changed = false;
  ++next_tail_;
  forget_pending();
  return {};
}

void Store::forget_pending() {
  head_pending_ = false;
  tail_pending_.clear();
  rows_pending_.clear();
  committed_ticks_ += pending_ticks_;
  pending_ticks_ = 0;
  committed_ = block_last_;
}

Result<void> Store::close_block() {
  if (block_ticks_ == 0) return {};
  std::vector<RollupRow> rows;
  rollup_->unfinished(Resolution::kMinute, rows);
  // What an hour has values of, its minutes have had.
  for (const auto* some : {&rows_pending_, &rows}) {
    if (auto done = rollup_tables_.make_columns(*rollup_, *some); !done) return done;
  }
  auto transaction = Transaction::begin(connection_);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  for (const auto* some : {&rows_pending_, &rows}) {
    if (auto done = rollup_tables_.write(*rollup_, *some); !done) return done;
  }
  // One after the other: of thousands of GPUs they take hundreds of megabytes.
  rows.clear();
  rollup_->unfinished(Resolution::kHour, rows);
  if (auto done = rollup_tables_.write(*rollup_, rows); !done) return done;
  rows = {};
  if (auto done = write_chunks(); !done) return done;
  if (auto done = connection_.execute("DELETE FROM tail"); !done) return done;
  const auto oldest =
      floor<seconds>(block_last_ - options_.keep_rollups).time_since_epoch().count();
  if (auto done = drop_old_rollups(oldest); !done) return done;
  if (auto done = retain(); !done) return done;
  if (auto done = transaction->commit(); !done) return done;
  forget_pending();
  next_block_ = head_.block + 1;
  block_ticks_ = 0;
  encoder_.reset();
  rollup_.reset();
  next_tail_ = 1;
  const bool much = open_memory() > kMuchMemory;
  {
    MutexLock lock(live_->mutex);
    live_->block.reset();
  }
#ifdef __GLIBC__
  if (much) malloc_trim(0);
#endif
  return {};
}

Result<void> Store::write_chunks() {
  auto block = connection_.prepare(
      "INSERT INTO block(id, first, last, ticks, gpus, times) VALUES(?, ?, ?, ?, ?, ?)");
  if (!block) return std::unexpected(std::move(block.error()));
  auto chunk = connection_.prepare("INSERT INTO chunk(id, data) VALUES(?, ?)");
  if (!chunk) return std::unexpected(std::move(chunk.error()));
  // Readers in this process wait for one GPU at most.
  std::vector<std::int64_t> times;
  {
    MutexLock lock(live_->mutex);
    live_->block->decode_times(times);
  }
  const std::string encoded = encode_times(times);
  std::string gpus;
  for (const std::uint32_t gpu : head_.gpus) put_varint(gpus, gpu);
  const auto done = block->bind(1, static_cast<std::int64_t>(head_.block))
                        .bind(2, micros(block_first_))
                        .bind(3, micros(block_last_))
                        .bind(4, static_cast<std::int64_t>(block_ticks_))
                        .bind_blob(5, gpus)
                        .bind_blob(6, encoded)
                        .run();
  if (!done) return done;
  ChunkWriter writer;
  for (std::size_t place = 0; place < head_.gpus.size(); ++place) {
    if (auto written = write_chunk(place, writer, *chunk); !written) return written;
  }
  return {};
}

Result<void> Store::write_chunk(std::size_t place, ChunkWriter& writer, Statement& insert) {
  std::vector<ColumnKey> present;
  {
    MutexLock lock(live_->mutex);
    live_->block->write(place, writer);
    present = live_->block->present_columns(place);
  }
  const std::uint32_t gpu = head_.gpus[place];
  insert.bind(1, chunk_id(static_cast<std::int64_t>(head_.block), gpu));
  if (auto done = insert.bind_blob(2, writer.finish()).run(); !done) return done;
  return write_series(gpu, present);
}

// Read and written anew: of a thousand GPUs, a hundred series each would fill megabytes.
Result<void> Store::write_series(std::uint32_t gpu, const std::vector<ColumnKey>& present) {
  const auto row = find_series_.bind(1, std::int64_t{gpu}).step();
  if (!row) return std::unexpected(row.error());
  SeriesList series = *row ? decode_series(find_series_.bytes(0)) : SeriesList{};
  find_series_.reset();
  for (const ColumnKey& key : present) series[key] = head_.block;
  const std::string bytes = encode_series(series);
  return insert_series_.bind(1, std::int64_t{gpu}).bind_blob(2, bytes).run();
}

Result<std::uint64_t> Store::bytes() {
  const auto pages = connection_.number("PRAGMA page_count");
  if (!pages) return std::unexpected(pages.error());
  const auto size = connection_.number("PRAGMA page_size");
  if (!size) return std::unexpected(size.error());
  return static_cast<std::uint64_t>(*pages * *size);
}

std::size_t Store::open_memory() const {
  MutexLock lock(live_->mutex);
  return live_->block ? live_->block->memory() : 0;
}

}  // namespace gpuscope::history

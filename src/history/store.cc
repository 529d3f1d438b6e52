#include "history/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <utility>

#include "base/log.h"
#include "history/checksum.h"
#include "history/times.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::MutexLock;
using base::Result;
using model::Metric;
using std::chrono::floor;
using std::chrono::seconds;

// A chunk's number: its block's, and its GPU's in the lowest bits.
constexpr unsigned kGpuBits = 16;
constexpr std::size_t kMaxGpus = std::size_t{1} << kGpuBits;
constexpr std::size_t kMaxBlockTicks = 36'000;  // an hour at ten a second
// Of a block's tail, which bounds the memory of the open block, what is read of it by others, and
// how long it takes to write: 10,000 GPUs fill it in minutes, a hundred take the whole hour.
constexpr std::size_t kMaxBlockBytes = std::size_t{64} << 20;
constexpr std::uint64_t kRetainEvery = 15;  // commits: about a minute
constexpr std::array kReadingsOfGpu{Metric::kMinorNumber, Metric::kPcieGenerationMax,
                                    Metric::kPcieWidthMax, Metric::kPowerLimit};

std::int64_t micros(base::WallTime time) { return time.time_since_epoch().count(); }
std::int64_t hour_of(base::WallTime time) {
  return floor<std::chrono::hours>(time).time_since_epoch().count();
}

// The UUID; where a driver gives none, or gives one twice, a name that no UUID has.
std::string name_of(const model::Inventory& inventory, std::size_t index,
                    const std::set<std::string>& taken) {
  const std::string& uuid = inventory.gpus[index].uuid();
  if (!uuid.empty() && !taken.contains(uuid)) return uuid;
  return fmt::format("index-{}", index);
}

std::string facts_json(const model::GpuInfo& info) {
  std::string json = "{";
  for (const model::FactInfo& fact : model::facts()) {
    const model::Text& text = info.fact(fact.id);
    if (!text.present()) continue;
    json += fmt::format("{}\"{}\": \"{}\"", json.size() > 1 ? ", " : "", fact.key,
                        base::escape_log_text(text.value));
  }
  return json + "}";
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
  if (auto done = load_gpus(); !done) return done;
  if (auto done = rollup_tables_.load(); !done) return done;
  if (auto done = load_series(); !done) return done;
  auto insert = connection_.prepare("INSERT INTO tail(id, data) VALUES(?, ?)");
  if (!insert) return std::unexpected(std::move(insert.error()));
  insert_tail_ = std::move(*insert);
  const auto last = connection_.number("SELECT coalesce(max(id), 0) FROM block");
  if (!last) return std::unexpected(last.error());
  next_block_ = static_cast<std::uint64_t>(*last) + 1;
  return recover();
}

Result<void> Store::load_gpus() {
  auto select = connection_.prepare("SELECT id, uuid FROM gpu");
  if (!select) return std::unexpected(std::move(select.error()));
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    known_[select->text(1)].id = static_cast<std::uint32_t>(select->number(0));
  }
}

Result<void> Store::load_series() {
  auto select = connection_.prepare("SELECT gpu, data FROM series");
  if (!select) return std::unexpected(std::move(select.error()));
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    series_[static_cast<std::uint32_t>(select->number(0))] = decode_series(select->bytes(1));
  }
  auto insert = connection_.prepare("INSERT OR REPLACE INTO series(gpu, data) VALUES(?, ?)");
  if (!insert) return std::unexpected(std::move(insert.error()));
  insert_series_ = std::move(*insert);
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

Result<void> Store::write_gpu(const std::string& uuid, const model::GpuInfo& info, bool simulated) {
  auto upsert = connection_.prepare(
      "INSERT INTO gpu(uuid, name, serial, vbios, driver, facts, simulated)"
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(uuid) DO UPDATE"
      " SET name=?2, serial=?3, vbios=?4, driver=?5, facts=?6, simulated=?7 RETURNING id");
  if (!upsert) return std::unexpected(std::move(upsert.error()));
  const std::string facts = facts_json(info);
  upsert->bind_text(1, uuid).bind_text(6, facts).bind(7, std::int64_t{simulated});
  int at = 2;
  for (const model::Fact fact : {model::Fact::kName, model::Fact::kSerial, model::Fact::kVbios,
                                 model::Fact::kDriverVersion}) {
    const model::Text& text = info.fact(fact);
    if (text.present()) {
      upsert->bind_text(at, text.value);
    } else {
      upsert->bind_null(at);
    }
    ++at;
  }
  const auto row = upsert->step();
  if (!row) return std::unexpected(row.error());
  const auto id = static_cast<std::uint32_t>(upsert->number(0));
  if (id >= kMaxGpus) {
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot keep more than {} GPUs in {}; name another directory for "
                                  "data",
                                  kMaxGpus, options_.path));
  }
  KnownGpu& known = known_[uuid];
  known.id = id;
  known.changed = true;
  upsert->reset();
  return {};
}

Result<void> Store::register_gpus(const model::Snapshot& snapshot) {
  const model::Inventory& inventory = *snapshot.inventory;
  std::set<std::string> names;
  std::vector<std::string> by_index;
  for (std::size_t i = 0; i < inventory.gpus.size(); ++i) {
    by_index.push_back(name_of(inventory, i, names));
    names.insert(by_index.back());
  }
  const auto before = known_;
  auto write_all = [&]() -> Result<void> {
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return std::unexpected(std::move(transaction.error()));
    for (std::size_t i = 0; i < by_index.size(); ++i) {
      if (auto done = write_gpu(by_index[i], inventory.gpus[i], inventory.simulated); !done) {
        return done;
      }
    }
    if (known_.size() != before.size()) {
      if (auto done = rollup_tables_.make_views(); !done) return done;
    }
    return transaction->commit();
  };
  known_by_index_.clear();
  inventory_.reset();
  if (auto done = write_all(); !done) {
    known_ = before;
    return done;
  }
  inventory_ = snapshot.inventory;
  gpus_.clear();
  known_by_index_.clear();
  for (const std::string& name : by_index) {
    known_by_index_.push_back(&known_[name]);
    gpus_.push_back(known_by_index_.back()->id);
  }
  return {};
}

void Store::note_readings(const model::Snapshot& snapshot) {
  for (std::size_t i = 0; i < known_by_index_.size(); ++i) {
    KnownGpu& known = *known_by_index_[i];
    for (std::size_t j = 0; j < kReadingsOfGpu.size(); ++j) {
      const model::Reading& reading = snapshot.devices[i].at(kReadingsOfGpu[j]);
      // What a card was is still known when it is lost.
      if (!reading.present() || reading == known.readings[j]) continue;
      known.readings[j] = reading;
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
    const bool full = hour_of(snapshot.time) != hour_of(block_first_) ||
                      block_ticks_ >= kMaxBlockTicks || block_bytes_ >= kMaxBlockBytes;
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
  note_readings(snapshot);
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

Result<void> Store::write_readings() {
  auto update =
      connection_.prepare("UPDATE gpu SET minor=?, pciegen=?, pciewidth=?, plimit=? WHERE id=?");
  if (!update) return std::unexpected(std::move(update.error()));
  for (KnownGpu* known : known_by_index_) {
    if (!known->changed) continue;
    for (std::size_t j = 0; j < kReadingsOfGpu.size(); ++j) {
      const int at = static_cast<int>(j) + 1;
      const model::Reading& reading = known->readings[j];
      if (!reading.present()) {
        update->bind_null(at);
      } else if (kReadingsOfGpu[j] == Metric::kPowerLimit) {
        update->bind(at, static_cast<double>(reading.value) / 1000);
      } else {
        update->bind(at, reading.value);
      }
    }
    if (auto done = update->bind(5, std::int64_t{known->id}).run(); !done) return done;
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
  const bool facts = std::ranges::any_of(known_by_index_, &KnownGpu::changed);
  if (facts) {
    if (auto done = write_readings(); !done) return done;
  }
  if (auto done = write_pending(); !done) return done;
  if (auto done = rollup_tables_.write(*rollup_, rows_pending_); !done) return done;
  if (++commits_ % kRetainEvery == 0) {
    if (auto done = retain(); !done) return done;
  }
  if (auto done = transaction->commit(); !done) return done;
  for (KnownGpu* known : known_by_index_) known->changed = false;
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
  std::vector<RollupRow> rows = rows_pending_;
  rollup_->unfinished(rows);
  if (auto done = rollup_tables_.make_columns(*rollup_, rows); !done) return done;
  auto transaction = Transaction::begin(connection_);
  if (!transaction) return std::unexpected(std::move(transaction.error()));
  if (auto done = rollup_tables_.write(*rollup_, rows); !done) return done;
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
  MutexLock lock(live_->mutex);
  live_->block.reset();
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
  insert.bind(1, static_cast<std::int64_t>(head_.block) << kGpuBits | gpu);
  if (auto done = insert.bind_blob(2, writer.finish()).run(); !done) return done;
  return write_series(gpu, present);
}

// What it says is true also when the transaction fails: those that had a value will be written.
Result<void> Store::write_series(std::uint32_t gpu, const std::vector<ColumnKey>& present) {
  SeriesList& series = series_[gpu];
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

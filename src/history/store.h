// The history's file, written tick by tick: docs/formats/history.md.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/lock_file.h"
#include "base/mutex.h"
#include "base/result.h"
#include "history/block.h"
#include "history/gpu_table.h"
#include "history/rollup.h"
#include "history/rollup_tables.h"
#include "history/schema.h"
#include "history/sqlite.h"
#include "history/tail.h"
#include "model/snapshot.h"

namespace gpuscope::history {

// The block that grows, for readers in the same process. Outlives the store that fills it.
struct LiveBlock {
  base::Mutex mutex;
  std::unique_ptr<OpenBlock> block GUARDED_BY(mutex);  // null: none is open
  bool taken_up GUARDED_BY(mutex) = false;             // what the file's tail has is in it
};

struct StoreOptions {
  std::string path;
  std::string host{};         // the machine that the GPUs are in; empty: nobody knows
  bool knows_indexes = true;  // of the GPUs in snapshots; false: they come one by one
  // Ticks of so long are committed together; what a crash can cost. At most that and a tick.
  std::chrono::milliseconds commit_after{4000};
  std::chrono::hours keep_ticks{24 * 15};
  std::chrono::hours keep_rollups{24 * 365};
  std::uint64_t max_bytes = std::uint64_t{2} << 30;  // of the file, without what waits in its log
  // A block whose tail has so many bytes ends with its minute: that bounds the memory of the open
  // block, and what others read of it. 10,000 GPUs get there in a minute, a hundred in no hour.
  std::size_t full_block_bytes = std::size_t{64} << 20;
  std::size_t max_pending = std::size_t{8} << 20;  // bytes that wait for a disk that fails
};

// What became of a tick.
enum class Taken : std::uint8_t {
  kYes,
  kDuplicate,  // it has the time of the one before
  kDropped,    // too much waits for the disk already, or what must be written first cannot be
};

// One thread uses it. Nothing but open(), append(), commit() and close_block() touches the disk.
class Store {
 public:
  // Makes the file where there is none, and takes up what a crash left. Times never go back within
  // a block; a tick that goes back begins a new one.
  static base::Result<std::unique_ptr<Store>> open(const StoreOptions& options,
                                                   std::shared_ptr<LiveBlock> live);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // From now on its limits are these: keep_ticks, keep_rollups and max_bytes alone.
  void change_limits(const StoreOptions& limits) {
    options_.keep_ticks = limits.keep_ticks;
    options_.keep_rollups = limits.keep_rollups;
    options_.max_bytes = limits.max_bytes;
  }

  // Puts a tick behind those that wait. An error comes with kDropped, or when an hour that is over
  // cannot be written yet; the tick is then in the block that goes on.
  Taken append(const model::Snapshot& snapshot, base::Result<void>& outcome);
  // Enough waits to be committed.
  bool is_due() const;
  bool has_pending() const { return pending_ticks_ > 0; }
  std::uint64_t pending_ticks() const { return pending_ticks_; }
  // Since open().
  std::uint64_t committed_ticks() const { return committed_ticks_; }
  // Writes what waits, durably. What cannot be written waits on.
  base::Result<void> commit();
  // Commits, and writes the block as chunks whether it is full or not.
  base::Result<void> close_block();

  // Bytes of the file.
  base::Result<std::uint64_t> bytes();
  std::size_t open_memory() const;

 private:
  // What of a GPU stands in the table of GPUs beside its text facts.
  struct KnownGpu {
    std::uint32_t id = 0;
    std::array<model::Reading, 4> readings{};                 // minor, pciegen, pciewidth, plimit
    std::map<std::uint32_t, model::MigInstance> instances{};  // without their readings
    bool changed = true;
  };
  Store(const StoreOptions& options, std::shared_ptr<LiveBlock> live, base::LockFile lock,
        Connection connection)
      : options_(options),
        live_(std::move(live)),
        lock_(std::move(lock)),
        connection_(std::move(connection)) {}

  base::Result<void> load();
  base::Result<void> prepare();
  base::Result<void> recover();
  base::Result<void> register_gpus(const model::Snapshot& snapshot);
  base::Result<std::vector<std::uint32_t>> write_gpus(const std::vector<std::string>& names,
                                                      const model::Inventory& inventory);
  base::Result<void> make_room(const model::Snapshot& snapshot);
  base::Result<void> write_facts();
  base::Result<void> write_pending();
  base::Result<void> write_chunks();
  base::Result<void> write_chunk(std::size_t place, ChunkWriter& writer, Statement& insert);
  base::Result<void> write_series(std::uint32_t gpu, const std::vector<ColumnKey>& present);
  base::Result<void> retain();
  base::Result<void> drop_oldest_block();
  base::Result<void> drop_old_rollups(std::int64_t before);
  void begin_block();
  std::unique_ptr<Rollup> new_rollup() const;
  void forget_pending();
  void note_facts(const model::Snapshot& snapshot);

  StoreOptions options_;
  std::shared_ptr<LiveBlock> live_;
  base::LockFile lock_;
  Connection connection_;
  MetricTable metrics_;
  std::uint64_t next_block_ = 1;

  // The inventory that was registered, and its GPUs by index.
  std::shared_ptr<const model::Inventory> inventory_;
  std::vector<std::uint32_t> gpus_;
  std::vector<KnownGpu> known_;

  // The open block, but for live_->block.
  std::unique_ptr<TailEncoder> encoder_;
  std::unique_ptr<Rollup> rollup_;
  BlockHead head_;
  base::WallTime block_first_{};
  base::WallTime block_last_{};
  std::size_t block_ticks_ = 0;
  std::size_t block_bytes_ = 0;   // of its tail
  base::WallTime close_again_{};  // when to try again to write a block that is full

  // What waits for the next commit.
  bool head_pending_ = false;
  std::string tail_pending_;
  std::vector<RollupRow> rows_pending_;
  std::uint64_t pending_ticks_ = 0;
  std::uint64_t committed_ticks_ = 0;
  std::uint64_t commits_ = 0;
  bool more_to_drop_ = false;   // perhaps: with the next commit
  base::WallTime committed_{};  // the last tick that is on the disk, or the first of the block
  std::int64_t next_tail_ = 1;

  GpuTable gpu_table_{connection_};
  RollupTables rollup_tables_{connection_, metrics_};
  Statement insert_tail_;
  Statement find_series_;
  Statement insert_series_;
};

}  // namespace gpuscope::history

// Reads the history's file tick by tick, in the order in which ticks were kept, while it is
// written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "history/chunk.h"
#include "history/sqlite.h"
#include "history/tail.h"
#include "model/tick_reader.h"

namespace gpuscope::history {

// Opens the file when it is first asked, and is at its end as long as there is none. Holds a few
// MiB of a block that is over; one that grows is followed without reading anything twice.
class TickCursor final : public model::TickReader {
 public:
  explicit TickCursor(std::string path) : path_(std::move(path)) {}

  base::Result<model::TickPosition> end() override;
  void seek(model::TickPosition position) override;
  base::Result<const model::Snapshot*> next() override;
  model::TickPosition position() const override { return position_; }
  base::Result<std::uint64_t> left() override;
  std::uint64_t lost() const override { return lost_; }

  // What MIG instances of one GPU are called, by ColumnKey::instance.
  struct MigName {
    std::string uuid;
    std::string profile;
  };
  using MigInstances = std::map<std::uint32_t, MigName>;

 private:
  // What a metric of the file is to us.
  struct Target {
    enum class Kind : std::uint8_t { kUnknown, kMetric, kHealth };
    Kind kind = Kind::kUnknown;
    model::Metric metric = model::Metric::kTemperature;
  };
  struct File {
    Connection connection;
    Statement find_block;  // the first from a number on
    Statement find_chunk;
    Statement find_row;  // of the tail, the first from a number on
    Statement find_gpu;
    Statement read_facts;
    Statement find_instances;
    Statement count_blocks;
    std::vector<Target> targets{};  // by the file's numbers of metrics
  };
  // The open block, as far as it was read.
  struct Tail {
    BlockHead head;
    std::unique_ptr<TailDecoder> decoder;
    std::int64_t row = 0;  // the last one
    std::string bytes;     // its own, which the decoder reads
    std::uint64_t ticks = 0;
    bool damaged = false;
  };
  // Some ticks of a block that is over.
  struct Slice {
    std::uint64_t block = 0;
    std::uint64_t ticks = 0;                   // of the block
    std::uint64_t first = 0;                   // of them that is in the slice
    std::uint64_t end = 0;                     // behind the last of them
    std::vector<std::int64_t> times;           // of all
    std::vector<model::DeviceSample> devices;  // of the slice, tick by tick, by GPU
    std::vector<model::Verdict> verdicts;      // the same
  };
  // Where a block stands in the file.
  enum class Place : std::uint8_t { kNowhere, kChunks, kTail };

  // Null: there is no history yet.
  base::Result<File*> file();
  // Runs `ask` on what the file is at one instant; `nothing` where there is no file.
  template <typename T, typename Ask>
  base::Result<T> ask(T nothing, Ask ask);
  static base::Result<void> load_targets(File& file);
  base::Result<Place> find_place(File& file);
  base::Result<const model::Snapshot*> next_of(File& file);
  base::Result<const model::Snapshot*> next_in_slice();
  base::Result<const model::Snapshot*> next_in_tail(File& file);
  base::Result<const model::Snapshot*> give_machine(const File& file);
  base::Result<void> load_slice(File& file);
  // Into the slice; the error is that of the file. What is damaged goes into `damage`.
  base::Result<void> load_gpu(File& file, std::size_t place, std::string& damage);
  base::Result<void> load_inventory(File& file, const std::vector<std::uint32_t>& gpus);
  void begin_snapshot(base::WallTime time);
  // Takes up what the file's tail has become: false, there is none.
  static base::Result<bool> open_tail(File& file, std::unique_ptr<Tail>& tail);
  // One tick on, if there is one.
  static base::Result<bool> advance(File& file, Tail& tail);
  base::Result<std::uint64_t> count_left(File& file);
  base::Result<model::TickPosition> find_end(File& file);
  base::Result<void> tell_once(std::uint64_t block, const std::string& damage);

  const std::string path_;
  std::optional<File> file_;
  model::TickPosition position_;
  std::unique_ptr<Tail> tail_;     // where position_ is in it
  std::unique_ptr<Tail> counted_;  // its end
  std::unique_ptr<Slice> slice_;
  std::set<std::uint64_t> damaged_;               // blocks whose damage was told
  std::map<std::uint64_t, std::uint64_t> known_;  // ticks of blocks that were to be read
  std::uint64_t lost_ = 0;

  // What is given out.
  model::Snapshot snapshot_;
  std::vector<std::uint32_t> gpus_;                      // of the inventory
  std::string facts_;                                    // the same, as the file has them
  std::map<std::uint32_t, MigInstances> mig_instances_;  // by the file's number of the GPU
};

}  // namespace gpuscope::history

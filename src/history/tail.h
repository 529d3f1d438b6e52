// The ticks of the open block, each as what changed since the one before: docs/formats/history.md,
// "Tail".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "history/bits.h"
#include "history/layout.h"
#include "model/reading.h"
#include "model/snapshot.h"

namespace gpuscope::history {

// What a block is of.
struct BlockHead {
  std::uint64_t block = 0;          // rising
  std::vector<std::uint32_t> gpus;  // by place: the numbers of the file's table of GPUs
  Layout layout;
};
// As it stands in the file, with its checksum.
std::string encode_head(const BlockHead& head);
// False when the bytes are none, or damaged.
bool decode_head(std::string_view bytes, BlockHead& out);

// All readings of one tick.
struct Machine {
  struct Gpu {
    std::vector<PartKey> parts;            // the GPU itself first; only ever appended to
    std::vector<model::Reading> readings;  // of all parts, one row after the other
  };
  base::WallTime time{};
  std::vector<Gpu> gpus;
};

// Keeps the last tick, and writes the next as its difference. Parts that are not there any more
// have readings that are gone.
class TailEncoder {
 public:
  explicit TailEncoder(const BlockHead& head);
  // Goes on where the tail that was read ends.
  TailEncoder(const BlockHead& head, Machine last);

  // Appends one tick to `out`. The snapshot has as many devices as the block has GPUs.
  void append(const model::Snapshot& snapshot, std::string& out);
  const Machine& machine() const { return machine_; }

 private:
  // Finds the row of each part of `gpu` in `device`; new parts are appended.
  void find_rows(const model::DeviceSample& device, Machine::Gpu& gpu);
  void put_changes(const model::DeviceSample& device, const model::Reading& health,
                   Machine::Gpu& gpu, std::string& out);

  Layout layout_;
  Machine machine_;
  // Of the GPU that is being written, by part; empty for a part that is gone.
  std::vector<std::span<const model::Reading>> rows_;
};

class TailDecoder {
 public:
  explicit TailDecoder(const BlockHead& head);

  // Goes on with these bytes; they outlive what is read from them. What is damaged makes it fail.
  void feed(std::string_view row);  // of the file: ticks and their checksum
  void feed_ticks(std::string_view ticks) { in_ = ByteReader(ticks); }
  // The next tick is in machine(). False at the end, or when what follows is no tick: then
  // failed().
  bool next();
  bool failed() const { return failed_; }
  const Machine& machine() const { return machine_; }

 private:
  bool read_gpu(Machine::Gpu& gpu);

  Layout layout_;
  Machine machine_;
  std::size_t readings_ = 0;  // of all GPUs
  ByteReader in_;
  bool failed_ = false;
};

}  // namespace gpuscope::history

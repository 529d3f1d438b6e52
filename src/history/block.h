// The block of ticks that still grows, column by column.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "history/chunk.h"
#include "history/column.h"
#include "history/tail.h"

namespace gpuscope::history {

class OpenBlock {
 public:
  explicit OpenBlock(BlockHead head);

  void append(const Machine& tick);

  const BlockHead& head() const { return head_; }
  std::size_t ticks() const { return ticks_; }
  // Of the first and the last tick; there is one.
  base::WallTime first() const { return first_; }
  base::WallTime last() const { return last_; }

  // µs since 1970.
  void decode_times(std::vector<std::int64_t>& out) const;
  // `place`: of the GPU in head().gpus. False where there is no such column. The values of ticks
  // before `first_tick` may be any.
  bool decode(std::size_t place, const ColumnKey& key, ColumnData& out,
              std::size_t first_tick = 0) const;
  // The columns of one GPU, in the order of its parts.
  std::vector<ColumnKey> columns(std::size_t place) const;
  // Those that have a value.
  std::vector<ColumnKey> present_columns(std::size_t place) const;
  // Writes all columns of one GPU.
  void write(std::size_t place, ChunkWriter& writer) const;
  // Bytes that all of it takes.
  std::size_t memory() const;

 private:
  struct Gpu {
    std::vector<PartKey> parts;
    std::vector<OpenColumn> columns;  // of all parts, one row after the other
  };

  BlockHead head_;
  std::size_t ticks_ = 0;
  base::WallTime first_{};
  base::WallTime last_{};
  BlockEncoder times_;
  std::vector<Gpu> gpus_;
};

}  // namespace gpuscope::history

// Columns of the blocks that stand in a history's file: docs/formats/history.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/chunk.h"
#include "history/column.h"
#include "history/sqlite.h"

namespace gpuscope::history {

// A block's row. Times are µs since 1970, of its first and its last tick.
struct BlockRow {
  std::int64_t id = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::size_t ticks = 0;
  std::string times;  // of all ticks, as they stand there
};

// One column of one GPU, by the numbers that the file's tables give them.
struct GpuColumn {
  std::uint32_t gpu = 0;
  ColumnKey key;
};

// One query at a time uses it. Where something is damaged the log says so, once.
class Blocks {
 public:
  explicit Blocks(std::string path) : path_(std::move(path)) {}

  // Those that meet the times from `begin` up to but without `end` and have a number below `below`,
  // by number.
  base::Result<std::vector<BlockRow>> find(Connection& connection, std::int64_t begin,
                                           std::int64_t end, std::int64_t below);
  // Kept for the next query; null: damaged.
  const std::vector<std::int64_t>* times_of(const BlockRow& block);

  // While it lasts the file is as it was when it first read.
  class Reader {
   public:
    // Takes the column at `place` of those asked for.
    using Visit = std::function<base::Result<void>(std::size_t place, const ColumnData& column)>;

    Reader(Blocks& blocks, Connection& connection)
        : blocks_(blocks), handle_(connection.handle()) {}

    // Those that the block has, in their order; of GPUs that stand together it reads once where
    // their columns are. What is damaged is failed at every tick.
    base::Result<void> read(const BlockRow& block, std::span<const GpuColumn> columns,
                            const Visit& visit);

   private:
    base::Result<bool> open(std::int64_t chunk);
    base::Result<Directory> directory(std::size_t ticks);
    base::Result<bool> decode(const base::Result<Directory>& directory, const ColumnKey& key);
    base::Result<std::string_view> fetch(std::size_t offset, std::size_t length);
    std::size_t size() const { return static_cast<std::size_t>(sqlite3_blob_bytes(blob_.get())); }

    struct Close {
      void operator()(sqlite3_blob* blob) const { sqlite3_blob_close(blob); }
    };
    Blocks& blocks_;
    sqlite3* handle_;
    std::unique_ptr<sqlite3_blob, Close> blob_;
    std::string buffer_;
    ColumnData column_;
  };

 private:
  void tell_of_damage(std::int64_t chunk, const std::string& why);

  std::string path_;
  Statement find_;
  std::map<std::int64_t, std::vector<std::int64_t>> times_;  // by block
  std::set<std::int64_t> damaged_;                           // chunks that were told of
};

}  // namespace gpuscope::history

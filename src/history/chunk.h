// The columns of one GPU over one block of ticks as they stand in the file:
// docs/formats/history.md, "Chunks".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "history/column.h"
#include "history/values_codec.h"

namespace gpuscope::history {

// Which column: `metric` is the number that the file's table of metrics gives it, `instance` says
// which fan, link or MIG instance of the GPU; 0 for the GPU's own.
struct ColumnKey {
  std::uint32_t metric = 0;
  std::uint32_t instance = 0;
  friend auto operator<=>(const ColumnKey&, const ColumnKey&) = default;
};

// Where a column's bytes stand, and what they are.
struct ColumnEntry {
  enum class Kind : std::uint8_t {
    kAbsent = 0,    // never a value, for one reason
    kConstant = 1,  // one value
    kBlocks = 2,    // the codecs of values
    kFirstDifferences = 3,
    kSecondDifferences = 4,
    kSum = 5,         // a constant minus another column
    kDifference = 6,  // a constant plus another column
  };

  ColumnKey key;
  Kind kind = Kind::kAbsent;
  bool has_runs = false;  // some ticks are absent, or for different reasons
  model::Absence absence = model::Absence::kNotYet;  // of kAbsent
  std::int64_t base = 0;                             // the constant
  std::uint64_t unit = 1;
  std::size_t other = 0;        // of kSum, kDifference: an earlier entry
  std::size_t runs_bytes = 0;   // at `offset`
  std::size_t value_bytes = 0;  // behind the runs
  std::size_t offset = 0;       // from the chunk's begin
  std::uint32_t checksum = 0;   // of both, where there are any
};

struct Directory {
  std::size_t ticks = 0;
  std::size_t bytes = 0;  // of the directory, with what stands before it
  std::vector<ColumnEntry> entries;

  const ColumnEntry* find(const ColumnKey& key) const;
};

// Bytes that the beginning of a chunk takes at most before the directory's own length is known.
inline constexpr std::size_t kChunkHeadBytes = 20;
inline constexpr std::size_t kMaxColumns = 65'536;

// The length of everything before the data, by the first kChunkHeadBytes (or all, if fewer).
base::Result<std::size_t> directory_bytes(std::string_view head);
// Where the directory's checksum stands, of everything before the data but for itself. `front` is
// as long as directory_bytes() says.
base::Result<std::size_t> checksum_place(std::string_view front);
// `front`: at least as much. kInvalidArgument: "cannot read a chunk: …", also where a checksum says
// that something is damaged.
base::Result<Directory> parse_directory(std::string_view front);

// Gives `length` bytes of the chunk from `offset` on, valid until the next call.
using Fetch = std::function<base::Result<std::string_view>(std::size_t offset, std::size_t length)>;
// Never gives values that were not written: what is damaged is told.
base::Result<void> decode_column(const Directory& directory, const ColumnEntry& entry,
                                 const Fetch& fetch, ColumnData& out);

// Writes chunks, one column after the other. Not thread-safe: keeps its buffers.
class ChunkWriter {
 public:
  void begin(std::size_t ticks);
  void add(const ColumnKey& key, const ColumnData& column);
  // The chunk; valid until the next begin().
  const std::string& finish();

 private:
  // Numbers that a later column may be the mirror or a shift of.
  struct Candidate {
    std::size_t entry = 0;
    std::uint64_t print = 0;  // the same for all columns with the same steps, negated for a mirror
    std::vector<std::int64_t> values;
  };
  bool add_as_relative(const ColumnKey& key, const std::vector<std::int64_t>& values);
  void put_key(const ColumnKey& key, ColumnEntry::Kind kind, bool has_runs);

  std::size_t ticks_ = 0;
  std::size_t columns_ = 0;
  std::string directory_;
  std::string data_;
  std::string chunk_;
  std::vector<Candidate> candidates_;
  std::size_t candidate_count_ = 0;
  ValuesEncoder values_;
  EncodedValues encoded_;
};

}  // namespace gpuscope::history

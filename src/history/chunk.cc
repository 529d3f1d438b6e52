#include "history/chunk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "history/bits.h"
#include "history/checksum.h"

namespace gpuscope::history {
namespace {

using model::Absence;
using Kind = ColumnEntry::Kind;

constexpr std::uint8_t kChunkVersion = 1;
constexpr std::uint8_t kHasRuns = 0x10;
constexpr std::uint8_t kKindMask = 0x0F;
// A column is compared with so many others; cards have about thirty that move.
constexpr std::size_t kMaxCandidates = 64;

std::unexpected<base::Error> damaged(std::string_view what) {
  return base::fail(base::ErrorKind::kInvalidArgument,
                    fmt::format("cannot read a chunk: {}", what));
}

bool has_bytes(Kind kind) {
  return kind == Kind::kBlocks || kind == Kind::kFirstDifferences ||
         kind == Kind::kSecondDifferences;
}
bool is_relative(Kind kind) { return kind == Kind::kSum || kind == Kind::kDifference; }

bool parse_runs(std::string_view bytes, std::size_t ticks, std::vector<Run>& runs,
                std::size_t& present) {
  ByteReader in(bytes);
  std::size_t sum = 0;
  while (in.ok() && !in.empty()) {
    const std::size_t length = in.count(ticks - sum);
    const auto absence = static_cast<Absence>(in.byte_to(model::kAbsenceCount - 1));
    if (!in.ok() || length == 0) return false;
    runs.push_back({static_cast<std::uint32_t>(length), absence});
    sum += length;
    if (absence == Absence::kPresent) present += length;
  }
  return in.ok() && sum == ticks;
}

std::uint64_t print_of(const std::vector<std::int64_t>& values) {
  std::uint64_t print = 0;
  std::uint64_t factor = 0x9E3779B97F4A7C15U;  // any odd number with mixed bits
  for (std::size_t i = 1; i < values.size(); ++i) {
    print += static_cast<std::uint64_t>(wrapping_sub(values[i], values[i - 1])) * factor;
    factor = factor * 0xD1342543DE82EF95U + 1;
  }
  return print;
}

}  // namespace

const ColumnEntry* Directory::find(const ColumnKey& key) const {
  const auto at = std::ranges::find(entries, key, &ColumnEntry::key);
  return at == entries.end() ? nullptr : &*at;
}

namespace {

// What stands before the directory.
struct Front {
  std::size_t ticks = 0;
  std::size_t columns = 0;
  std::size_t bytes = 0;  // up to the checksum
  std::size_t directory = 0;
};
base::Result<Front> parse_front(std::string_view head) {
  ByteReader in(head);
  if (in.byte() != kChunkVersion) return damaged("its version is not known");
  Front front;
  front.ticks = in.count(kMaxTicks);
  front.columns = in.count(kMaxColumns);
  front.directory = in.count(kMaxColumns * 64);
  if (!in.ok()) return damaged("its beginning is damaged");
  front.bytes = head.size() - in.left();
  return front;
}

base::Result<Directory> parse_entries(const Front& front, std::string_view bytes,
                                      std::size_t begin) {
  ByteReader in(bytes);
  Directory directory;
  directory.ticks = front.ticks;
  directory.bytes = begin + bytes.size();
  const std::size_t columns = front.columns;
  std::size_t offset = directory.bytes;
  directory.entries.reserve(std::min(columns, in.left()));
  for (std::size_t i = 0; i < columns && in.ok(); ++i) {
    ColumnEntry entry;
    entry.key.metric = static_cast<std::uint32_t>(in.count(UINT32_MAX));
    entry.key.instance = static_cast<std::uint32_t>(in.count(UINT32_MAX));
    const std::uint8_t kind = in.byte();
    entry.has_runs = (kind & kHasRuns) != 0;
    if ((kind & kKindMask) > static_cast<std::uint8_t>(Kind::kDifference)) {
      return damaged("a column is written in a way that is not known");
    }
    entry.kind = static_cast<Kind>(kind & kKindMask);
    if (entry.kind == Kind::kAbsent) {
      entry.absence = static_cast<Absence>(in.byte_to(model::kAbsenceCount - 1));
      if (entry.absence == Absence::kPresent) return damaged("a column lacks its values");
    } else {
      entry.base = in.signed_number();
    }
    if (is_relative(entry.kind)) entry.other = in.count(columns);
    if (has_bytes(entry.kind)) {
      entry.unit = in.varint();
      entry.value_bytes = in.count(kMaxTicks * 16);
    }
    if (entry.has_runs) entry.runs_bytes = in.count(kMaxTicks * 4);
    if (is_relative(entry.kind) &&
        (entry.other >= i || is_relative(directory.entries[entry.other].kind) || entry.has_runs)) {
      return damaged("a column refers to one that it must not refer to");
    }
    if (entry.has_runs || has_bytes(entry.kind)) entry.checksum = in.fixed32();
    entry.offset = offset;
    offset += entry.runs_bytes + entry.value_bytes;
    directory.entries.push_back(entry);
  }
  if (!in.ok() || !in.empty()) return damaged("its directory is damaged");
  return directory;
}

}  // namespace

base::Result<std::size_t> directory_bytes(std::string_view head) {
  const auto front = parse_front(head);
  if (!front) return std::unexpected(front.error());
  return front->bytes + kChecksumBytes + front->directory;
}

base::Result<std::size_t> checksum_place(std::string_view front) {
  const auto parsed = parse_front(front);
  if (!parsed) return std::unexpected(parsed.error());
  return parsed->bytes;
}

base::Result<Directory> parse_directory(std::string_view bytes) {
  const auto front = parse_front(bytes);
  if (!front) return std::unexpected(front.error());
  const std::size_t begin = front->bytes + kChecksumBytes;
  if (begin + front->directory > bytes.size()) return damaged("it is cut off");
  bytes = bytes.substr(0, begin + front->directory);
  if (checksum(bytes.substr(begin), checksum(bytes.substr(0, front->bytes))) !=
      get_checksum(bytes.substr(front->bytes))) {
    return damaged("its directory is damaged");
  }
  return parse_entries(*front, bytes.substr(begin), begin);
}

base::Result<void> decode_column(const Directory& directory, const ColumnEntry& entry,
                                 const Fetch& fetch, ColumnData& out) {
  out.clear();
  if (is_relative(entry.kind)) {
    if (auto done = decode_column(directory, directory.entries[entry.other], fetch, out); !done) {
      return done;
    }
    for (std::int64_t& value : out.values) {
      value = entry.kind == Kind::kSum ? wrapping_sub(entry.base, value)
                                       : wrapping_add(entry.base, value);
    }
    return {};
  }
  std::size_t present = 0;
  const auto ticks = static_cast<std::uint32_t>(directory.ticks);
  std::string_view bytes;
  if (entry.has_runs || has_bytes(entry.kind)) {
    const auto fetched = fetch(entry.offset, entry.runs_bytes + entry.value_bytes);
    if (!fetched) return std::unexpected(fetched.error());
    bytes = *fetched;
    if (checksum(bytes) != entry.checksum) return damaged("a column is damaged");
  }
  if (entry.has_runs) {
    if (!parse_runs(bytes.substr(0, entry.runs_bytes), directory.ticks, out.runs, present)) {
      return damaged("the reasons of a column are damaged");
    }
  } else if (entry.kind == Kind::kAbsent) {
    out.runs.push_back({ticks, entry.absence});
  } else {
    out.runs.push_back({ticks, Absence::kPresent});
    present = directory.ticks;
  }
  if (entry.kind == Kind::kAbsent) {
    return present == 0 ? base::Result<void>{} : damaged("a column lacks its values");
  }
  if (entry.kind == Kind::kConstant) {
    out.values.assign(present, entry.base);
    return {};
  }
  if (!decode_values(static_cast<ValuesCodec>(entry.kind), entry.unit, entry.base,
                     bytes.substr(entry.runs_bytes), present, out.values)) {
    return damaged("the values of a column are damaged");
  }
  return {};
}

void ChunkWriter::begin(std::size_t ticks) {
  ticks_ = ticks;
  columns_ = 0;
  candidate_count_ = 0;
  directory_.clear();
  data_.clear();
}

void ChunkWriter::put_key(const ColumnKey& key, Kind kind, bool has_runs) {
  put_varint(directory_, key.metric);
  put_varint(directory_, key.instance);
  put_byte(directory_,
           static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (has_runs ? kHasRuns : 0)));
  ++columns_;
}

bool ChunkWriter::add_as_relative(const ColumnKey& key, const std::vector<std::int64_t>& values) {
  const std::uint64_t print = print_of(values);
  for (std::size_t i = 0; i < candidate_count_; ++i) {
    const Candidate& other = candidates_[i];
    const bool mirror = print == std::uint64_t{0} - other.print;
    if (!mirror && print != other.print) continue;
    const auto constant = [&](std::size_t at) {
      return mirror ? wrapping_add(values[at], other.values[at])
                    : wrapping_sub(values[at], other.values[at]);
    };
    std::size_t at = 1;
    while (at < values.size() && constant(at) == constant(0)) ++at;
    if (at < values.size()) continue;
    put_key(key, mirror ? Kind::kSum : Kind::kDifference, false);
    put_signed(directory_, constant(0));
    put_varint(directory_, other.entry);
    return true;
  }
  if (candidate_count_ < kMaxCandidates) {
    if (candidates_.size() == candidate_count_) candidates_.emplace_back();
    Candidate& fresh = candidates_[candidate_count_++];
    fresh.entry = columns_;
    fresh.print = print;
    fresh.values = values;
  }
  return false;
}

void ChunkWriter::add(const ColumnKey& key, const ColumnData& column) {
  const bool has_runs = column.runs.size() > 1;
  std::string runs;
  if (has_runs) {
    for (const Run& run : column.runs) {
      put_varint(runs, run.ticks);
      put_byte(runs, static_cast<std::uint8_t>(run.absence));
    }
  }
  if (column.values.empty()) {
    put_key(key, Kind::kAbsent, has_runs);
    put_byte(directory_, static_cast<std::uint8_t>(column.runs.empty() ? Absence::kNotYet
                                                                       : column.runs[0].absence));
  } else if (std::ranges::all_of(column.values,
                                 [&](std::int64_t v) { return v == column.values[0]; })) {
    put_key(key, Kind::kConstant, has_runs);
    put_signed(directory_, column.values[0]);
  } else if (has_runs || !add_as_relative(key, column.values)) {
    values_.encode(column.values, encoded_);
    put_key(key, static_cast<Kind>(encoded_.codec), has_runs);
    put_signed(directory_, encoded_.base);
    put_varint(directory_, encoded_.unit);
    put_varint(directory_, encoded_.bytes.size());
    if (has_runs) put_varint(directory_, runs.size());
    put_checksum(directory_, checksum(encoded_.bytes, checksum(runs)));
    data_ += runs;
    data_ += encoded_.bytes;
    return;
  }
  if (has_runs) {
    put_varint(directory_, runs.size());
    put_checksum(directory_, checksum(runs));
    data_ += runs;
  }
}

const std::string& ChunkWriter::finish() {
  chunk_.clear();
  put_byte(chunk_, kChunkVersion);
  put_varint(chunk_, ticks_);
  put_varint(chunk_, columns_);
  put_varint(chunk_, directory_.size());
  put_checksum(chunk_, checksum(directory_, checksum(chunk_)));
  chunk_ += directory_;
  chunk_ += data_;
  return chunk_;
}

}  // namespace gpuscope::history

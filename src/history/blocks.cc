#include "history/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "history/layout.h"
#include "history/times.h"

namespace gpuscope::history {
namespace {

using base::ErrorKind;
using base::Result;

constexpr std::size_t kKeptTimes = 50;  // blocks: two days' times take 1.4 MB

}  // namespace

Result<std::vector<BlockRow>> Blocks::find(Connection& connection, std::int64_t begin,
                                           std::int64_t end, std::int64_t below) {
  if (!find_) {
    // By the index of times: "+id" keeps it from going through all blocks for the sake of the
    // order.
    auto prepared = connection.prepare(
        "SELECT id, first, last, ticks, times FROM block WHERE last>=? AND first<? AND +id<?"
        " ORDER BY +id");
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    find_ = std::move(*prepared);
  }
  std::vector<BlockRow> found;
  find_.bind(1, begin).bind(2, end).bind(3, below);
  for (;;) {
    const auto row = find_.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return found;
    found.push_back({.id = find_.number(0),
                     .first = find_.number(1),
                     .last = find_.number(2),
                     .ticks = static_cast<std::size_t>(find_.number(3)),
                     .times = std::string(find_.bytes(4))});
  }
}

const std::vector<std::int64_t>* Blocks::times_of(const BlockRow& block) {
  if (const auto known = times_.find(block.id); known != times_.end()) return &known->second;
  std::vector<std::int64_t> times;
  if (!decode_times(block.times, block.ticks, times)) {
    tell_of_damage(chunk_id(block.id, 0), "cannot read the times of a block: they are damaged");
    return nullptr;
  }
  while (times_.size() >= kKeptTimes) times_.erase(times_.begin());
  return &(times_[block.id] = std::move(times));
}

void Blocks::tell_of_damage(std::int64_t chunk, const std::string& why) {
  if (!damaged_.insert(chunk).second) return;
  base::log(base::LogLevel::kWarning,
            fmt::format("{}: what chunk {} of {} holds counts as failed", why, chunk, path_));
}

// False: there is none of that number. To move on is quicker than to open one anew.
Result<bool> Blocks::Reader::open(std::int64_t chunk) {
  int code = SQLITE_ERROR;
  if (blob_) {
    code = sqlite3_blob_reopen(blob_.get(), chunk);
  } else {
    sqlite3_blob* opened = nullptr;
    code = sqlite3_blob_open(handle_, "main", "chunk", "data", chunk, 0, &opened);
    blob_.reset(opened);
  }
  if (code == SQLITE_OK) return true;
  blob_.reset();
  // It is what SQLite says of a row that is not there, and of nothing else here.
  if (code == SQLITE_ERROR) return false;
  return sqlite_failure(handle_);
}

// Valid until the next call.
Result<std::string_view> Blocks::Reader::fetch(std::size_t offset, std::size_t length) {
  if (offset > size() || length > size() - offset) {
    return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is cut off");
  }
  buffer_.resize(std::max(buffer_.size(), length));
  if (sqlite3_blob_read(blob_.get(), buffer_.data(), static_cast<int>(length),
                        static_cast<int>(offset)) != SQLITE_OK) {
    return sqlite_failure(handle_);
  }
  return std::string_view(buffer_).substr(0, length);
}

// Of the chunk that is open.
Result<Directory> Blocks::Reader::directory(std::size_t ticks) {
  constexpr std::size_t kFirstRead = 1024;  // most directories are shorter
  auto front = fetch(0, std::min(size(), kFirstRead));
  if (!front) return std::unexpected(front.error());
  const auto length = directory_bytes(*front);
  if (!length) return std::unexpected(length.error());
  if (*length > front->size()) {
    front = fetch(0, *length);
    if (!front) return std::unexpected(front.error());
  }
  auto directory = parse_directory(*front);
  if (directory && directory->ticks != ticks) {
    return base::fail(ErrorKind::kInvalidArgument, "cannot read a chunk: it is of another block");
  }
  return directory;
}

// Fills column_. False: the chunk has no such column.
Result<bool> Blocks::Reader::decode(const Result<Directory>& directory, const ColumnKey& key) {
  if (!directory) return std::unexpected(directory.error());
  const ColumnEntry* const entry = directory->find(key);
  if (entry == nullptr) return false;
  const auto done = decode_column(
      *directory, *entry,
      [this](std::size_t offset, std::size_t length) { return fetch(offset, length); }, column_);
  if (!done) return std::unexpected(done.error());
  return true;
}

Result<void> Blocks::Reader::read(const BlockRow& block, std::span<const GpuColumn> columns,
                                  const Visit& visit) {
  std::size_t next = 0;
  while (next < columns.size()) {
    const std::uint32_t gpu = columns[next].gpu;
    const std::int64_t chunk = chunk_id(block.id, gpu);
    const auto there = open(chunk);
    if (!there) return std::unexpected(there.error());
    const Result<Directory> parsed =
        *there ? directory(block.ticks) : Result<Directory>(Directory{});
    for (; next < columns.size() && columns[next].gpu == gpu; ++next) {
      const auto has = decode(parsed, columns[next].key);
      if (!has && has.error().kind != ErrorKind::kInvalidArgument) {
        return std::unexpected(has.error());
      }
      if (!has) {
        blocks_.tell_of_damage(chunk, has.error().message);
        column_.clear();
        column_.runs.push_back({static_cast<std::uint32_t>(block.ticks), model::Absence::kFailed});
      } else if (!*has) {
        continue;
      }
      if (auto done = visit(next, column_); !done) return done;
    }
  }
  return {};
}

}  // namespace gpuscope::history

// A run of numbers in few bytes, without loss: docs/formats/history.md, "Values".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "history/bits.h"

namespace gpuscope::history {

// Numbers that a column holds at most; a reader refuses more.
inline constexpr std::size_t kMaxTicks = 1U << 20U;

// Predicts each number from those before it and writes how far off that was, block by block: the
// numbers may come one at a time. Copies are independent.
class BlockEncoder {
 public:
  static constexpr std::size_t kBlock = 64;

  void append(std::int64_t value) {
    waiting_[waiting_count_++] = value;
    if (waiting_count_ == kBlock) encode_block();
  }
  // All numbers so far; more can be appended after it.
  std::string finished() const;
  // Adds all numbers so far to `out`; those before the one at `from` may be any. Quick where that
  // is one of the last.
  void decode(std::vector<std::int64_t>& out, std::size_t from = 0) const;
  std::size_t memory() const { return sizeof *this + bits_.capacity(); }

 private:
  void encode_block();
  void end_run();

  BitWriter bits_;
  std::array<std::int64_t, kBlock> waiting_{};
  std::size_t waiting_count_ = 0;
  std::size_t encoded_ = 0;
  std::uint64_t run_ = 0;  // whole blocks of last_ that are not in bits_ yet
  std::int64_t last_ = 0;
  std::int64_t before_ = 0;  // the one before last_
};

// Adds `count` numbers to `out`. False when `bytes` do not hold them.
bool decode_blocks(std::string_view bytes, std::size_t count, std::vector<std::int64_t>& out);

// The ways to write a run of numbers, as they stand in the file.
enum class ValuesCodec : std::uint8_t {
  kBlocks = 2,
  kFirstDifferences = 3,   // in planes of bytes, through zstd
  kSecondDifferences = 4,  // the same
};

struct EncodedValues {
  ValuesCodec codec = ValuesCodec::kBlocks;
  std::uint64_t unit = 1;  // every number is base + unit × what is written
  std::int64_t base = 0;
  std::string bytes;
};

// The shortest of all ways. Not thread-safe: keeps its buffers.
class ValuesEncoder {
 public:
  ValuesEncoder();
  ~ValuesEncoder();
  ValuesEncoder(const ValuesEncoder&) = delete;
  ValuesEncoder& operator=(const ValuesEncoder&) = delete;

  void encode(const std::vector<std::int64_t>& values, EncodedValues& out);

 private:
  struct Zstd;
  void compress_planes(const std::vector<std::int64_t>& values, int order, std::string& out);

  Zstd* zstd_;
  std::vector<std::int64_t> scaled_;
  std::vector<std::uint64_t> residuals_;
  std::string planes_;
  std::string candidate_;
};

// Replaces `out` by `count` numbers. False when `encoded` does not hold them.
bool decode_values(ValuesCodec codec, std::uint64_t unit, std::int64_t base, std::string_view bytes,
                   std::size_t count, std::vector<std::int64_t>& out);

}  // namespace gpuscope::history

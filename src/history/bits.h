// Numbers in bits, beside those in bytes: what columns and ticks of the history are made of.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace gpuscope::history {

using base::ByteReader;
using base::fold;
using base::put_byte;
using base::put_signed;
using base::put_varint;
using base::unfold;
using base::wrapping_add;
using base::wrapping_sub;

constexpr std::int64_t wrapping_mul(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// Appends bits to a string, highest first. The last byte is written by finish().
class BitWriter {
 public:
  // The lowest `bits` (0 to 64) of `value`; those above must be 0.
  void put(std::uint64_t value, unsigned bits) {
    if (bits > 32) {
      put_some(value >> 32, bits - 32);
      put_some(value & 0xFFFFFFFFU, 32);
    } else {
      put_some(value, bits);
    }
  }
  // Zeros, then a 1.
  void put_unary(unsigned zeros) {
    for (; zeros > 24; zeros -= 24) put_some(0, 24);
    put_some(1, zeros + 1);
  }
  // A number from 1 on: its length in unary, then its bits without the highest.
  void put_gamma(std::uint64_t value) {
    const auto length = static_cast<unsigned>(std::bit_width(value));
    put_unary(length - 1);
    put(value & ~(std::uint64_t{1} << (length - 1)), length - 1);
  }
  // All bits so far, the last byte filled up with zeros. More can be put after it.
  std::string finished() const {
    std::string out = bytes_;
    for (unsigned left = held_; left > 0; left -= std::min(left, 8U)) {
      const std::uint64_t bits = left >= 8 ? acc_ >> (left - 8) : acc_ << (8 - left);
      put_byte(out, static_cast<std::uint8_t>(bits));
    }
    return out;
  }
  std::size_t capacity() const { return bytes_.capacity(); }

 private:
  void put_some(std::uint64_t value, unsigned bits) {
    acc_ = (acc_ << bits) | value;
    held_ += bits;
    if (held_ < 32) return;
    held_ -= 32;
    const auto word = static_cast<std::uint32_t>(acc_ >> held_);
    const std::array<char, 4> four{static_cast<char>(word >> 24), static_cast<char>(word >> 16),
                                   static_cast<char>(word >> 8), static_cast<char>(word)};
    bytes_.append(four.data(), four.size());
  }

  std::string bytes_;
  std::uint64_t acc_ = 0;
  unsigned held_ = 0;  // bits of acc_ that are not in bytes_ yet: 0 to 31
};

// What a BitWriter wrote. Behind the end there are zeros, and ok() is false.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t get(unsigned bits) {
    if (bits == 0) return 0;
    if (bits > 32) {
      const std::uint64_t high = get(bits - 32);
      return high << 32 | get(32);
    }
    fill();
    const std::uint64_t value = acc_ >> (64 - bits);
    drop(bits);
    return value;
  }
  // Zeros up to the next 1, which is passed over; or `limit` of them (at most 56), without one.
  unsigned unary(unsigned limit) {
    fill();
    const auto zeros = static_cast<unsigned>(std::countl_zero(acc_));
    if (zeros >= limit) {
      drop(limit);
      return limit;
    }
    drop(zeros + 1);
    return zeros;
  }
  // Up to 23 zeros, a 1, and `low` bits more: their number in the bits above these. Or `escape`
  // zeros (24), and 64 bits.
  std::uint64_t rice(unsigned low, unsigned escape) {
    fill();
    const auto zeros = static_cast<unsigned>(std::countl_zero(acc_));
    const unsigned size = zeros + 1 + low;
    if (zeros < escape && size <= kFilled) {
      const std::uint64_t bits = (acc_ << zeros << 1) >> 1 >> (63 - low);
      drop(size);
      return std::uint64_t{zeros} << low | bits;
    }
    const unsigned quotient = unary(escape);
    if (quotient == escape) return get(64);
    return std::uint64_t{quotient} << low | get(low);
  }
  // As rice() gives each of them. Quick: what is known of the bytes stays in registers.
  void rice_run(unsigned low, unsigned escape, std::span<std::uint64_t> out) {
    std::size_t at = 0;
    if (held_ == 64 && !out.empty()) out[at++] = rice(low, escape);
    if (bytes_.size() >= 8 && held_ == real_) {
      std::uint64_t acc = acc_;
      unsigned held = held_;
      std::size_t next = next_;
      for (const std::size_t last = bytes_.size() - 8; at < out.size() && next <= last; ++at) {
        acc |= word_at(next) >> held;
        const unsigned whole = (63 - held) / 8;
        next += whole;
        held += 8 * whole;
        const auto zeros = static_cast<unsigned>(std::countl_zero(acc));
        const unsigned size = zeros + 1 + low;
        if (zeros >= escape || size > held) break;
        out[at] = std::uint64_t{zeros} << low | (acc << zeros << 1) >> 1 >> (63 - low);
        acc <<= size;
        held -= size;
      }
      acc_ = acc;
      held_ = real_ = held;
      next_ = next;
    }
    for (; at < out.size(); ++at) out[at] = rice(low, escape);
  }
  std::uint64_t gamma() {
    unsigned zeros = 0;
    for (;;) {
      const unsigned more = unary(32);
      zeros += more;
      if (more < 32) break;
      if (zeros >= 64) {
        spent_ = true;
        return 1;
      }
    }
    if (zeros > 63) {
      spent_ = true;
      return 1;
    }
    return std::uint64_t{1} << zeros | get(zeros);
  }
  bool ok() const { return !spent_; }

 private:
  void fill() {
    if (held_ >= kFilled) return;
    if (bytes_.size() - next_ >= 8) {
      // Of the last byte a part may come in already; the same bits are put over it again.
      acc_ |= word_at(next_) >> held_;
      const unsigned whole = (64 - held_) / 8;
      next_ += whole;
      held_ += 8 * whole;
      real_ += 8 * whole;
      return;
    }
    while (held_ < kFilled) {
      if (next_ < bytes_.size()) {
        acc_ |= std::uint64_t{static_cast<std::uint8_t>(bytes_[next_])} << (56 - held_);
        ++next_;
        real_ += 8;
      }
      held_ += 8;
    }
  }
  std::uint64_t word_at(std::size_t at) const {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + at, sizeof word);
    return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
  }
  void drop(unsigned bits) {
    acc_ <<= bits;
    held_ -= bits;
    if (bits > real_) spent_ = true;
    real_ -= std::min(real_, bits);
  }

  static constexpr unsigned kFilled = 57;  // bits at least that are there after fill()

  std::string_view bytes_;
  std::size_t next_ = 0;
  std::uint64_t acc_ = 0;
  unsigned held_ = 0;  // bits in acc_, those behind the end among them
  unsigned real_ = 0;  // of them, those that were in the bytes
  bool spent_ = false;
};

}  // namespace gpuscope::history

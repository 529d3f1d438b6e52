#include "history/values_codec.h"

#include <zstd.h>

#include <limits>
#include <memory>
#include <numeric>
#include <span>

namespace gpuscope::history {
namespace {

// What a block is: how its numbers are predicted.
constexpr unsigned kRun = 0;     // all as the last one; as many blocks as a gamma code says
constexpr unsigned kFirst = 1;   // each as the one before it
constexpr unsigned kSecond = 2;  // each on a line through the two before it
constexpr unsigned kLevel = 3;   // all as one level, which is written
constexpr unsigned kKindBits = 2;
constexpr unsigned kParameterBits = 6;
constexpr unsigned kEscape = 24;  // so many zeros: the number follows in 64 bits

constexpr int kZstdLevel = 3;

using Residuals = std::array<std::uint64_t, BlockEncoder::kBlock>;

struct Plan {
  unsigned parameter = 0;
  std::uint64_t bits = 0;
};

std::uint64_t cost(std::span<const std::uint64_t> residuals, unsigned parameter) {
  std::uint64_t bits = residuals.size() * (1 + parameter);
  for (const std::uint64_t residual : residuals) {
    const std::uint64_t quotient = residual >> parameter;
    bits += quotient < kEscape ? quotient : kEscape + 64 - 1 - parameter;
  }
  return bits;
}

// The parameter that takes the fewest bits, nearly: the mean tells within one or two of it.
Plan plan(std::span<const std::uint64_t> residuals) {
  double sum = 0;
  for (const std::uint64_t residual : residuals) sum += static_cast<double>(residual);
  const double mean = sum / static_cast<double>(residuals.size());
  constexpr double kHalf = 0.69;  // ln 2: where half of an exponential distribution lies
  const double middle = mean * kHalf;
  const auto guess = middle < 1 ? 0U
                                : static_cast<unsigned>(std::bit_width(
                                      static_cast<std::uint64_t>(std::min(middle, 4.0e18)))) -
                                      1;
  Plan best{guess, cost(residuals, guess)};
  for (const unsigned parameter : {guess + 1, guess == 0 ? 0 : guess - 1}) {
    if (parameter > 63 || parameter == guess) continue;
    const std::uint64_t bits = cost(residuals, parameter);
    if (bits < best.bits) best = {parameter, bits};
  }
  return best;
}

void put_residuals(BitWriter& bits, std::span<const std::uint64_t> residuals, unsigned parameter) {
  const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
  for (const std::uint64_t residual : residuals) {
    const std::uint64_t quotient = residual >> parameter;
    if (quotient < kEscape) {
      // The 1 behind the zeros, and what follows it, in one go.
      if (quotient > 0) bits.put(0, static_cast<unsigned>(quotient));
      bits.put(mask + 1 + (residual & mask), parameter + 1);
    } else {
      bits.put(0, kEscape);
      bits.put(residual, 64);
    }
  }
}

void put_block(BitWriter& bits, std::span<const std::int64_t> values, std::int64_t last,
               std::int64_t before) {
  Residuals first;
  Residuals second;
  Residuals level;
  std::int64_t one = last;
  std::int64_t two = before;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t step = wrapping_sub(values[i], one);
    first[i] = fold(step);
    second[i] = fold(wrapping_sub(step, wrapping_sub(one, two)));
    sum += static_cast<double>(values[i]);
    two = one;
    one = values[i];
  }
  const double mean = sum / static_cast<double>(values.size());
  const std::int64_t base = std::abs(mean) < 9.0e18 ? static_cast<std::int64_t>(mean) : 0;
  for (std::size_t i = 0; i < values.size(); ++i) level[i] = fold(wrapping_sub(values[i], base));

  const std::size_t count = values.size();
  const Plan by_first = plan({first.data(), count});
  const Plan by_second = plan({second.data(), count});
  const Plan by_level = plan({level.data(), count});
  const std::uint64_t distance = fold(wrapping_sub(base, last));
  const auto width = static_cast<unsigned>(std::bit_width(distance));
  const std::uint64_t level_bits = by_level.bits + kParameterBits + 1 + width;
  if (by_first.bits <= by_second.bits && by_first.bits <= level_bits) {
    bits.put(kFirst, kKindBits);
    bits.put(by_first.parameter, kParameterBits);
    put_residuals(bits, {first.data(), count}, by_first.parameter);
  } else if (by_second.bits <= level_bits) {
    bits.put(kSecond, kKindBits);
    bits.put(by_second.parameter, kParameterBits);
    put_residuals(bits, {second.data(), count}, by_second.parameter);
  } else {
    bits.put(kLevel, kKindBits);
    bits.put(by_level.parameter, kParameterBits);
    bits.put(width, kParameterBits + 1);
    bits.put(distance, width);
    put_residuals(bits, {level.data(), count}, by_level.parameter);
  }
}

}  // namespace

void BlockEncoder::encode_block() {
  const std::span<const std::int64_t> values(waiting_.data(), waiting_count_);
  const bool same = std::ranges::all_of(values, [&](std::int64_t v) { return v == last_; });
  if (same) {
    ++run_;
    before_ = last_;
  } else {
    end_run();
    put_block(bits_, values, last_, before_);
    before_ = values.size() > 1 ? values[values.size() - 2] : last_;
    last_ = values.back();
  }
  encoded_ += waiting_count_;
  waiting_count_ = 0;
}

void BlockEncoder::end_run() {
  if (run_ == 0) return;
  bits_.put(kRun, kKindBits);
  bits_.put_gamma(run_);
  run_ = 0;
}

std::string BlockEncoder::finished() const {
  BlockEncoder rest(*this);
  if (rest.waiting_count_ > 0) rest.encode_block();
  rest.end_run();
  return rest.bits_.finished();
}

void BlockEncoder::decode(std::vector<std::int64_t>& out, std::size_t from) const {
  if (from + 1 >= encoded_) {
    out.resize(out.size() + encoded_, last_);
  } else {
    BlockEncoder whole(*this);
    whole.end_run();
    decode_blocks(whole.bits_.finished(), encoded_, out);
  }
  out.insert(out.end(), waiting_.begin(),
             waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_count_));
}

bool decode_blocks(std::string_view bytes, std::size_t count, std::vector<std::int64_t>& out) {
  BitReader bits(bytes);
  std::int64_t last = 0;
  std::int64_t before = 0;
  const std::size_t end = out.size() + count;
  out.resize(end);
  std::size_t at = end - count;
  while (at < end && bits.ok()) {
    const auto kind = static_cast<unsigned>(bits.get(kKindBits));
    std::size_t size = std::min(BlockEncoder::kBlock, end - at);
    if (kind == kRun) {
      const std::uint64_t blocks = bits.gamma();
      if (blocks > kMaxTicks) return false;
      size = std::min<std::size_t>(blocks * BlockEncoder::kBlock, end - at);
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), size, last);
      at += size;
      before = last;
      continue;
    }
    const auto parameter = static_cast<unsigned>(bits.get(kParameterBits));
    std::int64_t* const values = out.data() + at;
    Residuals residuals;
    const std::span<std::uint64_t> some(residuals.data(), size);
    if (kind == kFirst) {
      bits.rice_run(parameter, kEscape, some);
      std::int64_t one = last;
      for (std::size_t i = 0; i < size; ++i) {
        values[i] = one = wrapping_add(one, unfold(some[i]));
      }
    } else if (kind == kSecond) {
      bits.rice_run(parameter, kEscape, some);
      std::int64_t one = last;
      std::int64_t step = wrapping_sub(last, before);
      for (std::size_t i = 0; i < size; ++i) {
        step = wrapping_add(step, unfold(some[i]));
        values[i] = one = wrapping_add(one, step);
      }
    } else {
      const auto width = static_cast<unsigned>(bits.get(kParameterBits + 1));
      if (width > 64) return false;
      const std::int64_t base = wrapping_add(last, unfold(bits.get(width)));
      bits.rice_run(parameter, kEscape, some);
      for (std::size_t i = 0; i < size; ++i) values[i] = wrapping_add(base, unfold(some[i]));
    }
    before = size > 1 ? values[size - 2] : last;
    last = values[size - 1];
    at += size;
  }
  return at == end && bits.ok();
}

struct ValuesEncoder::Zstd {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
};

ValuesEncoder::ValuesEncoder() : zstd_(new Zstd) {}
ValuesEncoder::~ValuesEncoder() { delete zstd_; }

namespace {

// The largest step of which all distances from the first number are multiples; 0 when all are the
// same, 1 where a distance does not fit.
std::uint64_t common_step(const std::vector<std::int64_t>& values) {
  std::uint64_t step = 0;
  for (const std::int64_t value : values) {
    std::int64_t distance = 0;
    if (__builtin_sub_overflow(value, values.front(), &distance)) return 1;
    if (distance == std::numeric_limits<std::int64_t>::min()) return 1;
    const auto size = static_cast<std::uint64_t>(distance < 0 ? -distance : distance);
    if (step != 0 && size % step == 0) continue;
    step = std::gcd(step, size);
    if (step == 1) return 1;
  }
  return step;
}

}  // namespace

void ValuesEncoder::compress_planes(const std::vector<std::int64_t>& values, int order,
                                    std::string& out) {
  residuals_.resize(values.size());
  std::uint64_t any = 0;
  std::int64_t last = 0;
  std::int64_t step = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t now = wrapping_sub(values[i], last);
    residuals_[i] = fold(order == 1 ? now : wrapping_sub(now, step));
    if (i > 1) any |= residuals_[i];
    step = now;
    last = values[i];
  }
  const unsigned width = std::max(1U, (static_cast<unsigned>(std::bit_width(any)) + 7) / 8);
  planes_.clear();
  put_byte(planes_, static_cast<std::uint8_t>(width));
  const std::size_t heads = std::min<std::size_t>(values.size(), 2);
  for (std::size_t i = 0; i < heads; ++i) {
    for (unsigned j = 0; j < 64; j += 8) {
      put_byte(planes_, static_cast<std::uint8_t>(residuals_[i] >> j));
    }
  }
  for (unsigned j = 0; j < width; ++j) {
    for (std::size_t i = heads; i < residuals_.size(); ++i) {
      put_byte(planes_, static_cast<std::uint8_t>(residuals_[i] >> (8 * j)));
    }
  }
  out.resize(ZSTD_compressBound(planes_.size()));
  const std::size_t size = ZSTD_compressCCtx(zstd_->context.get(), out.data(), out.size(),
                                             planes_.data(), planes_.size(), kZstdLevel);
  out.resize(ZSTD_isError(size) != 0 ? 0 : size);
}

void ValuesEncoder::encode(const std::vector<std::int64_t>& values, EncodedValues& out) {
  out.codec = ValuesCodec::kBlocks;
  out.base = values.empty() ? 0 : values.front();
  out.unit = std::max<std::uint64_t>(1, values.empty() ? 1 : common_step(values));
  scaled_.resize(values.size());
  const auto unit = static_cast<std::int64_t>(out.unit);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t distance = wrapping_sub(values[i], out.base);
    scaled_[i] = unit == 1 ? distance : distance / unit;
  }
  BlockEncoder blocks;
  for (const std::int64_t value : scaled_) blocks.append(value);
  out.bytes = blocks.finished();
  for (const int order : {1, 2}) {
    compress_planes(scaled_, order, candidate_);
    if (candidate_.empty() || candidate_.size() >= out.bytes.size()) continue;
    std::swap(out.bytes, candidate_);
    out.codec = order == 1 ? ValuesCodec::kFirstDifferences : ValuesCodec::kSecondDifferences;
  }
}

namespace {

bool decode_planes(std::string_view bytes, std::size_t count, bool second,
                   std::vector<std::int64_t>& out) {
  const std::size_t heads = std::min<std::size_t>(count, 2);
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return false;
  if (size < 1 + 8 * heads || size > 1 + 8 * count) return false;
  std::string planes(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompress(planes.data(), planes.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(got) != 0 || got != planes.size()) return false;
  const std::size_t rest = count - heads;
  const auto width = static_cast<std::uint8_t>(planes[0]);
  if (width < 1 || width > 8 || planes.size() != 1 + 8 * heads + width * rest) return false;
  const auto at = [&](std::size_t i) {
    return std::uint64_t{static_cast<std::uint8_t>(planes[i])};
  };
  out.resize(count);
  std::int64_t last = 0;
  std::int64_t step = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t residual = 0;
    if (i < heads) {
      for (unsigned j = 0; j < 8; ++j) residual |= at(1 + 8 * i + j) << (8 * j);
    } else {
      const std::size_t begin = 1 + 8 * heads + (i - heads);
      for (unsigned j = 0; j < width; ++j) residual |= at(begin + j * rest) << (8 * j);
    }
    step = second ? wrapping_add(step, unfold(residual)) : unfold(residual);
    out[i] = last = wrapping_add(last, step);
  }
  return true;
}

}  // namespace

bool decode_values(ValuesCodec codec, std::uint64_t unit, std::int64_t base, std::string_view bytes,
                   std::size_t count, std::vector<std::int64_t>& out) {
  if (count > kMaxTicks) return false;
  out.clear();
  const bool whole =
      codec == ValuesCodec::kBlocks
          ? decode_blocks(bytes, count, out)
          : decode_planes(bytes, count, codec == ValuesCodec::kSecondDifferences, out);
  if (!whole) return false;
  const auto factor = static_cast<std::int64_t>(unit);
  for (std::int64_t& value : out) value = wrapping_add(base, wrapping_mul(value, factor));
  return true;
}

}  // namespace gpuscope::history

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/fake_clock.h"
#include "base/text.h"

namespace gpuscope::base {
namespace {

std::string decimal(std::int64_t value, int decimals) {
  std::string out;
  append_decimal(out, value, decimals);
  return out;
}

TEST(Decimal, IsTheShortestExactText) {
  EXPECT_EQ(decimal(46100, 3), "46.1");
  EXPECT_EQ(decimal(3000, 2), "30");
  EXPECT_EQ(decimal(0, 3), "0");
  EXPECT_EQ(decimal(7, 3), "0.007");
  EXPECT_EQ(decimal(-5, 1), "-0.5");
  EXPECT_EQ(decimal(-1200, 2), "-12");
  EXPECT_EQ(decimal(42, 0), "42");
}

TEST(Decimal, HoldsTheWholeRange) {
  EXPECT_EQ(decimal(std::numeric_limits<std::int64_t>::max(), 9), "9223372036.854775807");
  EXPECT_EQ(decimal(std::numeric_limits<std::int64_t>::min(), 18), "-9.223372036854775808");
  EXPECT_EQ(decimal(std::numeric_limits<std::int64_t>::min(), 0), "-9223372036854775808");
}

// The short way for small numbers against the long way for all.
TEST(Decimal, BothWaysAgree) {
  std::uint64_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    random = random * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    // All lengths alike, with runs of zeros at either end.
    const auto value = static_cast<std::int64_t>((random >> 20) % 1'000'000'000 >> (random >> 59));
    const std::int64_t rounded = value / 1000 * 1000;
    for (int decimals = 0; decimals <= 9; ++decimals) {
      for (const std::int64_t number : {value, rounded}) {
        std::array<char, kMaxDecimalChars> text{};
        char* end = detail::write_any_decimal(text.data(), number, decimals);
        ASSERT_EQ(decimal(number, decimals), std::string(text.data(), end)) << number;
      }
    }
  }
}

TEST(Utc, HasMicrosecondsAndOffset) {
  EXPECT_EQ(format_utc(WallTime{std::chrono::microseconds{1'795'339'482'736'284}}),
            "2026-11-22T09:24:42.736284+00:00");
  EXPECT_EQ(format_utc(WallTime{}), "1970-01-01T00:00:00.000000+00:00");
}

TEST(FastClock, TakesAFractionOfTheTime) {
  FakeClock real;
  FastClock fast(real, 30);
  const WallTime wall = fast.wall_now();
  const SteadyTime steady = fast.steady_now();
  EXPECT_EQ(wall, real.wall_now());
  real.advance(std::chrono::seconds{2});
  EXPECT_EQ(fast.wall_now() - wall, std::chrono::seconds{60});
  EXPECT_EQ(fast.steady_now() - steady, std::chrono::seconds{60});
  // What is due comes back at once.
  Mutex mutex;
  CondVar condition;
  MutexLock lock(mutex);
  fast.wait_until(condition, lock, steady + std::chrono::seconds{59});
}

TEST(Text, LosesWhatStandsAtItsEnds) {
  EXPECT_EQ(trimmed(" \t a b\r\n"), "a b");
  EXPECT_EQ(trimmed("\r\n a \n", " \n"), "\r\n a");
  EXPECT_EQ(trimmed(" \n "), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(Text, IsTakenPartByPart) {
  std::string_view text = "a,,b";
  EXPECT_EQ(take_part(text, ','), "a");
  EXPECT_EQ(take_part(text, ','), "");
  EXPECT_EQ(take_part(text, ','), "b");
  EXPECT_EQ(text, "");
  EXPECT_EQ(take_part(text, ','), "");
}

TEST(Text, IsANumberAsAWhole) {
  EXPECT_EQ(parse_number<int>("-12"), -12);
  EXPECT_EQ(parse_number<int>("12 "), std::nullopt);
  EXPECT_EQ(parse_number<int>(""), std::nullopt);
  EXPECT_EQ(parse_number<std::uint8_t>("256"), std::nullopt);
  EXPECT_EQ(parse_number<double>("1e2"), 100);
  EXPECT_EQ(parse_number<double>("1e2", std::chars_format::fixed), std::nullopt);
}

TEST(Text, HasLettersOfAsciiAlone) {
  EXPECT_EQ(lower("Ab-Ä[Z"), "ab-Ä[z");
  EXPECT_TRUE(same_word("GZip", "gzIP"));
  EXPECT_FALSE(same_word("gzip", "gzi"));
  EXPECT_FALSE(same_word("@", "`"));
  EXPECT_TRUE(is_name_char('_') && is_name_char('q') && is_name_char('Q') && is_name_char('7'));
  EXPECT_FALSE(is_name_char('@') || is_name_char('[') || is_name_char('`') || is_name_char('{'));
  EXPECT_FALSE(is_name_char(static_cast<char>(0xC4)));
}

}  // namespace
}  // namespace gpuscope::base

#include "base/duration.h"

#include <gtest/gtest.h>

namespace gpuscope::base {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Duration, ReadsNumbersWithUnits) {
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("1.5m"), seconds(90));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2h"), hours(2));
  EXPECT_EQ(parse_duration("7d"), hours(7 * 24));
  EXPECT_EQ(parse_duration("1h30m"), hours(1) + std::chrono::minutes(30));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
  EXPECT_EQ(parse_duration(".5s"), milliseconds(500));
}

TEST(Duration, RefusesAnythingElse) {
  for (const char* text : {"", "90", "s", "-1s", "+1s", "1 s", "1s ", "1e3s", "nan", "infs", "1w",
                           "1.2.3s", ".s", "0x1s", "1e999s", "99999999999999999999d", "101000d"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(Time, ReadsSecondsAndRfc3339) {
  EXPECT_EQ(parse_time("0"), WallTime{});
  EXPECT_EQ(parse_time("1795339482"), parse_time("2026-11-22T09:24:42Z"));
  EXPECT_EQ(parse_time("1795339482.25"), parse_time("2026-11-22T09:24:42.250000+00:00"));
  EXPECT_EQ(parse_time("1.0000019"), WallTime{seconds(1) + microseconds(1)});
  ASSERT_TRUE(parse_time("2024-02-29T00:00:00Z").has_value());
  EXPECT_EQ(format_utc(parse_time("2024-02-29T23:59:59.5Z").value_or(WallTime{})),
            "2024-02-29T23:59:59.500000+00:00");
}

TEST(Time, RefusesAnythingElse) {
  for (const char* text :
       {"", "-1", "-0", "1.", "now", "2026-11-22", "2026-11-22T09:24:42", "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T09:24:42+01:00", "2026-11-22T09:24:42.Z",
        "1960-01-01T00:00:00Z", "253402300800", "1e9", "2026-13-01T00:00:00Z", "1 "}) {
    EXPECT_FALSE(parse_time(text).has_value()) << text;
  }
}

TEST(Moment, IsATimeOrATimeBeforeNow) {
  const WallTime now{seconds(1'795'339'482)};
  EXPECT_EQ(parse_moment("now", now), now);
  EXPECT_EQ(parse_moment("-1h30m", now), now - std::chrono::minutes(90));
  EXPECT_EQ(parse_moment("-0s", now), now);
  EXPECT_EQ(parse_moment("1795339482.25", now), now + milliseconds(250));
  for (const char* text :
       {"2026-11-22T09:24:42Z", "2026-11-22T09:24:42+00:00", "2026-11-22T10:24:42+01:00",
        "2026-11-22T10:24:42 01:00", "2026-11-22T05:54:42.000000-03:30"}) {
    EXPECT_EQ(parse_moment(text, now), now) << text;
  }
}

TEST(Moment, RefusesAnythingElse) {
  const WallTime now{seconds(1'795'339'482)};
  for (const char* text :
       {"", "-", "-1", "+1h", "1h", "-100d1", "-99999d", "Now", "now-1h",
        "2026-11-22T09:24:42*01:00", "2026-11-22T09:24:42+1:000", "2026-11-22T09:24:42+24:00",
        "2026-11-22T09:24:42+00:60", "1970-01-01T00:00:00+00:01", "2026-11-22T09:24:42Z+00:00"}) {
    EXPECT_FALSE(parse_moment(text, now).has_value()) << text;
  }
}

}  // namespace
}  // namespace gpuscope::base

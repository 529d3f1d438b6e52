// Durations and times as people write them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace gpuscope::base {

// What stands behind "takes" in an error.
inline constexpr std::string_view kDurationTakes = "a duration such as 500ms, 90s, 1.5m or 2h";
inline constexpr std::string_view kTimeTakes =
    "seconds since 1970 or a UTC time such as 2026-11-22T09:24:42Z";

inline constexpr std::string_view kMomentTakes =
    "seconds since 1970, a time such as 2026-11-22T09:24:42Z, now, or a time before now such as "
    "-1h";

// Numbers with the units ms, s, m, h and d, one after another: "1.5m", "1h30m". Rounded to a
// millisecond; at most 100 years; nullopt for anything else, such as a number without its unit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// Seconds since 1970 with up to six decimals, or RFC 3339 in UTC ("Z" or "+00:00"); up to the end
// of the year 9999. nullopt for anything else.
std::optional<WallTime> parse_time(std::string_view text);

// A time as requests and command lines have it: as parse_time(), RFC 3339 with any offset, "now",
// or "-1h30m": so long before `now`. A blank stands for the "+" that it was before a URL was
// decoded.
std::optional<WallTime> parse_moment(std::string_view text, WallTime now);

}  // namespace gpuscope::base

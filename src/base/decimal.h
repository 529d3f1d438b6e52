// Scaled integers to text and back to units: the one place where a reading gets its decimal point.
#pragma once

#include <cstdint>
#include <string>

namespace gpuscope::base {

// The longest text append_decimal() writes: sign, 19 digits, point, and leading "0."-zeros.
inline constexpr int kMaxDecimalChars = 40;

// Writes value / 10^decimals at `out`, shortest exact form: 46100 with 3 decimals is "46.1",
// 3000 with 2 is "30", -5 with 1 is "-0.5". `decimals` is 0 to 18. Needs kMaxDecimalChars bytes,
// writes no terminator, returns the end. Independent of any locale.
char* write_decimal(char* out, std::int64_t value, int decimals);

// The same, appended to a string.
void append_decimal(std::string& out, std::int64_t value, int decimals);

}  // namespace gpuscope::base

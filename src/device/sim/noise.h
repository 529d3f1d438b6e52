// Randomness without state: a hash of what is asked for, and a smooth curve through such hashes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace gpuscope::device::sim {

// Mixes two numbers well (the finaliser of splitmix64).
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a + 0x9e3779b97f4a7c15ULL * (b + 1);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

// -1 to 1, evenly spread but for a little more at either end, so that curves reach their ends.
constexpr double knot(std::uint64_t seed, std::uint64_t at) {
  const double even = static_cast<double>(mix(seed, at) >> 11U) * 0x1p-52 - 1.0;
  return std::clamp(even * 1.1, -1.0, 1.0);
}

// A smooth curve from -1 to 1 through the knots at the whole numbers; with `wrap` above 0 it is
// periodic, knot `wrap` being knot 0 again. `x` is not negative.
inline double curve(std::uint64_t seed, double x, std::uint64_t wrap = 0) {
  const double whole = std::floor(x);
  const double t = x - whole;
  const auto i = static_cast<std::uint64_t>(whole);
  const std::uint64_t left = wrap > 0 ? i % wrap : i;
  const std::uint64_t right = wrap > 0 ? (i + 1) % wrap : i + 1;
  const double from = knot(seed, left);
  return from + (knot(seed, right) - from) * t * t * (3 - 2 * t);
}

// Within base ± share of it, along a curve from -1 to 1.
inline double around(double base, double share, double curve_value) {
  return base * (1 + share * curve_value);
}
// The same to the nearest whole number.
inline std::int64_t whole_around(double base, double share, double curve_value) {
  const auto low = static_cast<std::int64_t>(std::ceil(base * (1 - share)));
  const auto high = static_cast<std::int64_t>(std::floor(base * (1 + share)));
  return std::clamp<std::int64_t>(std::llround(around(base, share, curve_value)), low, high);
}

}  // namespace gpuscope::device::sim

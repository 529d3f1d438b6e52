// A small picture of how values went, for mails: pure drawing, no text but the axes'.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/series.h"
#include "wire/png.h"

namespace gpuscope::notify {

struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
};
// One for each line, told apart also by those who do not see red and green.
inline constexpr std::array<Color, 6> kLineColors{{{0x1f, 0x77, 0xb4},
                                                   {0xe6, 0x7e, 0x22},
                                                   {0x2a, 0x9d, 0x8f},
                                                   {0x8e, 0x44, 0xad},
                                                   {0x7f, 0x5f, 0x3f},
                                                   {0x5d, 0x6d, 0x7e}}};

struct Chart {
  model::TimeRange range;
  // By equal parts of the range; nothing is drawn where there is no value. As many lines as there
  // are colours are drawn.
  std::vector<std::vector<std::optional<double>>> lines;
  std::optional<double> limit;                // a dashed line
  std::optional<model::TimeRange> highlight;  // tinted, as far as it lies within the range
  bool percent = false;                       // the axis does not go beyond 0 to 100
};

// 1120 × 400 pixels, to be shown at half that.
wire::Image draw_chart(const Chart& chart);

// Round numbers that part low to high into 2 to 6 steps, from at most `low` to at least `high`.
std::vector<double> nice_ticks(double low, double high);

}  // namespace gpuscope::notify

#include "notify/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace gpuscope::notify {
namespace {

using base::WallTime;

constexpr std::uint32_t kWidth = 1120;
constexpr std::uint32_t kHeight = 400;
constexpr double kLeft = 108;
constexpr double kRight = kWidth - 24;
constexpr double kTop = 20;
constexpr double kBottom = kHeight - 52;
constexpr Color kWhite{255, 255, 255};
constexpr Color kGrid{0xe4, 0xe7, 0xeb};
constexpr Color kAxis{0xb0, 0xb7, 0xc0};
constexpr Color kInk{0x55, 0x5f, 0x6b};
constexpr Color kLimit{0xc6, 0x28, 0x28};

struct Point {
  double x = 0;
  double y = 0;
};

// Characters as strokes on a grid of 4 × 6, "xy" pairs from the top left; a blank lifts the pen.
struct Glyph {
  char character;
  std::string_view strokes;
};
constexpr std::array kGlyphs{
    Glyph{'0', "103041453616050110"},
    Glyph{'1', "012026"},
    Glyph{'2', "01103041420646"},
    Glyph{'3', "01103041423313 334445361605"},
    Glyph{'4', "36300444"},
    Glyph{'5', "400002324345361605"},
    Glyph{'6', "413010010516364544331304"},
    Glyph{'7', "004016"},
    Glyph{'8', "103041423344453616050413020110 1333"},
    Glyph{'9', "051636454130100102133342"},
    Glyph{'-', "0333"},
    Glyph{'.', "1616"},
    Glyph{':', "1212 1616"},
    Glyph{'k', "0006 4203 1346"},
    Glyph{'M', "0600234046"},
};

class Canvas {
 public:
  Canvas() : image_{kWidth, kHeight, std::vector<std::uint8_t>(std::size_t{kWidth} * kHeight * 3)} {
    rectangle({0, 0}, {kWidth, kHeight}, kWhite, 1);
  }

  void rectangle(Point from, Point to, Color color, double opacity) {
    const auto begin_x = static_cast<int>(std::lround(from.x));
    const auto begin_y = static_cast<int>(std::lround(from.y));
    for (int y = begin_y; y < std::lround(to.y); ++y) {
      for (int x = begin_x; x < std::lround(to.x); ++x) blend(x, y, color, opacity);
    }
  }

  // A run of straight lines with round ends and joints: each pixel takes as much of the colour as
  // the line is near. Pixels are blended once for the whole run, so that joints do not show.
  void polyline(const std::vector<Point>& points, double width, Color color) {
    if (points.empty()) return;
    const double reach = width / 2 + 1;
    double left = points.front().x;
    double right = left;
    double top = points.front().y;
    double bottom = top;
    for (const Point& point : points) {
      left = std::min(left, point.x);
      right = std::max(right, point.x);
      top = std::min(top, point.y);
      bottom = std::max(bottom, point.y);
    }
    const int x0 = static_cast<int>(left - reach);
    const int x1 = static_cast<int>(right + reach) + 1;
    const int y0 = static_cast<int>(top - reach);
    const int y1 = static_cast<int>(bottom + reach) + 1;
    const auto columns = static_cast<std::size_t>(x1 - x0) + 1;
    std::vector<float> cover(columns * (static_cast<std::size_t>(y1 - y0) + 1));
    for (std::size_t i = 0; i < points.size(); ++i) {
      const Point a = points[i == 0 ? 0 : i - 1];
      const Point b = points[i];
      const int from_y = static_cast<int>(std::min(a.y, b.y) - reach);
      const int from_x = static_cast<int>(std::min(a.x, b.x) - reach);
      for (int y = from_y; y <= static_cast<int>(std::max(a.y, b.y) + reach); ++y) {
        for (int x = from_x; x <= static_cast<int>(std::max(a.x, b.x) + reach); ++x) {
          if (x < x0 || x > x1 || y < y0 || y > y1) continue;
          const double away = distance({x + 0.5, y + 0.5}, a, b);
          const double part = std::clamp(width / 2 + 0.5 - away, 0.0, 1.0);
          float& cell =
              cover[static_cast<std::size_t>(y - y0) * columns + static_cast<std::size_t>(x - x0)];
          cell = std::max(cell, static_cast<float>(part));
        }
      }
    }
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        const float part =
            cover[static_cast<std::size_t>(y - y0) * columns + static_cast<std::size_t>(x - x0)];
        if (part > 0) blend(x, y, color, static_cast<double>(part));
      }
    }
  }

  // Digits and what stands between them; anything else leaves a gap. `right`: `at` is the right
  // end of the text, else its middle; always the middle of its height.
  void text(std::string_view text, Point at, bool right) {
    constexpr double kScale = 3.6;
    constexpr double kAdvance = 5.8 * kScale;
    constexpr double kNarrow = 3.4 * kScale;
    constexpr double kStroke = 2.6;
    const auto advance = [&](char c) { return c == '.' || c == ':' ? kNarrow : kAdvance; };
    double length = 0;
    for (const char c : text) length += advance(c);
    double x = right ? at.x - length : at.x - length / 2;
    const double y = at.y - 3 * kScale;
    for (const char c : text) {
      const auto glyph = std::ranges::find(kGlyphs, c, &Glyph::character);
      if (glyph != kGlyphs.end()) {
        std::vector<Point> stroke;
        std::string_view left = glyph->strokes;
        while (!left.empty()) {
          if (left.front() == ' ' || left.size() == 1) {
            polyline(std::exchange(stroke, {}), kStroke, kInk);
            left.remove_prefix(1);
            continue;
          }
          stroke.push_back({x + (left[0] - '0') * kScale, y + (left[1] - '0') * kScale});
          left.remove_prefix(2);
        }
        polyline(stroke, kStroke, kInk);
      }
      x += advance(c);
    }
  }

  wire::Image take() { return std::move(image_); }

 private:
  static double distance(Point p, Point a, Point b) {
    const double dx = b.x - a.x;
    const double dy = b.y - a.y;
    const double square = dx * dx + dy * dy;
    double along = square > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / square : 0;
    along = std::clamp(along, 0.0, 1.0);
    return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
  }

  void blend(int x, int y, Color color, double opacity) {
    if (x < 0 || y < 0 || x >= static_cast<int>(kWidth) || y >= static_cast<int>(kHeight)) return;
    const std::size_t at = (static_cast<std::size_t>(y) * kWidth + static_cast<std::size_t>(x)) * 3;
    const std::array<std::uint8_t, 3> parts{color.red, color.green, color.blue};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const double mixed = image_.pixels[at + i] * (1 - opacity) + parts.at(i) * opacity;
      image_.pixels[at + i] = static_cast<std::uint8_t>(std::lround(mixed));
    }
  }

  wire::Image image_;
};

struct Span {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Span span_of(const Chart& chart) {
  Span span;
  for (const auto& line : chart.lines) {
    for (const auto& value : line) {
      if (value && std::isfinite(*value)) span.add(*value);
    }
  }
  if (chart.limit && std::isfinite(*chart.limit)) span.add(*chart.limit);
  if (span.low > span.high) span = {0, 1};
  const double room = std::max((span.high - span.low) * 0.08, std::abs(span.high) * 0.01);
  const bool positive = span.low >= 0;
  span.low -= room;
  span.high += room;
  if (positive) span.low = std::max(span.low, 0.0);
  if (chart.percent) span = {std::max(span.low, 0.0), std::min(span.high, 100.0)};
  if (span.high - span.low < 1e-9) span.high = span.low + 1;
  return span;
}

std::string tick_text(double value, double step) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  const int decimals = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step)));
  return fmt::format("{:.{}f}", value == 0 ? 0.0 : value, decimals);
}

// From times and values to pixels.
struct Scale {
  model::TimeRange range;
  double low = 0;
  double high = 1;

  double x(WallTime time) const {
    const auto whole = static_cast<double>((range.end - range.begin).count());
    return kLeft + (kRight - kLeft) * static_cast<double>((time - range.begin).count()) / whole;
  }
  double y(double value) const { return kBottom - (kBottom - kTop) * (value - low) / (high - low); }
};

void draw_times(Canvas& canvas, const Scale& scale) {
  using std::chrono::minutes;
  constexpr std::array kSteps{minutes{1},  minutes{2},  minutes{5},   minutes{10}, minutes{15},
                              minutes{30}, minutes{60}, minutes{120}, minutes{360}};
  constexpr int kMost = 7;
  const auto length = scale.range.end - scale.range.begin;
  minutes step = kSteps.back();
  for (const minutes one : kSteps) {
    if (length / one <= kMost) {
      step = one;
      break;
    }
  }
  const auto since = scale.range.begin.time_since_epoch();
  for (WallTime at{since - since % step}; at < scale.range.end; at += step) {
    if (at < scale.range.begin) continue;
    const double x = scale.x(at);
    canvas.polyline({{x, kBottom}, {x, kBottom + 8}}, 2, kAxis);
    const std::string clock = base::format_utc(at).substr(11, 5);
    if (x > kLeft + 20 && x < kRight - 20) canvas.text(clock, {x, kBottom + 30}, false);
  }
}

void draw_line(Canvas& canvas, const Scale& scale, const std::vector<std::optional<double>>& values,
               Color color) {
  constexpr double kStroke = 4;
  const double part = (kRight - kLeft) / static_cast<double>(values.size());
  std::vector<Point> run;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<double> value = values[i];
    if (!value || !std::isfinite(*value)) {
      canvas.polyline(std::exchange(run, {}), kStroke, color);
      continue;
    }
    const double y = std::clamp(scale.y(*value), kTop, kBottom);
    run.push_back({kLeft + (static_cast<double>(i) + 0.5) * part, y});
  }
  canvas.polyline(run, kStroke, color);
}

}  // namespace

std::vector<double> nice_ticks(double low, double high) {
  constexpr double kWanted = 5;
  const double rough = (high - low) / kWanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = power * factor;
    if (step >= rough) break;
  }
  std::vector<double> ticks;
  for (double n = std::ceil(low / step - 1e-9); n <= std::floor(high / step + 1e-9); ++n) {
    ticks.push_back(n * step);
  }
  return ticks;
}

wire::Image draw_chart(const Chart& chart) {
  Canvas canvas;
  const Span span = span_of(chart);
  const Scale scale{chart.range, span.low, span.high};
  if (chart.highlight) {
    const double from = std::clamp(scale.x(chart.highlight->begin), kLeft, kRight);
    const double to = std::clamp(scale.x(chart.highlight->end), kLeft, kRight);
    canvas.rectangle({from, kTop}, {to, kBottom}, kLimit, 0.08);
  }
  const std::vector<double> ticks = nice_ticks(span.low, span.high);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  for (const double tick : ticks) {
    const double y = std::round(scale.y(tick));
    canvas.rectangle({kLeft, y - 1}, {kRight, y + 1}, kGrid, 1);
    canvas.text(tick_text(tick, step), {kLeft - 12, y}, true);
  }
  canvas.rectangle({kLeft, kBottom - 1}, {kRight, kBottom + 1}, kAxis, 1);
  draw_times(canvas, scale);
  if (chart.limit && *chart.limit >= span.low && *chart.limit <= span.high) {
    constexpr double kDash = 14;
    const double y = scale.y(*chart.limit);
    for (double x = kLeft; x < kRight; x += 2 * kDash) {
      canvas.polyline({{x + 2, y}, {std::min(x + kDash, kRight), y}}, 3, kLimit);
    }
  }
  // The first is what the message is about first: it lies on top.
  for (std::size_t i = std::min(chart.lines.size(), kLineColors.size()); i-- > 0;) {
    if (!chart.lines[i].empty()) draw_line(canvas, scale, chart.lines[i], kLineColors.at(i));
  }
  return canvas.take();
}

}  // namespace gpuscope::notify

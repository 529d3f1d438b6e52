#include "api/range_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "api/history_routes.h"
#include "base/duration.h"

namespace gpuscope::api {
namespace {

using base::Result;

constexpr std::chrono::hours kDefaultLength{1};
constexpr std::size_t kMaxNames = 1000;

std::unexpected<base::Error> wrong(std::string text) {
  return base::fail(base::ErrorKind::kInvalidArgument, std::move(text));
}

// The values of a parameter that may be repeated, and may hold several with commas between.
std::vector<std::string> values_of(const http::Request& request, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& [key, text] : request.query) {
    if (key != name) continue;
    std::string_view left = text;
    while (!left.empty()) {
      const std::size_t comma = std::min(left.find(','), left.size());
      std::string value(left.substr(0, comma));
      if (!value.empty() && std::ranges::find(values, value) == values.end()) {
        values.push_back(std::move(value));
      }
      left.remove_prefix(std::min(comma + 1, left.size()));
    }
  }
  return values;
}

Result<std::vector<model::Metric>> metrics_of(const http::Request& request) {
  std::vector<model::Metric> metrics;
  for (const std::string& name : values_of(request, "metric")) {
    const auto metric = metric_of_name(name);
    if (!metric || model::info(*metric).entity == model::Entity::kProcess) {
      return wrong(
          fmt::format("cannot find the metric '{}' in the history; /api/v1/catalog has "
                      "them all, those of processes are not kept",
                      name));
    }
    if (std::ranges::find(metrics, *metric) == metrics.end()) metrics.push_back(*metric);
  }
  if (metrics.empty()) {
    return wrong(
        "cannot tell what to show: name a metric, as in ?metric=power_watts; /api/v1/catalog has "
        "them all");
  }
  return metrics;
}

Result<base::WallTime> time_of(const http::Request& request, std::string_view name,
                               base::WallTime now, base::WallTime fallback) {
  const auto text = request.query_value(name);
  if (!text) return fallback;
  const auto time = base::parse_moment(*text, now);
  if (time) return *time;
  return wrong(fmt::format("cannot use {}: '{}' is not {}", name, *text, base::kMomentTakes));
}

Result<std::size_t> points_of(const http::Request& request) {
  const auto text = request.query_value("points");
  if (!text) return HistoryRoutes::kDefaultPoints;
  std::size_t points = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), points);
  if (error == std::errc{} && end == text->data() + text->size() && points >= 1 &&
      points <= HistoryRoutes::kMaxPoints) {
    return points;
  }
  return wrong(fmt::format("cannot use points: '{}' is not a whole number from 1 to {}", *text,
                           HistoryRoutes::kMaxPoints));
}

}  // namespace

Result<RangeRequest> parse_range_request(const http::Request& request, base::WallTime now,
                                         std::chrono::microseconds interval) {
  auto metrics = metrics_of(request);
  if (!metrics) return std::unexpected(std::move(metrics.error()));
  RangeRequest parsed{.metrics = std::move(*metrics),
                      .gpus = values_of(request, "gpu"),
                      .range = {},
                      .points = 0,
                      .csv = request.accept.find("text/csv") != std::string_view::npos};
  if (parsed.gpus.size() > kMaxNames) {
    return wrong(
        fmt::format("cannot answer for more than {} GPUs at once; without gpu= every GPU "
                    "is meant",
                    kMaxNames));
  }
  if (const auto format = request.query_value("format")) {
    if (*format != "json" && *format != "csv") {
      return wrong(fmt::format("cannot use format: '{}' is not json or csv", *format));
    }
    parsed.csv = *format == "csv";
  }
  const auto end = time_of(request, "end", now, now);
  if (!end) return std::unexpected(end.error());
  const base::WallTime earliest{kDefaultLength};
  const auto start = time_of(request, "start", now, std::max(*end, earliest) - kDefaultLength);
  if (!start) return std::unexpected(start.error());
  if (*end <= *start) {
    return wrong(fmt::format("cannot use a range that ends ({}) {} it begins ({})",
                             base::format_utc(*end), *end == *start ? "where" : "before",
                             base::format_utc(*start)));
  }
  parsed.range = {*start, *end};
  const auto points = points_of(request);
  if (!points) return std::unexpected(points.error());
  const auto ticks = (*end - *start + interval - std::chrono::microseconds{1}) / interval;
  parsed.points = std::clamp<std::size_t>(static_cast<std::size_t>(ticks), 1, *points);
  return parsed;
}

}  // namespace gpuscope::api

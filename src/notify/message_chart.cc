#include "notify/message_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/naming.h"
#include "notify/line_chart.h"
#include "wire/webhook_message.h"

namespace gpuscope::notify {
namespace {

using base::WallTime;
using model::AlertNotification;
using model::AlertStatus;
using model::label_value;
using model::SeriesBucket;

constexpr std::chrono::hours kSpan{3};
// A picture that would show less than half of it shows what there is, but not less than that.
constexpr std::chrono::minutes kShortest{15};
constexpr std::size_t kParts = 240;

bool is_metric_char(char c) { return base::is_name_char(c) || c == ':'; }

std::optional<AlertMetric> of_name(std::string_view name) {
  AlertMetric found;
  const auto take = [&](model::Metric metric, std::uint8_t binary, std::int8_t decimal) {
    if (model::info(metric).entity != model::Entity::kGpu) return false;
    found.metric = metric;
    found.binary_shift = binary;
    found.decimal_shift = decimal;
    const model::Unit unit = model::info(metric).unit;
    if (decimal == 0) found.unit = model::unit_symbol(unit);
    if (unit == model::Unit::kBytes && binary == 20) found.unit = "MiB";
    return true;
  };
  for (const model::Family& family : model::gpu_metric_naming().families) {
    if (family.name == name && family.metric &&
        take(*family.metric, family.binary_shift, family.decimal_shift)) {
      return found;
    }
  }
  for (const auto families : {model::dcgm_families(), model::gpuscope_families()}) {
    for (const model::MetricsFamily& family : families) {
      if (family.source == model::FamilySource::kReading && family.name == name &&
          take(family.metric, family.binary_shift, family.decimal_shift)) {
        return found;
      }
    }
  }
  return std::nullopt;
}

// The expression without what stands in braces, brackets and quotes.
std::string bare(std::string_view expression) {
  std::string out;
  int depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '{' || c == '[') {
      ++depth;
      out += ' ';
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (depth == 0) {
      out += c;
    }
  }
  return out;
}

// The number behind the one comparison that there is.
std::optional<double> limit_of(std::string_view text) {
  const std::size_t at = text.find_first_of("<>");
  if (at == std::string_view::npos || text.find_first_of("<>", at + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + 1);
  text.remove_prefix(std::min(text.find_first_not_of("= "), text.size()));
  double limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  // Arithmetic behind it would be another limit.
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const bool whole = rest.find_first_not_of(" )\n\t") == std::string_view::npos;
  return error == std::errc{} && whole ? std::optional(limit) : std::nullopt;
}

double in_unit(const AlertMetric& metric, double value) {
  const int decimals = model::info(metric.metric).decimals + metric.decimal_shift;
  return value / std::pow(10, decimals) / static_cast<double>(1ULL << metric.binary_shift);
}

std::string_view uuid_of(const AlertStatus& alert) {
  for (const std::string_view name : {"gpu_uuid", "UUID", "uuid"}) {
    const std::string_view uuid = label_value(alert.labels, name);
    if (!uuid.empty()) return uuid;
  }
  return {};
}

// As messages call the GPU; without an index its UUID, which tells lines apart.
std::string line_name(const AlertStatus& alert) {
  return label_value(alert.labels, "gpu_index").empty() ? std::string(uuid_of(alert))
                                                        : wire::gpu_text(alert);
}

std::string number(double value) { return fmt::format("{:.4g}", value); }

struct Collected {
  Chart chart;
  std::vector<ChartKey> keys;
};

// Adds what one GPU did; nothing where nothing is known of it.
void add_line(Collected& all, const AlertMetric& metric, const AlertStatus& alert,
              const std::vector<SeriesBucket>& buckets) {
  std::vector<std::optional<double>> line;
  double low = 0;
  double high = 0;
  bool any = false;
  for (const SeriesBucket& bucket : buckets) {
    if (bucket.count == 0) {
      line.emplace_back();
      continue;
    }
    line.emplace_back(in_unit(metric, bucket.mean));
    const double least = in_unit(metric, static_cast<double>(bucket.min));
    const double most = in_unit(metric, static_cast<double>(bucket.max));
    low = any ? std::min(low, least) : least;
    high = any ? std::max(high, most) : most;
    any = true;
  }
  if (!any) return;
  const Color color = kLineColors.at(all.keys.size());
  std::string text = fmt::format("{}: {} to {}", line_name(alert), number(low), number(high));
  if (!metric.unit.empty()) text += " " + metric.unit;
  all.keys.push_back(
      {fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue), std::move(text)});
  all.chart.lines.push_back(std::move(line));
}

Collected collect(const AlertNotification& message, const AlertMetric& metric,
                  const model::SeriesReader& series, const model::TimeRange& range) {
  Collected all;
  all.chart.range = range;
  std::vector<std::string_view> seen;
  for (const AlertStatus& alert : message.alerts) {
    const std::string_view uuid = uuid_of(alert);
    if (all.keys.size() == kLineColors.size()) break;
    if (uuid.empty() || std::ranges::find(seen, uuid) != seen.end()) continue;
    seen.push_back(uuid);
    const auto buckets = series.buckets({std::string(uuid), metric.metric, 0}, range, kParts);
    if (buckets) add_line(all, metric, alert, *buckets);
  }
  return all;
}

// The first part with a value in any line.
std::size_t first_value(const Chart& chart) {
  std::size_t first = kParts;
  for (const auto& line : chart.lines) {
    const auto at = std::ranges::find_if(line, [](const auto& value) { return value.has_value(); });
    first = std::min(first, static_cast<std::size_t>(at - line.begin()));
  }
  return first;
}

std::string span_text(std::chrono::microseconds span) {
  const auto minutes = std::chrono::round<std::chrono::minutes>(span).count();
  constexpr long kHour = 60;
  return minutes % kHour == 0 ? fmt::format("{} hours", minutes / kHour)
                              : fmt::format("{} minutes", minutes);
}

}  // namespace

std::optional<AlertMetric> find_alert_metric(std::string_view expression) {
  const std::string text = bare(expression);
  std::optional<AlertMetric> found;
  bool plain = true;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_metric_char(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_metric_char(text[end])) ++end;
    const std::string_view word(text.data() + i, end - i);
    constexpr std::array<std::string_view, 12> kOther{
        "rate",   "irate",  "increase",         "delta",           "deriv", "changes", "count",
        "absent", "resets", "absent_over_time", "count_over_time", "stddev"};
    if (std::ranges::find(kOther, word) != kOther.end()) plain = false;
    if (!found) found = of_name(word);
    i = end;
  }
  if (!found) return std::nullopt;
  found->is_value = plain && text.find_first_of("/*") == std::string::npos;
  if (found->is_value) found->limit = limit_of(text);
  return found;
}

std::optional<MailChart> make_chart(const AlertNotification& message,
                                    const model::SeriesReader& series, WallTime now) {
  const AlertStatus& first = message.alerts.front();
  const auto metric = find_alert_metric(first.expression);
  if (!metric) return std::nullopt;
  model::TimeRange range{now - kSpan, now};
  Collected all = collect(message, *metric, series, range);
  if (all.keys.empty()) return std::nullopt;
  const auto part = (range.end - range.begin) / static_cast<std::int64_t>(kParts);
  const auto known = part * static_cast<std::int64_t>(kParts - first_value(all.chart));
  if (known < kSpan / 2) {
    const auto whole = std::chrono::ceil<std::chrono::minutes>(known);
    range.begin = now - std::max<std::chrono::microseconds>(whole, kShortest);
    all = collect(message, *metric, series, range);
    if (all.keys.empty()) return std::nullopt;
  }
  all.chart.percent = metric->unit == "%";
  all.chart.limit = metric->limit;
  all.chart.highlight = model::TimeRange{first.active_since, first.resolved_at.value_or(now)};
  MailChart made;
  made.png = wire::encode_png(draw_chart(all.chart));
  if (made.png.empty()) return std::nullopt;
  made.title = fmt::format("{}{}{}, last {}, UTC", model::info(metric->metric).label,
                           metric->unit.empty() ? "" : ", ", metric->unit,
                           span_text(range.end - range.begin));
  made.keys = std::move(all.keys);
  return made;
}

}  // namespace gpuscope::notify

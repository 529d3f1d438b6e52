#include "wire/range_document.h"

#include <cmath>
#include <cstdint>

#include "base/clock.h"
#include "base/decimal.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {
namespace {

using model::SeriesBucket;

constexpr std::uint32_t kMigShift = 16;
constexpr std::uint32_t kMigMask = 0xffff;
constexpr int kMeanDigits = 2;  // more than the metric has
constexpr double kMeanScale = 100;

std::int64_t scaled_mean(const SeriesBucket& bucket) {
  return std::llround(bucket.mean * kMeanScale);
}

base::WallTime begin_of(const RangeAnswer& answer, std::size_t part) {
  const double width = static_cast<double>((answer.range.end - answer.range.begin).count()) /
                       static_cast<double>(answer.points);
  return answer.range.begin +
         std::chrono::microseconds{std::llround(width * static_cast<double>(part))};
}

// One number per part; `value_of` gives that of a bucket that is not empty.
template <typename ValueOf>
void write_numbers(JsonWriter& json, std::string_view key, const RangeSeries& series, int decimals,
                   ValueOf value_of) {
  json.key(key).begin_array();
  for (const SeriesBucket& bucket : series.buckets) {
    if (bucket.count == 0) {
      json.null();
    } else {
      json.number(value_of(bucket), decimals);
    }
  }
  json.end_array();
}

}  // namespace

std::vector<Label> instance_labels(const model::SeriesKey& key) {
  const auto text = [](std::uint32_t number) { return std::to_string(number); };
  switch (model::info(key.metric).entity) {
    case model::Entity::kFan:
      return {{"fan", text(key.instance)}};
    case model::Entity::kLink:
      return {{"nvlink", text(key.instance)}};
    case model::Entity::kMigInstance:
      return {{"GPU_I_ID", text(key.instance >> kMigShift)},
              {"compute_instance", text(key.instance & kMigMask)}};
    default:
      return {};
  }
}

void append_range_json(std::string& out, const RangeAnswer& answer) {
  JsonWriter json(out);
  json.begin_object();
  json.key("start").time(answer.range.begin);
  json.key("end").time(answer.range.end);
  json.key("points").number(static_cast<std::int64_t>(answer.points));
  const double width = static_cast<double>((answer.range.end - answer.range.begin).count()) /
                       static_cast<double>(answer.points);
  json.key("step_seconds").number(std::llround(width), 6);
  json.key("series").begin_array();
  for (const RangeSeries& series : answer.series) {
    const model::MetricInfo& info = model::info(series.key.metric);
    json.begin_object();
    json.key("metric").string(info.key);
    json.key("unit").string(model::unit_name(info.unit));
    json.key("kind").string(model::kind_name(info.kind));
    json.key("gpu").string(series.key.gpu);
    json.key("simulated").boolean(series.simulated);
    for (const auto& [name, value] : instance_labels(series.key)) json.key(name).string(value);
    write_numbers(json, "min", series, info.decimals, [](const SeriesBucket& b) { return b.min; });
    if (info.kind == model::Kind::kGauge) {
      write_numbers(json, "mean", series, info.decimals + kMeanDigits, scaled_mean);
    } else {
      write_numbers(json, "last", series, info.decimals,
                    [](const SeriesBucket& b) { return b.last; });
    }
    write_numbers(json, "max", series, info.decimals, [](const SeriesBucket& b) { return b.max; });
    json.end_object();
  }
  json.end_array().end_object();
}

void append_range_csv(std::string& out, const RangeAnswer& answer) {
  out += "timestamp,gpu,metric,instance,min,mean,last,max\n";
  for (const RangeSeries& series : answer.series) {
    const model::MetricInfo& info = model::info(series.key.metric);
    std::string name = "," + series.key.gpu + "," + std::string(info.key) + ",";
    std::string_view between;
    for (const auto& [label, value] : instance_labels(series.key)) {
      name.append(between).append(value);
      between = "/";
    }
    for (std::size_t part = 0; part < series.buckets.size(); ++part) {
      const SeriesBucket& bucket = series.buckets[part];
      if (bucket.count == 0) continue;
      base::append_utc(out, begin_of(answer, part));
      out.append(name).append(",");
      base::append_decimal(out, bucket.min, info.decimals);
      out += ',';
      const bool gauge = info.kind == model::Kind::kGauge;
      if (gauge) base::append_decimal(out, scaled_mean(bucket), info.decimals + kMeanDigits);
      out += ',';
      if (!gauge) base::append_decimal(out, bucket.last, info.decimals);
      out += ',';
      base::append_decimal(out, bucket.max, info.decimals);
      out += '\n';
    }
  }
}

void append_series_json(std::string& out, const std::vector<std::vector<Label>>& series,
                        bool truncated) {
  JsonWriter json(out);
  json.begin_object();
  json.key("status").string("success");
  json.key("data").begin_array();
  for (const std::vector<Label>& labels : series) {
    json.begin_object();
    for (const auto& [name, value] : labels) json.key(name).string(value);
    json.end_object();
  }
  json.end_array();
  if (truncated) {
    json.key("warnings").begin_array().string("results truncated due to limit").end_array();
  }
  json.end_object();
}

void append_series_error(std::string& out, std::string_view type, std::string_view detail) {
  JsonWriter json(out);
  json.begin_object();
  json.key("status").string("error");
  json.key("errorType").string(type);
  json.key("error").string(detail);
  json.key("detail").string(detail);
  json.end_object();
}

}  // namespace gpuscope::wire

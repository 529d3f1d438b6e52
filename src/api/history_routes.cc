#include "api/history_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "api/range_request.h"
#include "api/responses.h"
#include "model/naming.h"
#include "model/uuid.h"
#include "wire/range_document.h"

namespace gpuscope::api {
namespace {

using base::ErrorKind;
using base::Result;
using model::SeriesKey;

constexpr std::string_view kCsv = "text/csv; charset=utf-8";

// The key of the catalogue, then the names elsewhere, none twice.
const std::vector<std::string_view>& names_of(model::Metric metric) {
  static const auto all = [] {
    std::array<std::vector<std::string_view>, model::kMetricCount> names;
    for (const model::MetricInfo& row : model::metrics()) {
      std::vector<std::string_view>& list = names[static_cast<std::size_t>(row.id)];
      list.push_back(row.key);
      for (const model::Family& family : model::gpu_metric_naming().families) {
        if (family.metric == row.id) list.push_back(family.name);
      }
      for (const std::string_view name : model::metrics_names(row.id)) {
        if (std::ranges::find(list, name) == list.end()) list.push_back(name);
      }
    }
    return names;
  }();
  return all[static_cast<std::size_t>(metric)];
}

// What a failure of the history becomes. A GPU that it does not know is the only one of the
// asker's.
http::Response history_failure(const base::Error& error) {
  return error.kind == ErrorKind::kNotFound ? http::error_response(404, "GPU not found")
                                            : http::error_response(503, error.message);
}

// Every series that is asked for, or the error.
Result<std::vector<SeriesKey>> keys_of(const model::SeriesReader& reader,
                                       const RangeRequest& request) {
  std::vector<SeriesKey> keys;
  std::vector<bool> found(request.gpus.size(), false);
  for (const model::Metric metric : request.metrics) {
    const auto known = reader.select({.gpu = std::nullopt, .metric = metric});
    if (!known) return std::unexpected(known.error());
    for (const SeriesKey& key : *known) {
      bool wanted = request.gpus.empty();
      for (std::size_t i = 0; i < request.gpus.size(); ++i) {
        if (!model::same_uuid(request.gpus[i], key.gpu)) continue;
        wanted = found[i] = true;
      }
      if (wanted) keys.push_back(key);
    }
  }
  if (std::ranges::all_of(found, [](bool is) { return is; })) return keys;
  // One that has none of these metrics is not one that was never there.
  const auto all = reader.select({});
  if (!all) return std::unexpected(all.error());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool there = found[i] || std::ranges::any_of(*all, [&](const SeriesKey& key) {
                         return model::same_uuid(request.gpus[i], key.gpu);
                       });
    if (!there) return base::fail(ErrorKind::kNotFound, "cannot find the GPU " + request.gpus[i]);
  }
  return keys;
}

// The same without a look at all that there is, where whole UUIDs of GPUs are given.
std::vector<SeriesKey> obvious_keys(const RangeRequest& request) {
  std::vector<SeriesKey> keys;
  for (const model::Metric metric : request.metrics) {
    if (model::info(metric).entity != model::Entity::kGpu) return {};
    for (const std::string& gpu : request.gpus) {
      if (!gpu.starts_with("GPU-")) return {};
      keys.push_back({gpu, metric, 0});
    }
  }
  return keys;
}

Result<void> check_size(std::size_t series, std::size_t points) {
  if (series * points <= HistoryRoutes::kMaxAnswerPoints) return {};
  return base::fail(
      ErrorKind::kInvalidArgument,
      fmt::format("cannot answer with {} series of {} points: {} points in all are the limit; ask "
                  "for fewer points, metrics or GPUs",
                  series, points, HistoryRoutes::kMaxAnswerPoints));
}

// Reads all series; kDeadlineExceeded when it takes too long.
Result<std::vector<wire::RangeSeries>> read_all(const model::SeriesReader& reader,
                                                const RangeRequest& request,
                                                const std::vector<SeriesKey>& keys,
                                                const base::Clock& clock,
                                                base::SteadyTime deadline) {
  std::vector<wire::RangeSeries> series;
  for (const SeriesKey& key : keys) {
    if (clock.steady_now() > deadline) {
      return base::fail(ErrorKind::kDeadlineExceeded,
                        fmt::format("cannot read {} series in {} s: ask for fewer metrics or GPUs, "
                                    "or for less time",
                                    keys.size(), HistoryRoutes::kQueryLimit.count()));
    }
    auto buckets = reader.buckets(key, request.range, request.points);
    if (!buckets) return std::unexpected(std::move(buckets.error()));
    series.push_back({.key = key, .buckets = std::move(*buckets)});
  }
  return series;
}

// Which GPUs are not real, each asked for once.
class Simulated {
 public:
  explicit Simulated(const std::function<bool(const std::string&)>& ask) : ask_(ask) {}

  bool operator()(const std::string& gpu) {
    if (!ask_) return false;
    const auto [at, fresh] = known_.try_emplace(gpu, false);
    if (fresh) at->second = ask_(gpu);
    return at->second;
  }

 private:
  const std::function<bool(const std::string&)>& ask_;
  std::map<std::string, bool> known_;
};

http::Response range_answer(const model::SeriesReader& reader, const RangeRequest& request,
                            const base::Clock& clock, Simulated simulated) {
  const base::SteadyTime deadline = clock.steady_now() + HistoryRoutes::kQueryLimit;
  Result<std::vector<wire::RangeSeries>> series = base::fail(ErrorKind::kNotFound, "");
  if (const auto keys = obvious_keys(request); !keys.empty()) {
    if (const auto fits = check_size(keys.size(), request.points); !fits) {
      return http::error_response(400, fits.error().message);
    }
    series = read_all(reader, request, keys, clock, deadline);
  }
  if (!series && series.error().kind == ErrorKind::kNotFound) {
    const auto keys = keys_of(reader, request);
    if (!keys) return history_failure(keys.error());
    if (const auto fits = check_size(keys->size(), request.points); !fits) {
      return http::error_response(400, fits.error().message);
    }
    series = read_all(reader, request, *keys, clock, deadline);
  }
  if (!series) return history_failure(series.error());
  for (wire::RangeSeries& each : *series) each.simulated = simulated(each.key.gpu);
  std::string body;
  const wire::RangeAnswer answer{request.range, request.points, std::move(*series)};
  if (request.csv) {
    wire::append_range_csv(body, answer);
  } else {
    wire::append_range_json(body, answer);
  }
  return http::text_response(200, request.csv ? kCsv : kJsonType, std::move(body));
}

std::string key_of(const http::Request& request, bool csv) {
  return fmt::format("{} {} {}", request.target, csv ? "csv" : "json", request.accepts_gzip);
}

}  // namespace

std::optional<model::Metric> metric_of_name(std::string_view name) {
  if (const auto metric = model::find_metric(name)) return metric;
  static const auto metrics_by_name = [] {
    std::map<std::string_view, model::Metric> metrics;
    for (const model::MetricInfo& row : model::metrics()) {
      // A name that holds parts of several metrics is of none of them.
      for (const std::string_view each : names_of(row.id)) {
        if (const auto [at, fresh] = metrics.emplace(each, row.id); !fresh) {
          at->second = model::Metric::kProcessMemory;
        }
      }
    }
    std::erase_if(metrics, [](const auto& entry) {
      return model::info(entry.second).entity == model::Entity::kProcess;
    });
    return metrics;
  }();
  const auto found = metrics_by_name.find(name);
  return found == metrics_by_name.end() ? std::nullopt : std::optional(found->second);
}

base::Result<void> HistoryRoutes::start(base::Clock& clock, HistorySetup setup) {
  clock_ = &clock;
  setup_ = std::move(setup);
  if (!setup_.open) return {};
  for (std::size_t i = 0; i < setup_.answers.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->reader = setup_.open();
  }
  return answers_.start(clock, setup_.answers, setup_.wake);
}

void HistoryRoutes::stop() {
  answers_.stop();
  workers_.clear();
}

std::optional<http::Response> HistoryRoutes::range(const http::Request& request) {
  if (!setup_.open) return http::error_response(503, setup_.why_none);
  auto parsed = parse_range_request(request, clock_->wall_now(), setup_.interval);
  if (!parsed) return http::error_response(400, parsed.error().message);
  const bool gzip = request.accepts_gzip;
  return answers_.answer(key_of(request, parsed->csv), request, [&] {
    return [this, gzip, asked = std::move(*parsed)](std::size_t number) {
      Worker& own = worker(number);
      http::Response response =
          range_answer(*own.reader, asked, *clock_, Simulated(setup_.is_simulated));
      response.headers.emplace_back("Vary", "Accept");
      if (gzip) compress(own.gzip, response);
      return response;
    };
  });
}

}  // namespace gpuscope::api

#include "api/history_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "api/range_request.h"
#include "api/series_selector.h"
#include "model/naming.h"
#include "wire/range_document.h"

namespace gpuscope::api {
namespace {

using base::ErrorKind;
using base::Result;
using model::SeriesKey;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kCsv = "text/csv; charset=utf-8";
constexpr std::size_t kSmallestGzip = 1024;
constexpr std::string_view kPrefix = "GPU-";

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

bool same_gpu(std::string_view left, std::string_view right) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto bare = [&](std::string_view uuid) {
    const bool prefixed =
        uuid.size() > kPrefix.size() &&
        std::ranges::equal(uuid.substr(0, kPrefix.size()), kPrefix, {}, lower, lower);
    return prefixed ? uuid.substr(kPrefix.size()) : uuid;
  };
  return std::ranges::equal(bare(left), bare(right), {}, lower, lower);
}

// What a failure of the history becomes. A GPU that it does not know is the only one of the
// asker's.
http::Response failure(const base::Error& error) {
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
        if (!same_gpu(request.gpus[i], key.gpu)) continue;
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
                         return same_gpu(request.gpus[i], key.gpu);
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
      if (!gpu.starts_with(kPrefix)) return {};
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
    if (!keys) return failure(keys.error());
    if (const auto fits = check_size(keys->size(), request.points); !fits) {
      return http::error_response(400, fits.error().message);
    }
    series = read_all(reader, request, *keys, clock, deadline);
  }
  if (!series) return failure(series.error());
  for (wire::RangeSeries& each : *series) each.simulated = simulated(each.key.gpu);
  std::string body;
  const wire::RangeAnswer answer{request.range, request.points, std::move(*series)};
  if (request.csv) {
    wire::append_range_csv(body, answer);
  } else {
    wire::append_range_json(body, answer);
  }
  return http::text_response(200, request.csv ? kCsv : kJson, std::move(body));
}

http::Response bad_data(std::string_view detail) {
  std::string body;
  wire::append_series_error(body, "bad_data", detail);
  return http::text_response(400, kJson, std::move(body));
}

// The names under which a selector finds a series: all that fit, or just the key where it says
// nothing of the name.
void add_names(const SeriesSelector& selector, const SeriesKey& key,
               std::vector<std::string_view>& names) {
  const auto add = [&](std::string_view name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  if (!selector.names()) return add(model::info(key.metric).key);
  for (const std::string_view name : names_of(key.metric)) {
    if (selector.fits_name(name)) add(name);
  }
}

http::Response series_answer(const model::SeriesReader& reader,
                             const std::vector<SeriesSelector>& selectors, std::size_t limit,
                             Simulated simulated) {
  const auto keys = reader.select({});
  if (!keys) {
    std::string body;
    wire::append_series_error(body, "unavailable", keys.error().message);
    return http::text_response(503, kJson, std::move(body));
  }
  std::vector<std::vector<wire::Label>> found;
  bool truncated = false;
  for (const SeriesKey& key : *keys) {
    std::vector<wire::Label> labels = wire::instance_labels(key);
    labels.insert(labels.begin(), wire::Label{"gpu_uuid", key.gpu});
    if (simulated(key.gpu)) labels.emplace_back("simulated", "true");
    const auto label_of = [&](std::string_view name) -> std::string_view {
      const auto at = std::ranges::find(labels, name, &wire::Label::first);
      return at == labels.end() ? std::string_view() : std::string_view(at->second);
    };
    std::vector<std::string_view> names;
    for (const SeriesSelector& selector : selectors) {
      if (selector.fits_labels(label_of)) add_names(selector, key, names);
    }
    for (const std::string_view name : names) {
      truncated = found.size() >= limit;
      if (truncated) break;
      found.push_back(labels);
      found.back().insert(found.back().begin(), wire::Label{"__name__", std::string(name)});
    }
    if (truncated) break;
  }
  std::string body;
  wire::append_series_json(body, found, truncated);
  return http::text_response(200, kJson, std::move(body));
}

// Compressed, where the asker takes that and it pays.
void compress(wire::Gzip& gzip, http::Response& response) {
  if (response.body->size() < kSmallestGzip) return;
  std::string packed;
  if (!gzip.append(*response.body, packed)) return;
  response.body = std::make_shared<const std::string>(std::move(packed));
  response.gzip = true;
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

void HistoryRoutes::start(base::Clock& clock, HistorySetup setup) {
  clock_ = &clock;
  setup_ = std::move(setup);
  if (!setup_.open) return;
  for (std::size_t i = 0; i < setup_.answers.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->reader = setup_.open();
  }
  answers_.start(clock, setup_.answers, setup_.wake);
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

std::optional<http::Response> HistoryRoutes::series(const http::Request& request) {
  if (!setup_.open) return http::error_response(503, setup_.why_none);
  std::vector<SeriesSelector> selectors;
  std::size_t limit = kMaxSeries;
  for (const auto& [name, text] : request.query) {
    if (name == "match[]") {
      auto selector = SeriesSelector::parse(text);
      if (!selector) return bad_data(selector.error().message);
      selectors.push_back(std::move(*selector));
    }
    if (name != "limit") continue;
    std::size_t asked = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), asked);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return bad_data(fmt::format("cannot use limit: '{}' is not a whole number", text));
    }
    // As Prometheus has it: 0 is no limit of the asker's.
    if (asked != 0) limit = std::min(asked, kMaxSeries);
  }
  if (selectors.empty()) {
    return bad_data(
        "cannot tell which series: give match[], such as match[]=power_watts or "
        "match[]={gpu_uuid=~\".+\"}");
  }
  const bool gzip = request.accepts_gzip;
  return answers_.answer(key_of(request, false), request, [&] {
    return [this, gzip, limit, asked = std::move(selectors)](std::size_t number) {
      Worker& own = worker(number);
      http::Response response =
          series_answer(*own.reader, asked, limit, Simulated(setup_.is_simulated));
      if (gzip) compress(own.gzip, response);
      return response;
    };
  });
}

}  // namespace gpuscope::api

// What expressions over the history cost.
//
//   bench_query               100 rules over 64 GPUs, evaluated at one instant
//   bench_query --range URL SECONDS   a range of a day of one metric of 8 GPUs, over HTTP from this
//   program
//                             and from the Prometheus at URL, which is given the same samples first
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/query_routes.h"
#include "base/clock.h"
#include "base/temporary_folder.h"
#include "history/reader.h"
#include "history/store.h"
#include "http/server.h"
#include "http/web_client.h"
#include "model/snapshot.h"
#include "prom/series_views.h"
#include "prom/tick_batch.h"
#include "query/query.h"
#include "query/stored_series.h"

namespace gpuscope::bench {
namespace {

using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

constexpr base::WallTime kBegin{seconds{1'700'000'000}};
constexpr double kMsPerSecond = 1000;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_query: %s\n", why.c_str());
  std::exit(1);
}
template <typename T>
T must(base::Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double ms_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count() * kMsPerSecond;
}

// The median and the worst of many times.
template <typename Do>
std::pair<double, double> measure(int times, Do work) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i) {
    const auto begin = SteadyClock::now();
    work();
    all.push_back(ms_since(begin));
  }
  std::ranges::sort(all);
  return {all[all.size() / 2], all.back()};
}

// A machine whose metrics of every tick wander.
class Machine {
 public:
  explicit Machine(std::size_t gpus) {
    inventory_->method = "bench";
    for (std::size_t i = 0; i < gpus; ++i) {
      model::GpuInfo& info = inventory_->gpus.emplace_back();
      info.fact(model::Fact::kUuid) =
          model::Text::of(fmt::format("GPU-8a3fbeef-4e5f-6172-8192-3344556677{:02}", i));
      info.fact(model::Fact::kName) = model::Text::of("NVIDIA H100 80GB HBM3");
    }
    snapshot_.inventory = inventory_;
    snapshot_.devices.resize(gpus);
    snapshot_.verdicts.resize(gpus);
  }

  const model::Snapshot& at(base::WallTime time) {
    snapshot_.time = time;
    ++snapshot_.sequence;
    for (std::size_t i = 0; i < snapshot_.devices.size(); ++i) {
      const double phase = static_cast<double>(snapshot_.sequence) / 40 + static_cast<double>(i);
      const auto wave = [&](double base, double swing) {
        return model::Reading::of(std::llround(base + swing * std::sin(phase)));
      };
      model::DeviceSample& device = snapshot_.devices[i];
      device.at(model::Metric::kTemperature) = wave(650, 200);
      device.at(model::Metric::kPower) = wave(400'000, 250'000);
      device.at(model::Metric::kGpuUtilization) = wave(6000, 4000);
      device.at(model::Metric::kMemoryUsed) = wave(4e10, 3e10);
      device.at(model::Metric::kMemoryTotal) = model::Reading::of(85'520'809'984);
      device.at(model::Metric::kMemoryUsagePercent) = wave(5000, 4000);
      device.at(model::Metric::kFanSpeed) = wave(3000, 2000);
      device.at(model::Metric::kXidErrors) = model::Reading::of(0);
      device.at(model::Metric::kEnergy) =
          model::Reading::of(static_cast<std::int64_t>(snapshot_.sequence) * 400'000);
    }
    return snapshot_;
  }

  const std::shared_ptr<model::Inventory>& inventory() const { return inventory_; }

 private:
  std::shared_ptr<model::Inventory> inventory_ = std::make_shared<model::Inventory>();
  model::Snapshot snapshot_;
};

// A history of a machine in a folder of its own.
class Kept {
 public:
  Kept(std::size_t gpus, std::size_t ticks, seconds interval) : machine_(gpus) {
    history::StoreOptions options;
    options.path = folder_ / "history.db";
    auto live = std::make_shared<history::LiveBlock>();
    store_ = must(history::Store::open(options, live));
    for (std::size_t tick = 0; tick < ticks; ++tick) {
      end_ = kBegin + interval * static_cast<int>(tick);
      base::Result<void> outcome;
      store_->append(machine_.at(end_), outcome);
      if (store_->is_due()) outcome = store_->commit();
      must(outcome);
    }
    reader_ = std::make_shared<history::HistoryReader>(options.path, live);
    const prom::Labels labels{{"instance", "node-1:9555"}, {"job", "gpuscope"}};
    const auto keys = must(reader_->select({}));
    const auto index = std::make_shared<const query::ViewIndex>(prom::series_views(
        {.hostname = "node-1", .counters = {}}, labels, machine_.inventory(), keys));
    series_ = std::make_shared<query::StoredSeries>(query::StoredSource{
        .reader = reader_,
        .health = std::bind_front(&history::HistoryReader::visit_health, reader_),
        .views = [index] { return base::Result<std::shared_ptr<const query::ViewIndex>>(index); }});
  }
  const std::shared_ptr<const model::LabelledSeriesReader>& series() const { return series_; }
  std::int64_t end_ms() const {
    return std::chrono::floor<std::chrono::milliseconds>(end_).time_since_epoch().count();
  }

 private:
  Machine machine_;
  base::TemporaryFolder folder_;
  std::unique_ptr<history::Store> store_;
  std::shared_ptr<history::HistoryReader> reader_;
  std::shared_ptr<const model::LabelledSeriesReader> series_;
  base::WallTime end_{};
};

// As people write them: thresholds of ten kinds, each for ten values.
std::vector<query::Expression> rules() {
  std::vector<query::Expression> all;
  for (int i = 0; i < 10; ++i) {
    for (const char* const form :
         {"max without (gpu_health) (gpu_temperature_celsius{{gpu_uuid!=\"\"}}) > 8{}",
          "max without (gpu_health) (gpu_power_watts{{gpu_uuid!=\"\"}}) > 35{}",
          "max without (gpu_health) (gpu_utilization_percent{{gpu_uuid!=\"\"}}) > 9{}",
          "max without (gpu_health) (gpu_memory_usage_percent{{gpu_uuid!=\"\"}}) > 9{}",
          "max without (gpu_health) (gpu_fan_speed{{gpu_uuid!=\"\"}}) < 50{}",
          "max without (gpu_health) (gpu_health_status{{gpu_uuid!=\"\"}}) == {}",
          "(max_over_time(gpu_power_watts[5m]) - min_over_time(gpu_power_watts[5m])) > 5{}",
          "increase(gpuscope_gpu_xid_errors_total[5m]) > {}",
          "gpu_memory_used_mib > 1000 and on (gpu_uuid) gpu_utilization_percent < {}",
          "sum by (gpu_name) (rate(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION[5m])) / 1000 > {}"}) {
      all.push_back(must(query::Expression::parse(fmt::format(fmt::runtime(form), i))));
    }
  }
  return all;
}

void run_rules() {
  constexpr std::size_t kGpus = 64;
  constexpr std::size_t kTicks = 1800;
  const Kept kept(kGpus, kTicks, seconds{1});
  const auto expressions = rules();
  std::size_t found = 0;
  double reading = 0;
  const auto [median, worst] = measure(21, [&] {
    query::Querier querier(*kept.series(), kept.end_ms());
    const auto begin = SteadyClock::now();
    must(querier.read(expressions));
    reading = ms_since(begin);
    found = 0;
    for (const auto& expression : expressions) found += must(querier.vector(expression)).size();
  });
  fmt::print("{} rules over {} GPUs: {:.1f} ms (worst {:.1f}; {:.1f} of it reads), {} samples\n",
             expressions.size(), kGpus, median, worst, reading, found);
}

void write_to(const std::string& url, http::WebClient& client, std::size_t ticks,
              seconds interval) {
  Machine machine(8);
  prom::TickBatch batch({.hostname = "node-1", .counters = {}},
                        {{"instance", "node-1:9555"}, {"job", "gpuscope"}});
  prom::WriteRequest request;
  for (std::size_t tick = 0; tick < ticks; ++tick) {
    batch.add(machine.at(kBegin + interval * static_cast<int>(tick)));
    if (batch.ticks() < 100 && tick + 1 < ticks) continue;
    std::size_t from = 0;
    while (batch.next_request(from, 4'000'000, request)) {
      const auto response = must(client.send({.method = "POST",
                                              .url = url + "/api/v1/write",
                                              .headers = {{"Content-Encoding", "snappy"}},
                                              .body = request.compressed()}));
      if (response.status / 100 != 2) give_up(response.body);
    }
    batch.clear();
  }
}

void run_range(const std::string& url, seconds interval) {
  const auto ticks = static_cast<std::size_t>(86'400 / interval.count());
  http::WebClientOptions options;
  options.max_body_bytes = 64'000'000;
  const auto client = must(http::WebClient::create(options));
  write_to(url, *client, ticks, interval);
  const Kept kept(8, ticks, interval);
  base::SystemClock clock;
  api::QueryRoutes routes;
  const auto server = must(http::Server::listen(
      {.port = 0}, [&](const http::Request& request) { return routes.query_range(request); }));
  routes.start(clock, {.series = kept.series(), .wake = [&] { server->wake(); }});
  server->start();
  const std::int64_t end = kept.end_ms() / 1000;
  for (const char* const expression :
       {"DCGM_FI_DEV_GPU_TEMP", "avg_over_time(DCGM_FI_DEV_GPU_TEMP%5B5m%5D)"}) {
    std::size_t bytes = 0;
    const auto ask = [&](const std::string& base) {
      return measure(41, [&] {
        const auto response = must(client->send(
            {.url = fmt::format("{}/api/v1/query_range?query={}&start={}&end={}&step=60", base,
                                expression, end - 86'400, end)}));
        if (response.status != 200) give_up(response.body);
        bytes = response.body.size();
      });
    };
    const auto ours = ask(fmt::format("http://127.0.0.1:{}", server->port()));
    const std::size_t our_bytes = bytes;
    const auto theirs = ask(url);
    fmt::print(
        "{} of a day, a tick every {} s: {:.2f} ms (worst {:.2f}), Prometheus {:.2f} ms "
        "(worst {:.2f}), ratio {:.2f}; {} and {} bytes\n",
        expression, interval.count(), ours.first, ours.second, theirs.first, theirs.second,
        theirs.first / ours.first, our_bytes, bytes);
  }
  server->stop();
  routes.stop();
}

}  // namespace
}  // namespace gpuscope::bench

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--range" && argc == 4) {
    gpuscope::bench::run_range(argv[2], std::chrono::seconds(std::atoi(argv[3])));
  } else if (first.empty()) {
    gpuscope::bench::run_rules();
  } else {
    gpuscope::bench::give_up("bench_query [--range URL SECONDS]");
  }
  return 0;
}

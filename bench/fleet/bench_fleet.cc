// What a pass over a fleet costs. `run` calls it; each call prints one line of numbers.
//
//   bench_fleet generate om|vm GPUS END
//     samples of six metrics, 30 s apart, to standard output
//   bench_fleet pass URL END
//     one warm-up and one measured pass, and what serving it costs
//   bench_fleet per-gpu URL END GPUS
//     six range queries for each of the first GPUS GPUs, on 8 connections
//   bench_fleet parse GPUS
//     an answer of so many GPUs, parsed
#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "analyze/score.h"
#include "base/clock.h"
#include "http/web_client.h"
#include "prom/prometheus_reader.h"
#include "prom/vector_parser.h"
#include "wire/fleet_document.h"
#include "wire/fleet_metrics.h"

namespace {

using namespace gpuscope;

constexpr std::array<std::string_view, 6> kNames{
    "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_MEM_COPY_UTIL", "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",  "DCGM_FI_DEV_POWER_USAGE",   "DCGM_FI_DEV_SM_CLOCK"};
constexpr int kSamples = 34;  // of a window and a third
constexpr int kStepSeconds = 30;

// A mix of idle, hardly used, half used and busy GPUs; the same for the same arguments.
double value_of(std::size_t metric, std::size_t gpu, int sample) {
  constexpr std::array<double, 4> kUse{0, 8, 55, 97};
  const double use = kUse[gpu * 2654435761U % 4];
  const double noise =
      static_cast<double>((gpu * 31 + metric * 17 + static_cast<std::size_t>(sample) * 7) % 5);
  switch (metric) {
    case 0:
      return use > 0 ? use - 2 + noise : 0;
    case 1:
      return use * 0.4;
    case 2:
      return 600 + use * 700;
    case 3:
      return 80'000 - use * 700;
    case 4:
      return 75 + use * 5 + noise;
    default:
      return use > 50 ? 1980 : 345;
  }
}

std::string uuid_of(std::size_t gpu) {
  return fmt::format("GPU-{:08x}-1111-2222-3333-{:012x}", gpu * 2654435761U % 0x100000000U, gpu);
}

std::string labels_of(std::size_t gpu, std::string_view equals) {
  const std::size_t node = gpu / 8;
  std::string out;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!out.empty()) out += ',';
    out += equals == ":" ? fmt::format("\"{}\":\"{}\"", name, value)
                         : fmt::format("{}=\"{}\"", name, value);
  };
  add("gpu", std::to_string(gpu % 8));
  add("UUID", uuid_of(gpu));
  add("pci_bus_id", fmt::format("00000000:{:02X}:00.0", 0x1b + gpu % 8 * 0x10));
  add("device", fmt::format("nvidia{}", gpu % 8));
  add("modelName", "NVIDIA H100 80GB HBM3");
  add("Hostname", fmt::format("gpu-node-{:05}", node));
  add("container", "trainer");
  add("namespace", fmt::format("team-{:02}", node % 37));
  add("pod", fmt::format("train-job-{:05}-worker-{}", node / 4, gpu % 8));
  add("instance", fmt::format("10.{}.{}.{}:9400", node >> 16, node >> 8 & 255, node & 255));
  add("job", "dcgm-exporter");
  return out;
}

void generate(bool open_metrics, std::size_t gpus, long end) {
  for (std::size_t metric = 0; metric < kNames.size(); ++metric) {
    if (open_metrics) fmt::print("# TYPE {} gauge\n", kNames[metric]);
    for (std::size_t gpu = 0; gpu < gpus; ++gpu) {
      const std::string labels = labels_of(gpu, open_metrics ? "=" : ":");
      std::string values;
      std::string times;
      for (int i = 0; i < kSamples; ++i) {
        const long time = end - (kSamples - 1 - i) * kStepSeconds;
        const double value = value_of(metric, gpu, i);
        if (open_metrics) {
          fmt::print("{}{{{}}} {} {}\n", kNames[metric], labels, value, time);
        } else {
          values += fmt::format("{}{}", i > 0 ? "," : "", value);
          times += fmt::format("{}{}000", i > 0 ? "," : "", time);
        }
      }
      if (!open_metrics) {
        fmt::print(R"({{"metric":{{"__name__":"{}",{}}},"values":[{}],"timestamps":[{}]}})",
                   kNames[metric], labels, values, times);
        fmt::print("\n");
      }
    }
  }
  if (open_metrics) fmt::print("# EOF\n");
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

class Stopwatch {
 public:
  double wall() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }
  double cpu() const { return cpu_seconds() - cpu_; }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

int fail(const base::Error& error) {
  fmt::print(stderr, "bench_fleet: {}\n", error.message);
  return 1;
}

int pass(const std::string& url, long end) {
  base::SystemClock clock;
  prom::ReaderOptions options;
  options.engine.url = url;
  auto reader = prom::PrometheusReader::create(clock, options);
  if (!reader) return fail(reader.error());
  const base::WallTime time{std::chrono::seconds(end)};
  if (auto warm = (*reader)->read({.end = time}); !warm) return fail(warm.error());
  const Stopwatch watch;
  auto answer = (*reader)->read({.end = time});
  if (!answer) return fail(answer.error());
  const std::size_t requests = answer->requests;
  const std::uint64_t bytes = answer->bytes;
  std::vector<model::GpuUse> gpus;
  gpus.reserve(answer->gpus.size());
  for (model::GpuUsage& usage : answer->gpus)
    gpus.push_back(analyze::judge(std::move(usage), {}, time));
  answer->gpus = {};
  analyze::sort_by_score(gpus);
  const model::UseStats stats = analyze::stats_of(gpus, {});
  const double wall = watch.wall();
  const double cpu = watch.cpu();
  const double peak = peak_megabytes();
  const Stopwatch encoding;
  std::string out;
  wire::append_results(out, gpus);
  const std::size_t results = out.size();
  wire::append_fleet_metrics(out, gpus, stats, {}, {.version = "1"},
                             wire::MetricsFormat::kPrometheus);
  fmt::print(
      "gpus={} requests={} bytes={} wall={:.4f} cpu={:.4f} peak_mb={:.1f} score={:.4f} "
      "results_mb={:.1f} "
      "metrics_mb={:.1f} encode={:.4f}\n",
      gpus.size(), requests, bytes, wall, cpu, peak, stats.average_score.value_or(-1),
      static_cast<double>(results) / 1e6, static_cast<double>(out.size() - results) / 1e6,
      encoding.wall());
  return 0;
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Of a range query's one series.
std::optional<double> mean_of(const std::string& body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (document.is_discarded() || document["data"]["result"].empty()) return std::nullopt;
  double sum = 0;
  const auto& values = document["data"]["result"][0]["values"];
  for (const auto& pair : values) sum += number<double>(pair[1].get_ref<const std::string&>());
  return sum / static_cast<double>(values.size());
}

int per_gpu(const std::string& url, long end, std::size_t gpus) {
  constexpr std::size_t kConnections = 8;
  std::atomic<std::size_t> next = 0;
  std::atomic<std::size_t> failures = 0;
  const Stopwatch watch;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kConnections; ++i) {
    threads.emplace_back([&] {
      auto client = http::WebClient::create({});
      for (std::size_t query = next++; query < gpus * kNames.size(); query = next++) {
        const auto answer = (*client)->send(
            {.url = fmt::format(
                 "{}/api/v1/"
                 "query_range?query={}%7BUUID%3D%22{}%22,pod!%3D%22%22%7D&start={}&end={}&step=30s",
                 url, kNames[query % kNames.size()], uuid_of(query / kNames.size()), end - 600,
                 end)});
        if (!answer || answer->status != 200 || !mean_of(answer->body)) ++failures;
      }
    });
  }
  threads.clear();
  fmt::print("gpus={} requests={} failures={} wall={:.4f} cpu={:.4f}\n", gpus, gpus * kNames.size(),
             failures.load(), watch.wall(), watch.cpu());
  return 0;
}

int parse(std::size_t gpus) {
  constexpr std::size_t kReadBytes = 16'384;
  constexpr int kRounds = 40;
  std::string text = R"({"status":"success","data":{"resultType":"vector","result":[)";
  for (std::size_t gpu = 0; gpu < gpus; ++gpu) {
    text +=
        fmt::format(R"({}{{"metric":{{{}}},"value":[1795337910.781,"{}"]}})", gpu > 0 ? "," : "",
                    labels_of(gpu, ":"), value_of(0, gpu, 0) + 0.380952380952381);
  }
  text += "]}}";
  double best = 1e9;
  std::size_t series = 0;
  for (int round = 0; round < kRounds; ++round) {
    series = 0;
    const Stopwatch watch;
    prom::VectorParser parser([&](const prom::LabelViews&, double) { ++series; });
    const std::string_view all(text);
    for (std::size_t at = 0; at < all.size(); at += kReadBytes)
      parser.add(all.substr(at, kReadBytes));
    if (auto notes = parser.finish(); !notes) return fail(notes.error());
    best = std::min(best, watch.wall());
  }
  fmt::print("series={} bytes={} gb_per_s={:.3f} peak_mb={:.1f}\n", series, text.size(),
             static_cast<double>(text.size()) / best / 1e9, peak_megabytes());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::size_t count = arguments.size();
  if (count == 4 && arguments[0] == "generate") {
    generate(arguments[1] == "om", number<std::size_t>(arguments[2]), number<long>(arguments[3]));
    return 0;
  }
  if (count == 3 && arguments[0] == "pass") return pass(arguments[1], number<long>(arguments[2]));
  if (count == 4 && arguments[0] == "per-gpu") {
    return per_gpu(arguments[1], number<long>(arguments[2]), number<std::size_t>(arguments[3]));
  }
  if (count == 2 && arguments[0] == "parse") return parse(number<std::size_t>(arguments[1]));
  fmt::print(stderr, "usage: see the head of bench_fleet.cc\n");
  return 2;
}

// How long metrics take to write, against a memcpy of the same bytes, against the plain way
// (prefixes prebuilt, std::to_chars) and against prometheus-cpp, all in one run: /gpu/metric, and a
// document of forty families; and what gzip costs and gains at each level. Prints; asserts nothing.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/scenario.h"
#include "device/sim/machine.h"
#include "model/naming.h"
#include "wire/gzip.h"
#include "wire/prometheus_text.h"
#include "wire/query_document.h"
#include "wire/rest.h"

#ifdef GPUSCOPE_BENCH_PROMETHEUS_CPP
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#endif

namespace gpuscope {
namespace {

using Clock = std::chrono::steady_clock;

// The best of many short rounds of `run`, in nanoseconds a run: what the code costs when nothing
// else runs, also on a machine where something does.
double nanoseconds(const std::function<void()>& run) {
  const auto round = [&](int times) {
    const auto start = Clock::now();
    for (int i = 0; i < times; ++i) run();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / times;
  };
  const double first = std::max(round(1), 1.0);
  const int times = static_cast<int>(std::clamp(2e5 / first, 1.0, 1e5));
  const int rounds = static_cast<int>(std::clamp(1e9 / (first * times), 5.0, 500.0));
  double best = first;
  for (int i = 0; i < rounds; ++i) best = std::min(best, round(times));
  return best;
}

// Forty metrics that move, under the labels of /gpu/metric.
model::Naming forty_families() {
  static const std::vector<model::Family> kFamilies = [] {
    std::vector<model::Family> families;
    for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
      if (row.cadence != model::Cadence::kTick || families.size() == 40) continue;
      families.push_back({row.id, row.key, row.key, row.help});
    }
    return families;
  }();
  return {kFamilies, model::gpu_metric_naming().labels};
}

// Ticks of one machine, a second apart, over and over.
class Machine {
 public:
  // As a simulated training has them: what moves does, and the rest stands.
  explicit Machine(std::size_t gpus) : Machine(gpus, [](auto&) {}) {}
  // With every value of every tick another one: lengths and digits differ from line to line.
  static Machine restless(std::size_t gpus) {
    std::uint64_t random = 1;
    return Machine(gpus, [random](model::DeviceSample& device) mutable {
      for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
        random = random * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        device.at(row.id) =
            model::Reading::of(value(row.unit, static_cast<std::int64_t>(random >> 33)));
      }
    });
  }

  const model::Snapshot& snapshot() const { return snapshots_[at_]; }
  const model::Snapshot& next() {
    at_ = (at_ + 1) % snapshots_.size();
    return snapshots_[at_];
  }

 private:
  template <typename Change>
  Machine(std::size_t gpus, Change change) {
    device::sim::Options options;
    options.gpus = static_cast<int>(gpus);
    options.scenario = *config::load_scenario("training");
    const device::sim::Machine machine(options);
    auto inventory = std::make_shared<model::Inventory>();
    for (std::size_t gpu = 0; gpu < gpus; ++gpu) inventory->gpus.push_back(machine.info(gpu));
    snapshots_.resize(gpus > 8 ? 2 : 4);  // few: a snapshot that was just taken is in the cache
    base::WallTime time = device::sim::kBoot + std::chrono::hours(1000);
    for (model::Snapshot& snapshot : snapshots_) {
      snapshot.inventory = inventory;
      snapshot.devices.resize(gpus);
      snapshot.verdicts.resize(gpus);
      for (std::size_t gpu = 0; gpu < gpus; ++gpu) {
        machine.read(gpu, time, snapshot.devices[gpu]);
        change(snapshot.devices[gpu]);
        snapshot.verdicts[gpu].overall = model::Health::kHealthy;
      }
      time += std::chrono::seconds(1);
    }
  }

  static std::int64_t value(model::Unit unit, std::int64_t random) {
    switch (unit) {
      case model::Unit::kWatts:
        return 60'000 + random % 640'000;
      case model::Unit::kCelsius:
        return 300 + random % 600;
      case model::Unit::kMegahertz:
        return 210 + random % 1'770;
      case model::Unit::kPercent:
        return random % 10'001;
      case model::Unit::kBytes:
        return (random % 81'920) << 20;
      default:
        return random % 10'000;
    }
  }

  std::vector<model::Snapshot> snapshots_;
  std::size_t at_ = 0;
};

// The plain way to do it well: what does not change is prebuilt line by line, numbers go through
// std::to_chars.
class Plain {
 public:
  explicit Plain(const model::Naming& naming, const model::Snapshot& snapshot) : naming_(naming) {
    for (const model::Family& family : naming.families) {
      std::string head = "# HELP " + std::string(family.name) + " " + std::string(family.help) +
                         "\n# TYPE " + std::string(family.name) + " gauge\n";
      for (std::size_t gpu = 0; gpu < snapshot.devices.size(); ++gpu) {
        const model::GpuInfo& info = snapshot.inventory->gpus[gpu];
        head += std::string(family.name) + "{gpu_uuid=\"" + info.uuid() + "\",gpu_index=\"" +
                std::to_string(gpu) + "\",gpu_name=\"" + info.name() +
                "\",gpu_health=\"healthy\"} ";
        lengths_.push_back(static_cast<std::uint32_t>(head.size()));
        prefixes_ += head;
        head.clear();
      }
    }
    out_.resize(prefixes_.size() + lengths_.size() * 40);
  }

  std::size_t render(const model::Snapshot& snapshot) {
    char* out = out_.data();
    const char* prefix = prefixes_.data();
    const std::uint32_t* length = lengths_.data();
    for (const model::Family& family : naming_.families) {
      const int decimals = model::decimals(family);
      for (const model::DeviceSample& device : snapshot.devices) {
        std::memcpy(out, prefix, *length);
        prefix += *length;
        const std::int64_t value = family.metric ? device.at(*family.metric).value : 0;
        out = number(out + *length++, model::scale(family, value).value, decimals);
        *out++ = '\n';
      }
    }
    return static_cast<std::size_t>(out - out_.data());
  }

 private:
  static char* number(char* out, std::int64_t value, int decimals) {
    std::int64_t power = 1;
    for (int i = 0; i < decimals; ++i) power *= 10;
    out = std::to_chars(out, out + 20, value / power).ptr;
    std::int64_t rest = value % power;
    if (rest == 0) return out;
    for (*out++ = '.'; rest != 0; rest %= power) {
      power /= 10;
      *out++ = static_cast<char>('0' + rest / power);
    }
    return out;
  }

  const model::Naming naming_;
  std::string prefixes_;
  std::vector<std::uint32_t> lengths_;
  std::string out_;
};

#ifdef GPUSCOPE_BENCH_PROMETHEUS_CPP
// The peer: the same families, labels and values, set, collected and serialized as its exposer does
// it.
class Peer {
 public:
  Peer(const model::Naming& naming, const model::Snapshot& snapshot) : naming_(naming) {
    for (const model::Family& row : naming.families) {
      auto& family = prometheus::BuildGauge()
                         .Name(std::string(row.name))
                         .Help(std::string(row.help))
                         .Register(registry_);
      for (std::size_t gpu = 0; gpu < snapshot.devices.size(); ++gpu) {
        const model::GpuInfo& info = snapshot.inventory->gpus[gpu];
        gauges_.push_back(&family.Add({{"gpu_uuid", info.uuid()},
                                       {"gpu_index", std::to_string(gpu)},
                                       {"gpu_name", info.name()},
                                       {"gpu_health", "healthy"}}));
      }
    }
  }
  std::string render(const model::Snapshot& snapshot) const {
    auto gauge = gauges_.begin();
    for (const model::Family& family : naming_.families) {
      for (const model::DeviceSample& device : snapshot.devices) {
        const std::int64_t value = family.metric ? device.at(*family.metric).value : 0;
        (*gauge++)->Set(static_cast<double>(value) / 1000);
      }
    }
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  const model::Naming naming_;
  prometheus::Registry registry_;
  std::vector<prometheus::Gauge*> gauges_;
};
#endif

void measure_text(const char* what, const model::Naming& naming, Machine machine) {
  const std::size_t gpus = machine.snapshot().devices.size();
  wire::PrometheusText text(naming);
  std::string last;
  std::string out;
  const double render = nanoseconds([&] {
    last.swap(out);
    out.clear();
    text.append(machine.next(), last, out);
  });
  std::string copy(out.size(), '\0');
  const double copied = nanoseconds([&] {
    std::memcpy(copy.data(), out.data(), out.size());
    asm volatile("" : : "r"(copy.data()) : "memory");  // the copy is wanted
  });
  Plain plain(naming, machine.snapshot());
  volatile std::size_t length = 0;
  const double plain_time = nanoseconds([&] { length = plain.render(machine.next()); });
  const auto series = static_cast<double>(gpus * naming.families.size());
  std::printf("| %s, %zu GPUs | %.1f KB | %.1f ns | %.1f | %.2f |", what, gpus,
              static_cast<double>(out.size()) / 1e3, render / series, render / copied,
              plain_time / render);
#ifdef GPUSCOPE_BENCH_PROMETHEUS_CPP
  const Peer peer(naming, machine.snapshot());
  std::string theirs;
  const double peer_time = nanoseconds([&] { theirs = peer.render(machine.next()); });
  std::printf(" %.0f |", peer_time / render);
#endif
  std::printf("\n");
}

void measure_texts() {
  std::printf("| document | body | per series | x memcpy | to_chars over ours |");
#ifdef GPUSCOPE_BENCH_PROMETHEUS_CPP
  std::printf(" prometheus-cpp over ours |");
#endif
  std::printf("\n|---|---|---|---|---|---|\n");
  for (const std::size_t gpus : {8UL, 1'000UL, 10'000UL}) {
    measure_text("forty families", forty_families(), Machine(gpus));
    measure_text("/gpu/metric", model::gpu_metric_naming(), Machine(gpus));
  }
  measure_text("forty families, every value another", forty_families(), Machine::restless(8));
  std::printf("\n");
}

void measure_json(std::size_t gpus) {
  const Machine machine(gpus);
  std::string out;
  const auto report = [&](const char* name, const std::function<void()>& append) {
    const double time = nanoseconds([&] {
      out.clear();
      append();
    });
    std::printf("%-6s %6zu GPUs %9.1f KB  %10.1f us\n", name, gpus,
                static_cast<double>(out.size()) / 1e3, time / 1e3);
  };
  report("json", [&] { wire::append_metrics(out, machine.snapshot()); });
  report("query", [&] {
    wire::append_query_document(
        out, machine.snapshot(),
        {.fields = wire::FieldSet::all(), .gpu = {}, .count = true, .indent = 4});
  });
}

void measure_gzip(std::size_t gpus) {
  const Machine machine(gpus);
  std::string plain;
  wire::PrometheusText(model::gpu_metric_naming()).append(machine.snapshot(), "", plain);
  for (const int level : {1, 4, 6, 9}) {
    wire::Gzip gzip(level);
    std::string packed;
    const double time = nanoseconds([&] {
      packed.clear();
      if (!gzip.append(plain, packed)) std::abort();
    });
    std::printf("gzip -%d %5zu GPUs %9.1f KB  %10.1f us  %5.1f times smaller\n", level, gpus,
                static_cast<double>(packed.size()) / 1e3, time / 1e3,
                static_cast<double>(plain.size()) / static_cast<double>(packed.size()));
  }
}

}  // namespace
}  // namespace gpuscope

int main() {
  gpuscope::measure_texts();
  for (const std::size_t gpus : {8UL, 1'000UL}) gpuscope::measure_json(gpus);
  for (const std::size_t gpus : {8UL, 1'000UL}) gpuscope::measure_gzip(gpus);
}

// What a day of a node's metrics costs to keep and to ask for: the history, and beside it the wide
// rows of an earlier logger (a table per GPU, the time as text), on the same stream in the same
// run.
//
//   bench_history [--days N]            a Markdown table; N days (7), a day's numbers after the
//   first bench_history --openmetrics HOURS   the stream as OpenMetrics, for other stores
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/decimal.h"
#include "bench/history/stream.h"
#include "history/history.h"
#include "history/reader.h"
#include "history/sqlite.h"
#include "history/store.h"

namespace gpuscope::bench {
namespace {

using history::Connection;
using history::HistoryReader;
using history::LiveBlock;
using history::Store;
using history::StoreOptions;
using model::SeriesKey;
using model::TimeRange;
using SteadyClock = std::chrono::steady_clock;

constexpr int kDay = 86'400;
constexpr double kDaySamples = double{kDay} * kGpus * kMetrics;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_history: %s\n", why.c_str());
  std::exit(1);
}
template <typename T>
T must(base::Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// What the kernel counts as written to disks by this process.
double written_bytes() {
  std::ifstream io("/proc/self/io");
  std::string name;
  double value = 0;
  while (io >> name >> value) {
    if (name == "write_bytes:") return value;
  }
  return 0;
}

std::string uuid(std::size_t gpu) {
  return fmt::format("GPU-8a3fbeef-4e5f-6172-8192-33445566778{}", gpu);
}

// The stream as the agent's snapshots.
class Snapshots {
 public:
  Snapshots() {
    inventory_->method = "bench";
    inventory_->gpus.resize(kGpus);
    for (std::size_t i = 0; i < kGpus; ++i) {
      inventory_->gpus[i].fact(model::Fact::kUuid) = model::Text::of(uuid(i));
    }
    snapshot_ = empty();
  }
  // Fills the one snapshot there is.
  const model::Snapshot& next() {
    fill(*snapshot_);
    return *snapshot_;
  }
  std::shared_ptr<const model::Snapshot> next_own() {
    auto own = empty();
    fill(*own);
    return own;
  }

 private:
  std::shared_ptr<model::Snapshot> empty() const {
    auto made = std::make_shared<model::Snapshot>();
    made->inventory = inventory_;
    made->devices.resize(kGpus);
    made->verdicts.resize(kGpus);
    for (auto& device : made->devices) {
      for (auto& reading : device.gpu) {
        reading = model::Reading::none(model::Absence::kUnsupported);
      }
    }
    return made;
  }
  void fill(model::Snapshot& snapshot) {
    const StreamTick& tick = stream_.next();
    snapshot.time = base::WallTime{std::chrono::microseconds{tick.time}};
    for (std::size_t i = 0; i < kGpus; ++i) {
      for (std::size_t j = 0; j < kMetrics; ++j) {
        snapshot.devices[i].at(kStreamMetrics[j]) = model::Reading::of(tick.values[i][j]);
      }
    }
  }

  Stream stream_;
  std::shared_ptr<model::Inventory> inventory_ = std::make_shared<model::Inventory>();
  std::shared_ptr<model::Snapshot> snapshot_;
};

// Of this thread.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

struct Figures {
  double seconds = 0;
  double cpu = 0;
  double payload = 0;
  double file = 0;
  double written = 0;
  std::size_t memory = 0;
  double longest_commit = 0;
  double longest_close = 0;
};

// Writes so many ticks, and measures what the store takes for them: not what making them does.
void ingest(Store& store, Snapshots& snapshots, int ticks, Figures& figures) {
  for (int i = 0; i < ticks; ++i) {
    const model::Snapshot& snapshot = snapshots.next();
    if (i % 3600 == 3599) figures.memory = std::max(figures.memory, store.open_memory());
    const double cpu = cpu_seconds();
    const auto begin = SteadyClock::now();
    base::Result<void> outcome;
    store.append(snapshot, outcome);
    must(std::move(outcome));
    const double appended = seconds_since(begin);
    figures.longest_close = std::max(figures.longest_close, appended);
    if (store.is_due()) {
      must(store.commit());
      figures.longest_commit = std::max(figures.longest_commit, seconds_since(begin) - appended);
    }
    figures.seconds += seconds_since(begin);
    figures.cpu += cpu_seconds() - cpu;
  }
}

double number(const std::string& path, const char* sql) {
  auto connection = must(Connection::open(path, Connection::Mode::kRead));
  return static_cast<double>(must(connection.number(sql)));
}

// The quickest and the first of several: warm, and with the file's pages dropped before.
struct Timing {
  double warm_ms = 0;
  double cold_ms = 0;
};
Timing time_query(const std::string& path, const std::function<void(const HistoryReader&)>& query) {
  const auto once = [&](const HistoryReader& reader) {
    const auto begin = SteadyClock::now();
    query(reader);
    return 1000 * seconds_since(begin);
  };
  std::vector<double> cold;
  for (int i = 0; i < 5; ++i) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) give_up("cannot open " + path);
    fsync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
    cold.push_back(once(HistoryReader(path, nullptr)));
  }
  const HistoryReader reader(path, nullptr);
  std::vector<double> warm;
  warm.reserve(20);
  for (int i = 0; i < 20; ++i) warm.push_back(once(reader));
  std::ranges::sort(cold);
  std::ranges::sort(warm);
  return {warm[warm.size() / 2], cold[cold.size() / 2]};
}

Timing time_buckets(const std::string& path, std::chrono::seconds length) {
  const auto last = std::chrono::seconds{
      static_cast<std::int64_t>(number(path, "SELECT max(last) FROM block") / 1e6)};
  const base::WallTime end{last + std::chrono::seconds{1}};
  const SeriesKey key{uuid(number(path, "SELECT count(*) FROM gpu") > 3 ? 3 : 0),
                      model::Metric::kPowerAverage};
  return time_query(path, [&](const HistoryReader& reader) {
    std::uint64_t count = 0;
    for (const auto& bucket : must(reader.buckets(key, TimeRange{end - length, end}, 1000))) {
      count += bucket.count;
    }
    if (count == 0) give_up("the history lacks what was written");
  });
}

// A year of one GPU, a tick a minute: its rollups are as those of any GPU.
void write_year(const std::string& path) {
  Snapshots snapshots;
  StoreOptions options{.path = path};
  options.commit_after = std::chrono::hours{6};
  options.keep_ticks = options.keep_rollups = std::chrono::hours{24 * 400};
  const auto store = must(Store::open(options, std::make_shared<LiveBlock>()));
  auto inventory = std::make_shared<model::Inventory>();
  inventory->gpus.resize(1);
  inventory->gpus[0].fact(model::Fact::kUuid) = model::Text::of(uuid(0));
  model::Snapshot tick;
  const base::WallTime begin{std::chrono::seconds{1'780'002'000}};
  for (int i = 0; i < 365 * 1440; ++i) {
    const model::Snapshot& from = snapshots.next();
    if (i == 0) tick = from;
    tick.devices.resize(1);
    tick.verdicts.resize(1);
    tick.devices[0].gpu = from.devices[3].gpu;
    tick.inventory = inventory;
    tick.time = begin + std::chrono::minutes{i};
    base::Result<void> outcome;
    store->append(tick, outcome);
    must(std::move(outcome));
    if (store->is_due()) must(store->commit());
  }
  must(store->close_block());
}

// How long take() held up whoever called it, over two closed blocks, as the agent calls it.
double longest_take_us(const std::string& path) {
  base::SystemClock clock;
  history::HistoryOptions options{.store = {.path = path}};
  const auto history = must(history::History::start(clock, options));
  Snapshots snapshots;
  double longest = 0;
  constexpr std::uint64_t kTicks = 2 * 3600 + 10;
  for (std::uint64_t i = 0; i < kTicks; ++i) {
    auto snapshot = snapshots.next_own();
    const auto begin = SteadyClock::now();
    history->take(std::move(snapshot));
    longest = std::max(longest, 1e6 * seconds_since(begin));
    // Hundreds of times as fast as an agent.
    while (i > history->status().ticks + 60) std::this_thread::yield();
  }
  history->stop();
  const auto status = history->status();
  if (status.ticks != kTicks) give_up("the history lost ticks");
  return longest;
}

struct WideRows {
  double file = 0;
  double per_second = 0;  // samples, a commit per row
  double written = 0;     // a day, a commit per row
  double query_ms = 0;
};

void insert_wide(std::vector<history::Statement>& inserts, const StreamTick& tick) {
  static constexpr std::size_t kColumns[] = {11, 15, 19, 20, 0, 1, 7, 6, 7, 18};
  const std::string time =
      base::format_utc(base::WallTime{std::chrono::microseconds{tick.time}}).substr(0, 26);
  for (std::size_t i = 0; i < kGpus; ++i) {
    inserts[i].bind_text(1, time);
    int at = 2;
    for (const std::size_t column : kColumns) {
      inserts[i].bind(at++, static_cast<double>(tick.values[i][column]) /
                                std::pow(10, model::info(kStreamMetrics[column]).decimals));
    }
    must(inserts[i].bind_text(12, "healthy").bind(13, std::int64_t{0}).run());
  }
}

// The earlier logger's tables: a row per GPU and tick, ten numbers, committed one by one.
WideRows measure_wide_rows(const std::string& path) {
  auto connection = must(Connection::open(path, Connection::Mode::kWrite));
  std::vector<history::Statement> inserts;
  for (std::size_t i = 0; i < kGpus; ++i) {
    const std::string table = history::quoted(uuid(i));
    must(connection.execute(
        "CREATE TABLE " + table +
        "(timestamp TEXT PRIMARY KEY, power_watts REAL, temperature_celsius REAL,"
        " gpu_clock_mhz REAL, memory_clock_mhz REAL, gpu_utilization_percent REAL,"
        " memory_utilization_percent REAL, memory_used_mib REAL, memory_total_mib REAL,"
        " memory_usage_percent REAL, fan_speed REAL, health_status TEXT,"
        " health_status_numeric INTEGER)"));
    inserts.push_back(must(connection.prepare("INSERT INTO " + table +
                                              " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")));
  }
  constexpr double kRowSamples = 12;
  constexpr int kTimed = 120;  // ticks: a row takes a disk's time
  Stream stream;
  WideRows rows;
  const double written = written_bytes();
  const auto begin = SteadyClock::now();
  for (int i = 0; i < kTimed; ++i) insert_wide(inserts, stream.next());
  rows.per_second = kTimed * kGpus * kRowSamples / seconds_since(begin);
  rows.written = (written_bytes() - written) / kTimed * kDay;
  must(connection.execute("BEGIN"));
  for (int i = kTimed; i < kDay; ++i) insert_wide(inserts, stream.next());
  must(connection.execute("COMMIT"));
  rows.file =
      number(path, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") /
      (double{kDay} * kGpus * kRowSamples);
  auto select = must(connection.prepare("SELECT timestamp, power_watts FROM " +
                                        history::quoted(uuid(3)) + " ORDER BY timestamp"));
  for (int round = 0; round < 3; ++round) {
    const auto start = SteadyClock::now();
    double sum = 0;
    while (must(select.step())) sum += select.real(1) + static_cast<double>(select.bytes(0).size());
    rows.query_ms = 1000 * seconds_since(start);
    if (sum == 0) give_up("the wide rows lack what was written");
  }
  return rows;
}

void row(const std::string& what, const std::string& ours, const std::string& target,
         const std::string& wide) {
  std::printf("| %s | %s | %s | %s |\n", what.c_str(), ours.c_str(), target.c_str(), wide.c_str());
  std::fflush(stdout);
}

int run(int days) {
  std::string folder = std::filesystem::current_path() / "bench-history-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) give_up("cannot make a directory here");
  const std::string path = folder + "/gpuscope.db";
  Figures figures;
  {
    Snapshots snapshots;
    const auto store = must(Store::open({.path = path}, std::make_shared<LiveBlock>()));
    const double before = written_bytes();
    ingest(*store, snapshots, kDay + 1, figures);
    must(store->commit());
    figures.written = written_bytes() - before;
    figures.payload = number(path,
                             "SELECT (SELECT sum(length(data)) FROM chunk)"
                             " + (SELECT sum(length(times)) FROM block)");
    figures.file = static_cast<double>(must(store->bytes()));
    Figures rest;
    ingest(*store, snapshots, (days - 1) * kDay, rest);
    must(store->close_block());
  }
  const WideRows wide = measure_wide_rows(folder + "/wide.db");
  std::printf("| a day: 8 GPUs, 40 metrics, a tick a second | history | target | wide rows |\n");
  std::printf("|---|---|---|---|\n");
  row("payload, B a sample", fmt::format("{:.3f}", figures.payload / kDaySamples), "0.40", "");
  row("file with rollups and indexes, B a sample",
      fmt::format("{:.3f}", figures.file / kDaySamples), "0.70", fmt::format("{:.1f}", wide.file));
  row("ingest with durable commits, million samples/s",
      fmt::format("{:.1f}", kDaySamples / figures.seconds / 1e6), "5",
      fmt::format("{:.4f}", wide.per_second / 1e6));
  row("the same by the CPU time it takes, without waiting for the disk",
      fmt::format("{:.1f}", kDaySamples / figures.cpu / 1e6), "", "");
  row("written to disk, GB", fmt::format("{:.2f}", figures.written / 1e9), "0.60",
      fmt::format("{:.1f}", wide.written / 1e9));
  row("memory of the open block, MB",
      fmt::format("{:.2f}", static_cast<double>(figures.memory) / 1e6), "2", "");
  row("longest commit, ms", fmt::format("{:.1f}", 1000 * figures.longest_commit), "", "");
  row("longest close of a block, on the history's thread, ms",
      fmt::format("{:.1f}", 1000 * figures.longest_close), "", "");
  row("longest take(), what a tick waits, over two closes, ms",
      fmt::format("{:.2f}", longest_take_us(folder + "/take.db") / 1000), "", "");
  const Timing day = time_buckets(path, std::chrono::seconds{kDay});
  row("24 h of a series to 1,000 buckets, warm, ms", fmt::format("{:.2f}", day.warm_ms), "2",
      fmt::format("{:.1f}", wide.query_ms));
  row("the same, cold, ms", fmt::format("{:.2f}", day.cold_ms), "10", "");
  if (days >= 7) {
    const Timing week = time_buckets(path, std::chrono::seconds{7 * kDay});
    row("7 days to 1,000 buckets, ms", fmt::format("{:.2f}", week.warm_ms), "15", "");
    row("the same, cold, ms", fmt::format("{:.2f}", week.cold_ms), "", "");
    const std::string year = folder + "/year.db";
    write_year(year);
    const Timing taken = time_buckets(year, std::chrono::seconds{365 * kDay});
    row("a year to 1,000 buckets, ms", fmt::format("{:.2f}", taken.warm_ms), "20", "");
    row("the same, cold, ms", fmt::format("{:.2f}", taken.cold_ms), "", "");
  }
  std::filesystem::remove_all(folder);
  return 0;
}

// Each family with its samples, by GPU, as promtool and VictoriaMetrics read them.
int print_openmetrics(int hours) {
  std::vector<StreamTick> ticks;
  ticks.reserve(static_cast<std::size_t>(3600 * hours));
  Stream stream;
  for (int i = 0; i < 3600 * hours; ++i) ticks.push_back(stream.next());
  std::string text;
  for (std::size_t j = 0; j < kMetrics; ++j) {
    const model::MetricInfo& info = model::info(kStreamMetrics[j]);
    fmt::format_to(std::back_inserter(text), "# TYPE {} gauge\n", info.key);
    for (std::size_t i = 0; i < kGpus; ++i) {
      for (const StreamTick& tick : ticks) {
        fmt::format_to(std::back_inserter(text), "{}{{gpu=\"{}\"}} ", info.key, i);
        base::append_decimal(text, tick.values[i][j], info.decimals);
        fmt::format_to(std::back_inserter(text), " {}.{:03}\n", tick.time / 1'000'000,
                       tick.time / 1000 % 1000);
      }
      std::fwrite(text.data(), 1, text.size(), stdout);
      text.clear();
    }
  }
  std::puts("# EOF");
  return 0;
}

}  // namespace
}  // namespace gpuscope::bench

int main(int argc, char** argv) {
  using namespace gpuscope::bench;
  if (argc == 1) return run(7);
  const int count = argc == 3 ? std::atoi(argv[2]) : 0;
  if (count > 0 && std::strcmp(argv[1], "--days") == 0) return run(count);
  if (count > 0 && std::strcmp(argv[1], "--openmetrics") == 0) return print_openmetrics(count);
  std::fprintf(stderr, "usage: bench_history [--days N | --openmetrics HOURS]\n");
  return 1;
}

// `gpuscope history record`: remembers what an agent elsewhere reads, earlier ones included.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <thread>

#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/web_url.h"
#include "history/history.h"
#include "history_tool.h"
#include "http/web_client.h"
#include "wire/earlier_agent.h"

namespace gpuscope::app {
namespace {

using base::ErrorKind;
using base::LogLevel;
using base::MutexLock;
using base::Result;
using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;
constexpr milliseconds kMinInterval{100};
constexpr milliseconds kRequestLimit{10'000};

// Another agent, asked for one tick at a time.
class Remote {
 public:
  Remote(http::WebClient& client, const base::Clock& clock, std::string base, std::string query)
      : client_(client), clock_(clock), base_(std::move(base)), query_(std::move(query)) {}

  Result<std::shared_ptr<const model::Snapshot>> read() {
    for (bool again = false;; again = true) {
      if (!inventory_) {
        if (auto listed = list(); !listed) return std::unexpected(std::move(listed.error()));
      }
      const auto answer = get("/gpu/metrics/json");
      if (!answer) return std::unexpected(answer.error());
      auto snapshot = std::make_shared<model::Snapshot>();
      auto parsed = wire::parse_metrics(*answer, gpus_, clock_.wall_now(), *snapshot);
      if (parsed) {
        snapshot->inventory = inventory_;
        snapshot->sequence = ++sequence_;
        return snapshot;
      }
      inventory_.reset();
      // Another GPU is there: the list is read anew, once.
      if (parsed.error().kind != ErrorKind::kNotFound || again) {
        return base::fail(parsed.error().kind, base_ + ": " + parsed.error().message);
      }
    }
  }

 private:
  Result<std::string> get(const std::string& path) {
    auto answer = client_.send({.url = base_ + path + query_});
    if (!answer) return std::unexpected(std::move(answer.error()));
    if (answer->status == 200 && !answer->body_cut) return std::move(answer->body);
    constexpr std::size_t kLongest = 200;
    return base::fail(ErrorKind::kUnavailable,
                      fmt::format("cannot read {}{}{}: it answers {} {}", base_, path, query_,
                                  answer->status, answer->body.substr(0, kLongest)));
  }

  Result<void> list() {
    const auto answer = get("/gpu/list");
    if (!answer) return std::unexpected(answer.error());
    auto listed = wire::parse_gpu_list(*answer);
    if (!listed) return base::fail(listed.error().kind, base_ + ": " + listed.error().message);
    gpus_ = std::move(*listed);
    gpus_.inventory.method = "record";
    for (const model::GpuInfo& gpu : gpus_.inventory.gpus) {
      if (gpu.name().starts_with("SIM-")) gpus_.inventory.simulated = true;
    }
    inventory_ = std::make_shared<const model::Inventory>(gpus_.inventory);
    return {};
  }

  http::WebClient& client_;
  const base::Clock& clock_;
  const std::string base_;
  const std::string query_;
  wire::ListedGpus gpus_;
  std::shared_ptr<const model::Inventory> inventory_;
  std::uint64_t sequence_ = 0;
};

Result<milliseconds> interval_of(const std::string& text) {
  const auto parsed = base::parse_duration(text);
  if (parsed && *parsed >= kMinInterval && *parsed <= std::chrono::hours{1}) return *parsed;
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot use --interval: '{}' is not a duration from 100ms to 1h, "
                                "such as 15s",
                                text));
}

Result<std::string> base_of(std::string text) {
  if (text.find("://") == std::string::npos) text = "http://" + text;
  while (text.ends_with('/')) text.pop_back();
  if (const std::string wrong = base::check_web_url(text); !wrong.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot record from there: {}; give HOST:PORT", wrong));
  }
  return text;
}

// The machine in http://HOST:PORT/….
std::string host_of(std::string_view address) {
  std::string_view host = address.substr(address.find("://") + 3);
  host = host.substr(0, host.find('/'));
  if (host.starts_with('[')) return std::string(host.substr(0, host.find(']') + 1));
  return std::string(host.substr(0, host.find(':')));
}

// What is recorded from where, on a thread of its own: an answer may take its time, a signal not.
class Recording {
 public:
  Recording(base::Clock& clock, http::WebClient& client, Remote& remote, milliseconds interval,
            history::HistoryOptions options)
      : clock_(clock),
        client_(client),
        remote_(remote),
        interval_(interval),
        options_(std::move(options)) {}

  // Until a signal comes, or nothing could be begun.
  Result<void> run(Stop& stop, const std::string& address) {
    base::Result<void> outcome;
    std::thread reader([&] {
      outcome = read(address);
      done_ = true;
    });
    while (!done_ && !stop.wait(kLook)) {
    }
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    client_.cancel();
    reader.join();
    if (!history_) return outcome;
    history_->stop();
    const history::HistoryStatus status = history_->status();
    std::cout << fmt::format("{} ticks recorded\n", status.ticks);
    if (status.failing) return std::unexpected(status.error);
    return {};
  }

 private:
  static constexpr milliseconds kLook{100};

  Result<void> read(const std::string& address) {
    // What is wrong with the address shows before a file is made.
    const auto first = remote_.read();
    if (!first) return std::unexpected(first.error());
    const std::string& path = options_.store.path;
    if (const auto end = path.rfind('/'); end != std::string::npos && end > 0) {
      if (auto made = base::make_directories(path.substr(0, end)); !made) return made;
    }
    auto history = history::History::start(clock_, options_);
    if (!history) return std::unexpected(std::move(history.error()));
    history_ = std::move(*history);
    history_->take(*first);
    std::cout << fmt::format("records {} GPUs of {} to {} every {} ms\n", (*first)->devices.size(),
                             address, path, interval_.count())
              << std::flush;
    keep_reading();
    return {};
  }
  // Reads tick after tick; what fails is told once, and tried again.
  void keep_reading() {
    std::string told;
    for (base::SteadyTime next = clock_.steady_now() + interval_; wait_until(next);
         next = std::max(next + interval_, clock_.steady_now())) {
      const auto snapshot = remote_.read();
      if (snapshot) {
        history_->take(*snapshot);
        if (!told.empty()) base::log(LogLevel::kInfo, "reads again");
        told.clear();
      } else if (snapshot.error().message != told && !is_stopping()) {
        told = snapshot.error().message;
        base::log(LogLevel::kWarning, told + "; tried again");
      }
    }
  }
  // False: it is time to stop.
  bool wait_until(base::SteadyTime time) {
    MutexLock lock(mutex_);
    while (!stopping_ && clock_.steady_now() < time) clock_.wait_until(wake_, lock, time);
    return !stopping_;
  }
  bool is_stopping() {
    MutexLock lock(mutex_);
    return stopping_;
  }

  base::Clock& clock_;
  http::WebClient& client_;
  Remote& remote_;
  const milliseconds interval_;
  const history::HistoryOptions options_;
  std::unique_ptr<history::History> history_;
  std::atomic<bool> done_ = false;
  base::Mutex mutex_;
  base::CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace

Result<void> record_history(const HistoryCommand& command, Stop& stop) {
  const auto path = history_file(command);
  if (!path) return std::unexpected(path.error());
  const auto interval = interval_of(command.interval);
  if (!interval) return std::unexpected(interval.error());
  const auto address = base_of(command.host);
  if (!address) return std::unexpected(address.error());
  auto client = http::WebClient::create({.timeout = kRequestLimit, .max_body_bytes = kMaxAnswer});
  if (!client) return std::unexpected(std::move(client.error()));
  base::SystemClock clock;
  const std::string query = command.method.empty() ? "" : "?method=" + command.method;
  Remote remote(**client, clock, *address, query);
  history::HistoryOptions options;
  options.store.path = *path;
  options.store.host = host_of(*address);
  Recording recording(clock, **client, remote, *interval, std::move(options));
  return recording.run(stop, *address);
}

}  // namespace gpuscope::app

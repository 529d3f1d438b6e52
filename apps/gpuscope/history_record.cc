// `gpuscope history record`: remembers what an agent elsewhere reads, earlier ones included.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/web_url.h"
#include "history/history.h"
#include "history_tool.h"
#include "http/web_client.h"
#include "wire/earlier_agent.h"

namespace gpuscope::app {
namespace {

using base::ErrorKind;
using base::LogLevel;
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

// Reads tick after tick until a signal comes; what fails is told once, and tried again.
void keep_reading(Remote& remote, history::History& history, milliseconds interval,
                  base::Clock& clock, base::StopSignals& signals) {
  std::string told;
  base::SteadyTime next = clock.steady_now() + interval;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(next - clock.steady_now());
    const auto signal = signals.wait(std::max(left, milliseconds{0}));
    if (signal && *signal != SIGHUP) return;
    if (signal) continue;
    next = std::max(next + interval, clock.steady_now());
    const auto snapshot = remote.read();
    if (snapshot) {
      history.take(*snapshot);
      if (!told.empty()) base::log(LogLevel::kInfo, "reads again");
      told.clear();
    } else if (snapshot.error().message != told) {
      told = snapshot.error().message;
      base::log(LogLevel::kWarning, told + "; tried again");
    }
  }
}

}  // namespace

Result<void> record_history(const HistoryCommand& command, base::StopSignals& signals) {
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
  // What is wrong with the address shows before a file is made.
  const auto first = remote.read();
  if (!first) return std::unexpected(first.error());
  if (const auto end = path->rfind('/'); end != std::string::npos && end > 0) {
    if (auto made = base::make_directories(path->substr(0, end)); !made) return made;
  }
  history::HistoryOptions options;
  options.store.path = *path;
  auto history = history::History::start(clock, options);
  if (!history) return std::unexpected(std::move(history.error()));
  (*history)->take(*first);
  std::cout << fmt::format("records {} GPUs of {} to {} every {} ms\n", (*first)->devices.size(),
                           *address, *path, interval->count())
            << std::flush;
  keep_reading(remote, **history, *interval, clock, signals);
  (*history)->stop();
  const history::HistoryStatus status = (*history)->status();
  std::cout << fmt::format("{} ticks recorded\n", status.ticks);
  if (status.failing) return std::unexpected(status.error);
  return {};
}

}  // namespace gpuscope::app

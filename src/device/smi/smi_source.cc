#include "device/smi/smi_source.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "device/smi/board.h"
#include "device/smi/health_watch.h"
#include "device/smi/refresher.h"
#include "device/smi/row_loop.h"
#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

using model::Fact;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

// What one open() made. Its threads end, and their children with them, when it is destroyed.
class Session {
 public:
  Session(const Options& options, const base::Clock& clock, const std::string& help,
          std::vector<Known> known)
      : query_(help),
        known_(std::move(known)),
        board_(clock, known_.size(), query_.metrics(), row_patience(options)),
        refresher_(options, clock, known_, board_),
        health_(options, clock, known_, board_),
        loop_(options, clock, query_, known_, refresher_, board_) {}
  ~Session() {
    loop_.stop();
    health_.stop();
    refresher_.stop();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  base::Result<void> start(Report report, milliseconds took) {
    refresher_.put_first(std::move(report), took);
    health_.ask();
    base::Result<void> started = refresher_.start();
    if (started) started = health_.start();
    if (started) started = loop_.start();
    return started;
  }

  void read(std::size_t device, base::WallTime tick, model::DeviceSample& out) {
    begin_loop(tick);
    board_.read(device, tick, out);
  }
  const Board& board() const { return board_; }

 private:
  // One tick alone is answered by the document; more are worth a loop.
  void begin_loop(base::WallTime tick) {
    if (looping_.load(std::memory_order_relaxed)) return;
    const std::int64_t now = tick.time_since_epoch().count();
    std::int64_t first = 0;
    if (first_tick_.compare_exchange_strong(first, now) || first == now) return;
    if (!looping_.exchange(true)) loop_.begin();
  }

  const Query query_;
  const std::vector<Known> known_;
  Board board_;
  Refresher refresher_;
  HealthWatch health_;
  RowLoop loop_;
  std::atomic<std::int64_t> first_tick_{0};
  std::atomic<bool> looping_{false};
};

// What the document does not have, asked for once.
void add_compute_capability(const Tools& tools, const std::string& help, Report& report) {
  constexpr std::string_view kField = "compute_cap";
  if (help.find("\"compute_cap\"") == std::string::npos) return;
  const std::string answer = tools.query("index,uuid," + std::string(kField));
  std::string_view rest = answer;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t first = line.find(',');
    const std::size_t last = line.rfind(',');
    const auto index = parse_number(line.substr(0, std::min(first, line.size())));
    if (!index || first == last || *index < 0) continue;
    const auto at = static_cast<std::size_t>(*index);
    if (at >= report.gpus.size()) continue;
    model::GpuInfo& info = report.gpus[at].info;
    if (trimmed(line.substr(first + 1, last - first - 1)) == info.uuid()) {
      info.fact(Fact::kComputeCapability) = parse_text(line.substr(last + 1));
    }
  }
}

class SmiSource final : public model::Source {
 public:
  SmiSource(const Options& options, const base::Clock& clock)
      : options_(options), clock_(clock), tools_(options_, interrupt_) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override;
  bool devices_may_block() const override { return false; }
  void read(std::size_t device, base::WallTime tick, model::DeviceSample& out) override {
    session_->read(device, tick, out);
  }
  bool lost() const override {
    const base::MutexLock lock(mutex_);
    return session_ != nullptr && session_->board().lost();
  }
  void interrupt() override { interrupt_.raise(); }
  std::optional<base::Error> trouble() const override {
    const base::MutexLock lock(mutex_);
    if (session_ == nullptr) return std::nullopt;
    return session_->board().trouble();
  }

 private:
  void set_session(std::unique_ptr<Session> session) {
    {
      const base::MutexLock lock(mutex_);
      std::swap(session_, session);
    }
    // The old one ends its threads here, outside the lock.
  }

  const Options options_;
  const base::Clock& clock_;
  base::Interrupt interrupt_;
  const Tools tools_;
  mutable base::Mutex mutex_;  // changes of session_, and looks at it beside the reading thread
  std::unique_ptr<Session> session_;
};

base::Result<std::shared_ptr<const model::Inventory>> SmiSource::open() {
  set_session(nullptr);
  const base::SteadyTime begun = clock_.steady_now();
  auto report = tools_.report({});
  if (!report) return std::unexpected(std::move(report.error().error));
  const auto took = duration_cast<milliseconds>(clock_.steady_now() - begun);
  const auto split = [](const GpuReport& gpu) { return !gpu.mig_indices.empty(); };
  if (std::ranges::any_of(report->gpus, split)) name_mig_instances(tools_.list(), *report);
  const std::string help = tools_.help_query();
  add_compute_capability(tools_, help, *report);
  if (interrupt_.raised()) {
    return base::fail(base::ErrorKind::kUnavailable,
                      "cannot read GPUs through nvidia-smi: it was told to end");
  }

  auto inventory = std::make_shared<model::Inventory>();
  inventory->method = "smi";
  inventory->simulated = report->simulated;
  std::vector<Known> known;
  for (const GpuReport& gpu : report->gpus) {
    inventory->gpus.push_back(gpu.info);
    known.push_back({gpu.info.uuid(), gpu.bus_id});
  }
  auto session = std::make_unique<Session>(options_, clock_, help, std::move(known));
  if (auto started = session->start(std::move(*report), took); !started) {
    return std::unexpected(started.error());
  }
  set_session(std::move(session));
  return inventory;
}

}  // namespace

std::unique_ptr<model::Source> make_smi_source(const Options& options, const base::Clock& clock) {
  return std::make_unique<SmiSource>(options, clock);
}

}  // namespace gpuscope::device::smi

#include "device/smi/refresher.h"

#include <algorithm>
#include <utility>

namespace gpuscope::device::smi {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// Reading the document may keep a core busy for 4 % of the time.
constexpr int kDuty = 25;
// A value of the document counts for so many rounds.
constexpr int kDocumentRounds = 3;
constexpr milliseconds kFirstRetry{2000};

}  // namespace

void name_mig_instances(const std::vector<ListedGpu>& list, Report& report) {
  for (std::size_t i = 0; i < report.gpus.size(); ++i) {
    GpuReport& gpu = report.gpus[i];
    const std::string& uuid = gpu.info.uuid();
    auto listed = std::ranges::find_if(
        list, [&](const ListedGpu& one) { return !uuid.empty() && one.uuid == uuid; });
    if (listed == list.end()) {
      listed = std::ranges::find(list, static_cast<std::int64_t>(i), &ListedGpu::index);
    }
    if (listed == list.end()) continue;
    for (std::size_t at = 0; at < gpu.mig_indices.size() && at < gpu.sample.mig_instances.size();
         ++at) {
      const auto mig = std::ranges::find(listed->mig, gpu.mig_indices[at], &ListedMig::index);
      if (mig == listed->mig.end()) continue;
      gpu.sample.mig_instances[at].uuid = mig->uuid;
      gpu.sample.mig_instances[at].profile = mig->profile;
    }
  }
}

Refresher::Refresher(const Options& options, const base::Clock& clock,
                     const std::vector<Known>& known, Board& board)
    : options_(options),
      clock_(clock),
      known_(known),
      board_(board),
      tools_(options, interrupt_),
      worker_(clock, interrupt_),
      lost_(known.size(), false) {
  for (const Known& gpu : known) {
    if (!gpu.bus_id.empty()) bus_ids_.push_back(gpu.bus_id);
  }
}

milliseconds Refresher::period_after(milliseconds took) const {
  return std::clamp(kDuty * took, options_.shortest_refresh, options_.longest_refresh) + took;
}

milliseconds Refresher::first_retry() const {
  return std::min(kFirstRetry, options_.shortest_refresh);
}

void Refresher::put_first(Report report, milliseconds took) {
  period_ = period_after(took);
  put(std::move(report));
}

base::Result<void> Refresher::start() {
  return worker_.start("smi-refresh", [this] { run(); });
}

void Refresher::stop() { worker_.stop(); }

void Refresher::run() {
  retry_ = first_retry();
  while (worker_.pause(failures_ > 0 ? retry_ : period_)) refresh();
}

void Refresher::refresh() {
  const base::SteadyTime begun = clock_.steady_now();
  auto report = tools_.report(bus_ids_);
  if (interrupt_.raised()) return;
  if (!report) {
    if (report.error().driver) board_.lose();
    board_.set_trouble(Board::Part::kReport, std::move(report.error().error));
    if (failures_++ > 0) retry_ = std::min(2 * retry_, options_.longest_refresh);
    return;
  }
  failures_ = 0;
  retry_ = first_retry();
  board_.set_trouble(Board::Part::kReport, std::nullopt);
  const auto split = [](const GpuReport& gpu) { return !gpu.mig_indices.empty(); };
  if (std::ranges::any_of(report->gpus, split)) name_mig_instances(tools_.list(), *report);
  period_ = period_after(duration_cast<milliseconds>(clock_.steady_now() - begun));
  put(std::move(*report));
}

void Refresher::put(Report report) {
  const milliseconds limit = kDocumentRounds * period_;
  std::vector<bool> seen(known_.size(), false);
  std::vector<bool> lost(known_.size(), false);
  for (GpuReport& gpu : report.gpus) {
    const auto at = find_known(known_, gpu.info.uuid(), gpu.bus_id);
    if (!at) {
      board_.lose();  // a GPU that was not there when the others were counted
      continue;
    }
    seen[*at] = true;
    lost[*at] = gpu.lost;
    if (gpu.lost) {
      board_.put_gone(*at, limit);
    } else {
      board_.put_report(*at, std::move(gpu.sample), limit);
    }
  }
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (seen[i]) continue;
    lost[i] = true;
    board_.put_gone(i, limit);
  }
  const base::MutexLock lock(mutex_);
  lost_ = std::move(lost);
}

std::vector<std::string> Refresher::reachable_gpus() const {
  const base::MutexLock lock(mutex_);
  if (std::ranges::find(lost_, true) == lost_.end()) return {};
  std::vector<std::string> gpus;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (!lost_[i] && !known_[i].bus_id.empty()) gpus.push_back(known_[i].bus_id);
  }
  return gpus;
}

}  // namespace gpuscope::device::smi

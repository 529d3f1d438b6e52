#include "device/smi/health_watch.h"

#include <optional>
#include <utility>

namespace gpuscope::device::smi {
namespace {

// A verdict counts for so many rounds.
constexpr int kVerdictRounds = 3;

}  // namespace

HealthWatch::HealthWatch(const Options& options, const base::Clock& clock,
                         const std::vector<Known>& known, Board& board)
    : options_(options),
      known_(known),
      board_(board),
      tools_(options, interrupt_),
      worker_(clock, interrupt_) {}

base::Result<void> HealthWatch::start() {
  return worker_.start("smi-dcgmi", [this] {
    while (worker_.pause(options_.dcgmi_interval)) ask();
  });
}

void HealthWatch::stop() { worker_.stop(); }

void HealthWatch::put_verdicts(const DcgmHealth& health) {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    model::SourceVerdict verdict{model::Health::kUnknown, "dcgmi does not know this GPU"};
    for (const DcgmGpu& gpu : dcgm_gpus_) {
      if (find_known({known_[i]}, gpu.uuid, gpu.bus_id)) verdict = health.of(gpu.id);
    }
    board_.put_verdict(i, std::move(verdict), kVerdictRounds * options_.dcgmi_interval);
  }
}

void HealthWatch::give_up(DcgmFailure failure) {
  if (interrupt_.raised()) return;
  dcgm_gpus_.clear();
  // Nothing to say where there is none; but what it said once does not count any more.
  std::optional<model::SourceVerdict> verdict;
  if (failure.cause != DcgmFailure::Cause::kMissing) {
    verdict = model::SourceVerdict{model::Health::kUnknown, failure.error.message};
  }
  for (std::size_t i = 0; i < known_.size(); ++i) {
    board_.put_verdict(i, verdict, kVerdictRounds * options_.dcgmi_interval);
  }
  std::optional<base::Error> trouble;
  if (failure.cause == DcgmFailure::Cause::kBroken) trouble = std::move(failure.error);
  board_.set_trouble(Board::Part::kDcgmi, std::move(trouble));
}

void HealthWatch::ask() {
  if (dcgm_gpus_.empty()) {
    auto gpus = tools_.discovery();
    if (!gpus) return give_up(std::move(gpus.error()));
    dcgm_gpus_ = std::move(*gpus);
  }
  auto health = tools_.health();
  if (!health) return give_up(std::move(health.error()));
  board_.set_trouble(Board::Part::kDcgmi, std::nullopt);
  put_verdicts(*health);
}

}  // namespace gpuscope::device::smi

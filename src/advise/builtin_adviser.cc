#include "advise/builtin_adviser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "advise/evidence_hash.h"

namespace gpuscope::advise {
namespace {

using model::OpinionStatus;
using model::UseEvidence;

// What the rules look at, of one GPU. Shares are of 1.
struct View {
  const UseEvidence& evidence;
  double utilization = 0;                       // %, mean
  std::optional<model::SeriesSpread> spread{};  // of the utilization
  std::optional<double> copy{};                 // %, mean
  std::optional<double> memory_share{};         // of the card's memory
  std::optional<double> power_share{};          // of the card's own limit
  std::optional<model::UseDetail> detail{};

  bool holds_memory() const {
    constexpr double kHeldShare = 0.1;
    constexpr double kHeldMb = 2000;  // far above what a driver or an empty context takes
    const auto& used = evidence.memory_used_mb;
    return memory_share.value_or(0) >= kHeldShare || (used && used->mean >= kHeldMb);
  }
};

struct Judgement {
  OpinionStatus status = OpinionStatus::kActive;
  double confidence = 0;
  std::string reason{};
  std::string_view recommendation{};
};

std::string length(std::chrono::seconds time) {
  if (time < std::chrono::minutes{2}) return fmt::format("{} s", time.count());
  return fmt::format("{:.3g} min", static_cast<double>(time.count()) / 60);
}

// What the means are of: "10 min", or "the samples of 10 min" where nobody knows whether that many
// are there.
std::string told_span(const UseEvidence& evidence) {
  if (evidence.known_for) return length(std::max(*evidence.known_for, std::chrono::seconds{1}));
  return (evidence.detail ? "" : "the samples of ") + length(evidence.window);
}

// "97.1 % utilization in the mean of 10 min (95 to 100)".
std::string told_utilization(const View& view) {
  std::string text = fmt::format("{:.1f} % utilization in the mean of {}", view.utilization,
                                 told_span(view.evidence));
  if (view.spread) {
    text += fmt::format(" ({:.0f} to {:.0f})", view.spread->minimum, view.spread->maximum);
  }
  return text;
}

std::string told_memory(const View& view) {
  const auto& used = view.evidence.memory_used_mb;
  if (!used) return "";
  std::string text = fmt::format(", {:.1f} GiB of memory held", used->mean / 1024);
  if (view.memory_share) text += fmt::format(" ({:.0f} %)", *view.memory_share * 100);
  return text;
}

std::string told_power(const View& view) {
  const auto& power = view.evidence.power_watts;
  if (!power) return "";
  std::string text = fmt::format(", {:.0f} W", power->mean);
  if (view.power_share) text += fmt::format(" ({:.0f} % of its limit)", *view.power_share * 100);
  return text;
}

std::string told_copy(const View& view) {
  return view.copy ? fmt::format(", memory traffic {:.0f} %", *view.copy) : "";
}

constexpr double kBusyUtilization = 70;

// A collective that waits for a member spins at 100 %, without traffic and at hardly any power.
std::optional<Judgement> hung(const View& view) {
  constexpr double kFull = 95;
  constexpr double kAlwaysFull = 90;
  constexpr double kNoTraffic = 2;
  constexpr double kHardlyAnyPower = 0.4;
  constexpr double kNoWork = 10;
  if (view.utilization < kFull || !view.copy || *view.copy >= kNoTraffic) return {};
  if (view.spread && view.spread->minimum < kAlwaysFull) return {};
  const auto& active = view.evidence.sm_active_percent;
  if (active && *active >= kNoWork) return {};
  if (view.power_share && *view.power_share >= kHardlyAnyPower) return {};
  if (!active && !view.power_share) return {};
  return Judgement{OpinionStatus::kSuspicious, view.spread ? 0.85 : 0.65,
                   told_utilization(view) + told_copy(view) + told_power(view) +
                       ": it spins without doing any work",
                   "Look at the job's log for a collective that waits (NCCL): a member may have "
                   "died or hang. Restart the job from its last checkpoint if it does not go on."};
}

std::optional<Judgement> thin_kernels(const View& view) {
  constexpr double kThin = 20;
  const auto& active = view.evidence.sm_active_percent;
  if (view.utilization < kBusyUtilization || !active || *active >= kThin) return {};
  return Judgement{
      OpinionStatus::kActive, 0.8,
      told_utilization(view) + fmt::format(", yet its multiprocessors had work in {:.0f} % of the "
                                           "cycles: some kernel runs always, a small one",
                                           *active),
      "Make the kernels larger (batch size, fused kernels, CUDA graphs), or let several "
      "processes share the card (MPS, MIG)."};
}

std::optional<Judgement> communication_bound(const View& view) {
  constexpr double kBusy = 80;
  constexpr double kLittleTraffic = 15;
  constexpr double kLittlePower = 0.5;
  if (view.utilization < kBusy || view.copy.value_or(100) >= kLittleTraffic ||
      view.power_share.value_or(1) >= kLittlePower) {
    return {};
  }
  return Judgement{OpinionStatus::kActive, 0.6,
                   told_utilization(view) + told_copy(view) + told_power(view) +
                       ": busy, but much of it seems to be waiting for other GPUs or for the host",
                   "Profile the job: overlap communication with computation, and see that the "
                   "members of the job have the same speed and links."};
}

bool is_idle(const View& view) {
  constexpr double kIdleMean = 1;
  return view.utilization < kIdleMean &&
         (!view.spread || view.spread->maximum < model::kInUsePercent);
}

std::optional<Judgement> memory_held_idle(const View& view) {
  if (!is_idle(view) || !view.holds_memory()) return {};
  return Judgement{OpinionStatus::kIdle, view.spread ? 0.95 : 0.9,
                   told_utilization(view) + told_memory(view) + told_power(view) +
                       ": something is loaded and nothing runs",
                   "End the process that holds the memory (a forgotten notebook, a model that "
                   "nobody asks), or scale it to zero, so that others can have the card."};
}

std::optional<Judgement> allocated_idle(const View& view) {
  if (!is_idle(view) || view.evidence.gpu.pod.empty()) return {};
  return Judgement{OpinionStatus::kIdle, view.spread ? 0.95 : 0.9,
                   told_utilization(view) + told_memory(view) + told_power(view) +
                       ": given to a pod that does not use it",
                   "Ask the owner whether the pod needs a GPU; else give the card back."};
}

std::optional<Judgement> unused(const View& view) {
  if (!is_idle(view)) return {};
  return Judgement{
      OpinionStatus::kIdle, view.spread ? 0.95 : 0.9,
      told_utilization(view) + told_memory(view) + told_power(view) + ": nothing runs on it",
      "It is there for whoever needs a GPU; nothing has to be done."};
}

std::optional<Judgement> trailing_idle(const View& view) {
  if (!view.detail || view.detail->busy_share <= 0 ||
      view.detail->trailing_idle * 2 < view.evidence.window) {
    return {};
  }
  return Judgement{
      OpinionStatus::kIdle, 0.8,
      fmt::format("It worked and stopped: idle for the last {} of {}, at {:.1f} % in the mean of "
                  "all{}",
                  length(view.detail->trailing_idle), length(view.evidence.window),
                  view.utilization, told_memory(view)),
      "See whether the job has come to its end or waits for something; if it has ended, let it "
      "give the card back."};
}

std::optional<Judgement> interactive(const View& view) {
  constexpr double kSeldom = 0.3;
  constexpr double kLittle = 20;
  if (!view.detail || view.detail->busy_share <= 0 || view.detail->busy_share >= kSeldom ||
      view.utilization >= kLittle || !view.holds_memory()) {
    return {};
  }
  return Judgement{OpinionStatus::kActive, 0.7,
                   fmt::format("Busy in {:.0f} % of the time, ", view.detail->busy_share * 100) +
                       told_utilization(view) + told_memory(view) +
                       ": short bursts with long pauses, as of a notebook or a service that is "
                       "seldom asked",
                   "A share of a card would do: MIG, time slicing, or one service for several."};
}

bool swings(const View& view) {
  constexpr double kLow = 10;
  constexpr double kHigh = 50;
  return view.spread && view.spread->minimum < kLow && view.spread->maximum >= kHigh &&
         view.utilization < kBusyUtilization;
}

std::optional<Judgement> input_starved(const View& view) {
  constexpr double kLoaded = 0.3;
  constexpr double kSome = 20;
  if (!swings(view) || view.memory_share.value_or(0) < kLoaded || view.utilization < kSome) {
    return {};
  }
  return Judgement{OpinionStatus::kActive, 0.65,
                   told_utilization(view) +
                       fmt::format(", standard deviation {:.0f}", view.spread->standard_deviation) +
                       told_memory(view) +
                       ": it works in bursts with everything loaded, so it "
                       "seems to wait for its input",
                   "Look at how data comes in: more loader workers, prefetching, pinned memory, "
                   "faster storage, or a cache of what is read again."};
}

std::optional<Judgement> bursty(const View& view) {
  if (!swings(view)) return {};
  return Judgement{OpinionStatus::kActive, 0.65,
                   told_utilization(view) +
                       fmt::format(", standard deviation {:.0f}", view.spread->standard_deviation) +
                       ": bursts of work with pauses between them",
                   "Let jobs follow one another without pauses, or let a second one use them."};
}

std::optional<Judgement> low_use(const View& view) {
  if (view.evidence.score >= view.evidence.low_below) return {};
  return Judgement{
      OpinionStatus::kActive, 0.7,
      told_utilization(view) + told_memory(view) + told_power(view) + ": it works, on very little",
      "A smaller card or a share of one (MIG, time slicing) would do the same; or "
      "give it more work at once (batch size)."};
}

std::optional<Judgement> working(const View& view) {
  constexpr double kTraffic = 10;
  constexpr double kPower = 0.5;
  if (view.utilization < kBusyUtilization) return {};
  const bool confirmed =
      view.copy.value_or(0) >= kTraffic || view.power_share.value_or(0) >= kPower;
  return Judgement{
      OpinionStatus::kActive, confirmed ? 0.95 : 0.6,
      told_utilization(view) + told_copy(view) + told_power(view) +
          (confirmed ? ": it is well used"
                     : ": it is busy, though nothing else confirms that it works hard"),
      confirmed ? "Nothing has to be done."
                : "Nothing has to be done, unless the job is slower than it should be."};
}

std::optional<Judgement> moderate(const View& view) {
  return Judgement{OpinionStatus::kActive, 0.8,
                   told_utilization(view) + told_copy(view) + told_power(view) +
                       ": it works, with room for more",
                   "Larger batches or a second job would use what is left."};
}

struct Rule {
  std::string_view name;
  std::optional<Judgement> (*applies)(const View& view);
};

// The first that applies is the verdict.
constexpr std::array kRules{Rule{"hung", hung},
                            Rule{"thin_kernels", thin_kernels},
                            Rule{"communication_bound", communication_bound},
                            Rule{"memory_held_idle", memory_held_idle},
                            Rule{"allocated_idle", allocated_idle},
                            Rule{"unused", unused},
                            Rule{"trailing_idle", trailing_idle},
                            Rule{"interactive", interactive},
                            Rule{"input_starved", input_starved},
                            Rule{"bursty", bursty},
                            Rule{"low_use", low_use},
                            Rule{"working", working},
                            Rule{"moderate", moderate}};

View view_of(const UseEvidence& evidence, double utilization) {
  View view{.evidence = evidence, .utilization = utilization};
  view.spread = evidence.utilization->spread;
  view.detail = evidence.detail;
  if (evidence.memory_copy) view.copy = evidence.memory_copy->mean;
  if (evidence.memory_used_mb && evidence.memory_total_mb.value_or(0) > 0) {
    view.memory_share = std::min(evidence.memory_used_mb->mean / *evidence.memory_total_mb, 1.0);
  }
  if (evidence.power_watts && evidence.power_limit_watts.value_or(0) > 0) {
    view.power_share = evidence.power_watts->mean / *evidence.power_limit_watts;
  }
  return view;
}

// How much of the window it has been known for: above 0, to 1.
double known_share(const UseEvidence& evidence) {
  if (!evidence.known_for || evidence.window <= std::chrono::seconds{0}) return 1;
  const auto seconds = static_cast<double>(evidence.known_for->count());
  return std::clamp(seconds / static_cast<double>(evidence.window.count()), 1e-6, 1.0);
}

}  // namespace

std::optional<model::Opinion> judge(const UseEvidence& evidence, base::WallTime now) {
  constexpr double kTooThin = 0.5;
  constexpr double kThin = 0.9;
  constexpr double kPriceOfGaps = 0.2;
  // Of the time since it is known, or else of the window.
  const double known = known_share(evidence);
  const double coverage = evidence.detail ? std::min(evidence.detail->coverage / known, 1.0) : 1;
  if (!evidence.utilization || coverage < kTooThin) return {};
  const View view = view_of(evidence, evidence.utilization->mean);
  for (const Rule& rule : kRules) {
    auto found = rule.applies(view);
    if (!found) continue;
    if (coverage < kThin) {
      found->confidence -= kPriceOfGaps;
      found->reason += fmt::format(" ({:.0f} % of the samples are there)", coverage * 100);
    } else if (known < kThin) {
      found->confidence -= kPriceOfGaps;
    }
    return model::Opinion{.status = found->status,
                          .confidence = found->confidence,
                          .reason = std::move(found->reason),
                          .recommendation = std::string(found->recommendation),
                          .raw_score = evidence.score,
                          .given_by = std::string(model::kBuiltIn),
                          .verdict = std::string(rule.name),
                          .evidence_hash = hash_evidence(evidence, round_evidence(evidence), ""),
                          .given_at = now};
  }
  return {};
}

bool is_unsure(const UseEvidence& evidence, const std::optional<model::Opinion>& opinion) {
  // More history will tell more than a model could.
  constexpr double kKnown = 0.5;
  if (!opinion || known_share(evidence) < kKnown) return false;
  if (opinion->status == OpinionStatus::kSuspicious || opinion->confidence < kSureFrom) return true;
  return (opinion->status == OpinionStatus::kIdle) == (evidence.score >= evidence.low_below);
}

std::vector<model::Advice> BuiltInAdviser::advise(std::span<const UseEvidence> gpus) {
  const base::WallTime now = clock_.wall_now();
  std::vector<model::Advice> all;
  all.reserve(gpus.size());
  for (const UseEvidence& gpu : gpus) {
    model::Advice advice{.opinion = judge(gpu, now)};
    if (!advice.opinion) advice.reason = "its utilization is not known well enough";
    all.push_back(std::move(advice));
  }
  return all;
}

}  // namespace gpuscope::advise

// A second opinion on how well a GPU is used: what it is made from, what it says, and who gives it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/usage.h"

namespace gpuscope::model {

// How a series moved within the window, in the series' own unit.
struct SeriesSpread {
  double minimum = 0;
  double maximum = 0;
  double standard_deviation = 0;  // of the population
  // |last − first| / first × 100; none when the first is 0.
  std::optional<double> change_percent{};
};

// A series over the window.
struct SeriesSummary {
  double mean = 0;
  std::optional<SeriesSpread> spread{};  // none: only the mean was asked for
};

// What only the samples of the window say, beyond means.
struct UseDetail {
  double coverage = 0;    // 0 to 1: samples that are there, of those that should be
  double busy_share = 0;  // 0 to 1: samples with a utilization of kInUsePercent or more
  // From the last busy sample to the window's end; all of the window when there is none.
  std::chrono::seconds trailing_idle{0};
};
inline constexpr double kInUsePercent = 5;

// What is known of one GPU over the window. Absent is unknown, never 0. The texts are other
// people's: nothing in them is an instruction to anyone.
struct UseEvidence {
  GpuIdentity gpu{};
  std::chrono::seconds window{0};
  // How far back what is known of it goes, where that is said; never more than the window.
  std::optional<std::chrono::seconds> known_for{};
  double score = 0;                                   // 0 to 100, rounded to 0.1
  double idle_below = 10;                             // the scores that have a name, as set:
  double low_below = 20;                              // under these two, and
  double high_from = 70;                              // from here on
  std::optional<SeriesSummary> utilization{};         // %, 0 to 100
  std::optional<SeriesSummary> memory_copy{};         // %, 0 to 100
  std::optional<SeriesSummary> memory_used_mb{};      // MB
  std::optional<SeriesSummary> power_watts{};         // W
  std::optional<double> memory_total_mb{};            // MB
  std::optional<double> power_limit_watts{};          // W: the card's own
  std::optional<double> sm_clock_mhz{};               // MHz, mean
  std::optional<double> sm_active_percent{};          // %, mean: cycles in which an SM had work
  std::optional<double> tensor_active_percent{};      // %, mean
  std::optional<double> memory_bus_active_percent{};  // %, mean
  std::optional<UseDetail> detail{};                  // none: only means were asked for
};

enum class OpinionStatus : std::uint8_t { kActive, kIdle, kSuspicious };

// "active", "idle", "suspicious".
constexpr std::string_view opinion_status_name(OpinionStatus status) {
  constexpr std::array<std::string_view, 3> kNames{"active", "idle", "suspicious"};
  return kNames[static_cast<std::size_t>(status)];
}

struct Opinion {
  OpinionStatus status = OpinionStatus::kSuspicious;
  double confidence = 0;  // 0 to 1
  std::string reason{};
  std::string recommendation{};
  double raw_score = 0;  // the score it was given
  // 0 to 100, rounded to 0.1; takes the score's place. None when the opinion is not sure enough for
  // that, or could not be read.
  std::optional<double> adjusted_score{};
  std::string given_by{};  // the name of a chat model, or kBuiltIn
  std::string verdict{};   // of the built-in adviser: which of its rules, such as "input_starved"
  std::uint64_t evidence_hash = 0;
  base::WallTime given_at{};  // when it was given; earlier than the run that shows it when kept
};
inline constexpr std::string_view kBuiltIn = "built-in";

// Why there is no opinion.
enum class NoOpinion : std::uint8_t {
  kNoEvidence,   // values are missing
  kNotAsked,     // the rules are sure of this one
  kOverLimit,    // of what may be spent in an hour, or asked in a run
  kUnreachable,  // the model did not answer, whatever was tried
  kStopped,      // the program comes to its end
};

struct Advice {
  std::optional<Opinion> opinion{};
  NoOpinion why_none = NoOpinion::kNoEvidence;  // where there is none
  std::string reason{};                         // the same for people
};

// Gives opinions: a chat model, or rules. Thread-safe.
class Advisor {
 public:
  virtual ~Advisor() = default;
  // As many as `gpus`, in their order. May take minutes.
  virtual std::vector<Advice> advise(std::span<const UseEvidence> gpus) = 0;
  // Ends advise() soon, and for good.
  virtual void stop() = 0;
};

// What was made of one GPU in a run.
struct SecondOpinions {
  std::optional<Opinion> built_in{};  // by rules; none for want of data
  Advice ai{};                        // by a chat model
};

// Adds what only samples say (`spread`, `detail`, activity) to evidence that has its means.
class EvidenceReader {
 public:
  virtual ~EvidenceReader() = default;
  // Those of whom nothing was found stay as they are. kUnavailable, kDeadlineExceeded: some may
  // have been done, the others are as they were.
  virtual base::Result<void> add_detail(std::span<UseEvidence> gpus, const UsageWindow& window) = 0;
  // Ends what is under way soon, and for good. Any thread.
  virtual void cancel() = 0;
};

}  // namespace gpuscope::model

// Acts on GPUs that are used little: one call each to a control service, which decides what to do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "act/options.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/score.h"
#include "model/state_store.h"
#include "wire/metrics_format.h"

namespace gpuscope::act {

// What became of a GPU in a run.
enum class Effect : std::uint8_t {
  kCalled,       // the service answered 200
  kDryRun,       // it would have been called
  kFailed,       // it was called, and answered otherwise or not at all
  kCoolingDown,  // it was called for a short while ago
  kBackingOff,   // its last calls failed, or those to the service at all
  kOverCap,      // the run had made its calls
};
inline constexpr std::size_t kEffectCount = 6;

// "called", "dry_run", "failed", "cooling_down", "backing_off", "over_cap".
std::string_view effect_name(Effect effect);

struct Status {
  bool dry_run = false;
  std::string url{};  // without anything that may be secret
  std::optional<base::WallTime> last_run_at{};
  std::array<std::size_t, kEffectCount> last_run{};   // GPUs by effect
  std::array<std::uint64_t, kEffectCount> total{};    // the same, of all runs of this process
  std::optional<base::WallTime> backing_off_until{};  // the service is not called before
  base::Error last_error{};                           // also when it is over
  std::optional<base::WallTime> last_error_at{};
};

// The state kinds under which it keeps what it did, for audit, and when it may act again.
inline constexpr std::string_view kActionKind = "control_action";
inline constexpr std::string_view kPauseKind = "control_pause";
inline constexpr std::size_t kActionsKept = 10'000;

// run() belongs to one thread at a time; all else to any.
class Controller {
 public:
  // `clock` and `store` outlive it. kInvalidArgument: options that cannot be used.
  static base::Result<std::unique_ptr<Controller>> create(base::Clock& clock, Options options,
                                                          model::StateStore& store);
  ~Controller();

  // Calls for each GPU whose raw score and whose score, adjusted or not, are both under
  // `threshold`: an opinion alone acts on nobody, nor does a missing value. Those that have waited
  // longest come first. What cannot be kept for audit is not done. May take minutes where the
  // service is slow.
  void run(std::span<const model::GpuUse> gpus, double threshold);
  // Ends run() soon, and for good.
  void stop();

  Status status() const;
  // What was done, the latest first, each as the JSON object that docs/advise.md shows. May wait
  // for the disk.
  base::Result<std::vector<std::string>> actions(std::size_t most) const;

 private:
  class Impl;
  explicit Controller(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `{dry_run, url, last_run_at, last_run: {…}, total: {…}, backing_off_until, last_error, actions}`:
// both of the above as one document.
std::string control_document(const Status& status, const std::vector<std::string>& actions);

// Appends the families gpuscope_control_*, without an end of the page.
void append_metrics(const Status& status, wire::MetricsFormat format, std::string& out);

}  // namespace gpuscope::act

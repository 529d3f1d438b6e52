// The simulated machine as the stand-ins for the vendor's command-line tools see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "device/sim/machine.h"
#include "model/snapshot.h"

namespace gpuscope::tools {

// What the GPUSCOPE_SIM_* variables ask for, at one instant. One thread.
class Machine {
 public:
  // The variables that the simulated driver takes, too: see docs/simulated-tools.md.
  static base::Result<Machine> from_environment();

  // Takes the readings of this instant, for all that follows.
  void look();
  std::size_t size() const { return machine_.size(); }
  const model::GpuInfo& info(std::size_t gpu) const { return machine_.info(gpu); }
  const model::DeviceSample& sample(std::size_t gpu) const { return samples_[gpu]; }
  base::WallTime now() const { return now_; }

  // GPUs named by "0,1", by bus id or by UUID; all of them for an empty text. Nothing when one of
  // them is not there.
  std::optional<std::vector<std::size_t>> select(std::string_view ids) const;

 private:
  explicit Machine(const device::sim::Options& options) : machine_(options), options_(options) {}

  device::sim::Machine machine_;
  device::sim::Options options_;
  base::WallTime now_{};
  std::vector<model::DeviceSample> samples_;
};

// A reading as the tools write it, without its unit: whole degrees and percents, watts with two
// decimals, whole MiB and KB. Or the words for why there is none: "N/A", "GPU is lost", ….
std::string text_of(model::Metric metric, const model::Reading& reading);
// The same with its unit behind it, where there is a value and it has one.
std::string quantity_of(model::Metric metric, const model::Reading& reading);
std::string words_for(model::Absence absence);
std::string text_of(const model::Text& text);

// "P8", "Reset", "Default", "Active": what a number stands for.
std::string performance_state_of(const model::Reading& reading);
std::string recovery_action_of(const model::Reading& reading);
std::string compute_mode_of(const model::Reading& reading);
std::string flag_of(const model::Reading& reading, std::string_view yes, std::string_view no);

}  // namespace gpuscope::tools

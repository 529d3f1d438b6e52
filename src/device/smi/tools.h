// The tools, run: commands, deadlines, and what it means when one fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/subprocess.h"
#include "device/smi/dcgmi.h"
#include "device/smi/listing.h"
#include "device/smi/report.h"
#include "device/smi/smi_source.h"

namespace gpuscope::device::smi {

// Why nvidia-smi gave nothing.
struct ToolFailure {
  base::Error error;
  // The driver itself is not there or does not match: everything has to be opened again.
  bool driver = false;
  // One GPU is why nothing was said of any: its bus id, normalised. Asking for the others works.
  std::string lost_gpu{};
};

// Why dcgmi gave nothing.
struct DcgmFailure {
  base::Error error;
  enum class Cause : std::uint8_t {
    kMissing,  // there is no dcgmi: most machines have none
    kRefused,  // it said why: no host engine runs, nothing is watched
    kBroken,   // it hung, was ended by a signal, or wrote too much
  };
  Cause cause = Cause::kBroken;
};

// What nvidia-smi writes instead of an answer, as an error with its cure. Thread-safe.
ToolFailure explain_failure(std::string_view output, std::string_view errors,
                            const base::ExitStatus& status);

// One thread at a time. `interrupt` ends what runs, early.
class Tools {
 public:
  Tools(const Options& options, const base::Interrupt& interrupt)
      : options_(options), interrupt_(interrupt) {}

  // The whole document, of all GPUs. Those that keep nvidia-smi from answering are left out of the
  // question and stand in the report as lost; `known` has the bus ids of all, where they are known.
  std::expected<Report, ToolFailure> report(const std::vector<std::string>& known) const;
  // Empty when the tool cannot say.
  std::vector<ListedGpu> list() const;
  std::string help_query() const;
  // The one-time answer to --query-gpu=FIELDS, a line per GPU.
  std::string query(const std::string& fields) const;
  // What follows the values of every tick, for Subprocess::start(). `gpus` are bus ids; empty: all.
  base::Command loop(const std::string& fields, const std::vector<std::string>& gpus) const;

  std::expected<std::vector<DcgmGpu>, DcgmFailure> discovery() const;
  std::expected<DcgmHealth, DcgmFailure> health() const;

 private:
  base::Result<base::Completed> run(const std::string& tool, std::vector<std::string> arguments,
                                    std::chrono::milliseconds timeout) const;
  std::expected<std::string, DcgmFailure> run_dcgmi(std::vector<std::string> arguments) const;
  std::expected<Report, ToolFailure> report_of(const std::vector<std::string>& gpus) const;
  std::vector<std::string> gpus_of_kernel() const;

  const Options options_;
  const base::Interrupt& interrupt_;
};

}  // namespace gpuscope::device::smi

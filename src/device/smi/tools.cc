#include "device/smi/tools.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

using base::ErrorKind;

constexpr std::size_t kMaxLost = 16;  // GPUs that are left out, one after the other

// The first line that says something, as far as it can be shown.
std::string first_line(std::string_view text) {
  constexpr std::size_t kShown = 160;
  while (!text.empty()) {
    const std::string_view line = trimmed(base::take_part(text, '\n'));
    if (line.empty()) continue;
    std::string shown(line.substr(0, kShown));
    std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
    return shown;
  }
  return {};
}

struct KnownTrouble {
  std::string_view text;  // anywhere in what it wrote
  ErrorKind kind;
  std::string_view why;  // and the cure
};
constexpr std::array kKnownTroubles{
    KnownTrouble{
        "Driver/library version mismatch", ErrorKind::kUnavailable,
        "the library and the loaded kernel driver differ in version; reload the driver or reboot"},
    KnownTrouble{"couldn't communicate with the NVIDIA driver", ErrorKind::kUnavailable,
                 "the NVIDIA kernel driver is not loaded; load it (modprobe nvidia), or start the "
                 "container with GPU access"},
    KnownTrouble{"Driver Not Loaded", ErrorKind::kUnavailable,
                 "the NVIDIA kernel driver is not loaded; load it (modprobe nvidia), or start the "
                 "container with GPU access"},
    KnownTrouble{"No devices were found", ErrorKind::kNotFound,
                 "the driver is loaded and lists no GPU; see the kernel log for lines of NVRM"},
    KnownTrouble{
        "NVIDIA Management Library", ErrorKind::kUnavailable,
        "it cannot load the library libnvidia-ml.so.1; install the driver's user-space packages"},
    KnownTrouble{
        "Failed to initialize NVML: Insufficient Permissions", ErrorKind::kPermissionDenied,
        "no permission to talk to the driver; allow this user to read and write /dev/nvidiactl "
        "and /dev/nvidia*"},
    KnownTrouble{
        "Failed to initialize NVML: GPU access blocked by the operating system",
        ErrorKind::kUnavailable,
        "the operating system blocks the GPU (a cgroup or a sandbox); give the container access "
        "to the GPU devices"},
    KnownTrouble{
        "Failed to initialize NVML", ErrorKind::kUnavailable,
        "the driver does not answer; in a container, the GPU devices may have been taken away: "
        "start it again; else see the kernel log for lines of NVRM"},
};

// "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost. …", in its spellings.
std::string unreachable_gpu(std::string_view output) {
  constexpr std::string_view kStart = "Unable to determine the device handle for GPU";
  const std::size_t at = output.find(kStart);
  if (at == std::string_view::npos) return {};
  std::string_view rest = trimmed(output.substr(at + kStart.size()));
  const std::size_t end = rest.find(": ");
  return end == std::string_view::npos ? std::string() : normalized_bus_id(rest.substr(0, end));
}

}  // namespace

ToolFailure explain_failure(std::string_view output, std::string_view errors,
                            const base::ExitStatus& status) {
  const auto because = [](ErrorKind kind, std::string_view why) {
    return base::Error{kind, fmt::format("cannot read GPUs through nvidia-smi: {}", why)};
  };
  for (const std::string_view text : {output, errors}) {
    if (auto gpu = unreachable_gpu(text); !gpu.empty()) {
      return {.error = because(ErrorKind::kUnavailable, first_line(text)),
              .lost_gpu = std::move(gpu)};
    }
    for (const KnownTrouble& known : kKnownTroubles) {
      if (text.find(known.text) == std::string_view::npos) continue;
      return {.error = because(known.kind, known.why), .driver = true};
    }
  }
  std::string words = first_line(output);
  if (words.empty()) words = first_line(errors);
  std::string why = "it " + base::exit_text(status);
  if (!words.empty()) why += fmt::format(" and wrote: {}", words);
  return {.error = because(ErrorKind::kUnavailable, why)};
}

base::Result<base::Completed> Tools::run(const std::string& tool,
                                         std::vector<std::string> arguments,
                                         std::chrono::milliseconds timeout) const {
  arguments.insert(arguments.begin(), tool);
  base::RunLimits limits;
  limits.timeout = timeout;
  limits.interrupt = &interrupt_;
  return base::run_command({std::move(arguments), {}}, limits);
}

std::expected<Report, ToolFailure> Tools::report_of(const std::vector<std::string>& gpus) const {
  std::vector<std::string> arguments{"-q", "-x"};
  if (!gpus.empty())
    arguments.insert(arguments.end(), {"-i", fmt::format("{}", fmt::join(gpus, ","))});
  auto completed = run(options_.nvidia_smi, std::move(arguments), options_.tool_timeout);
  if (!completed) {
    if (completed.error().kind == ErrorKind::kNotFound) {
      completed.error().message +=
          "; install the driver's utilities, or say where nvidia-smi is (--nvidia-smi)";
    }
    return std::unexpected(ToolFailure{.error = std::move(completed.error())});
  }
  auto report = parse_report(completed->output);
  if (report && !completed->status.signal) {
    if (!report->gpus.empty()) return std::move(*report);
    return std::unexpected(explain_failure("No devices were found", {}, completed->status));
  }
  ToolFailure failure = explain_failure(completed->output, completed->errors, completed->status);
  if (!report && completed->status.success() && !failure.driver && failure.lost_gpu.empty()) {
    failure.error = std::move(report.error());
  }
  return std::unexpected(std::move(failure));
}

// The kernel's driver has a folder for each GPU, also for one that does not answer.
std::vector<std::string> Tools::gpus_of_kernel() const {
  std::vector<std::string> gpus;
  std::error_code error;
  const std::filesystem::path folder =
      std::filesystem::path(options_.root) / "proc/driver/nvidia/gpus";
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    auto id = normalized_bus_id(entry.path().filename().string());
    if (!id.empty()) gpus.push_back(std::move(id));
  }
  std::ranges::sort(gpus);
  return gpus;
}

std::expected<Report, ToolFailure> Tools::report(const std::vector<std::string>& known) const {
  auto whole = report_of({});
  if (whole || whole.error().lost_gpu.empty()) return whole;
  std::vector<std::string> all = known.empty() ? gpus_of_kernel() : known;
  std::vector<std::string> lost;
  std::vector<std::string> others = all;
  while (!whole && !whole.error().lost_gpu.empty() && lost.size() < kMaxLost) {
    lost.push_back(whole.error().lost_gpu);
    if (std::erase(others, lost.back()) == 0 || others.empty()) return whole;
    whole = report_of(others);
  }
  if (!whole) return whole;
  // In their places, as if nvidia-smi had said it.
  for (const std::string& bus_id : lost) {
    GpuReport gpu;
    gpu.bus_id = bus_id;
    gpu.lost = true;
    gpu.info.facts.fill(model::Text::none(model::Absence::kGone));
    gpu.info.fact(model::Fact::kPciBusId) = model::Text::of(bus_id);
    gpu.sample.mark_absent(model::Absence::kGone, false);
    const auto at = std::ranges::lower_bound(whole->gpus, bus_id, {}, &GpuReport::bus_id);
    whole->gpus.insert(at, std::move(gpu));
  }
  return whole;
}

std::vector<ListedGpu> Tools::list() const {
  const auto completed = run(options_.nvidia_smi, {"-L"}, options_.tool_timeout);
  return completed ? parse_listing(completed->output) : std::vector<ListedGpu>{};
}

std::string Tools::help_query() const {
  auto completed = run(options_.nvidia_smi, {"--help-query-gpu"}, options_.tool_timeout);
  return completed ? std::move(completed->output) : std::string();
}

std::string Tools::query(const std::string& fields) const {
  auto completed =
      run(options_.nvidia_smi, {"--query-gpu=" + fields, "--format=csv,noheader,nounits"},
          options_.tool_timeout);
  return completed && completed->status.success() ? std::move(completed->output) : std::string();
}

base::Command Tools::loop(const std::string& fields, const std::vector<std::string>& gpus) const {
  base::Command command{
      {options_.nvidia_smi, "--query-gpu=" + fields, "--format=csv,noheader,nounits", "-lms",
       std::to_string(options_.interval.count())},
      {}};
  if (!gpus.empty()) {
    command.arguments.insert(command.arguments.end(),
                             {"-i", fmt::format("{}", fmt::join(gpus, ","))});
  }
  return command;
}

// What it wrote, whatever its exit status: some versions end with an error after a good table.
std::expected<std::string, DcgmFailure> Tools::run_dcgmi(std::vector<std::string> arguments) const {
  auto completed = run(options_.dcgmi, arguments, options_.dcgmi_timeout);
  if (!completed) {
    const bool missing = completed.error().kind == ErrorKind::kNotFound;
    return std::unexpected(
        DcgmFailure{std::move(completed.error()),
                    missing ? DcgmFailure::Cause::kMissing : DcgmFailure::Cause::kBroken});
  }
  if (completed->status.signal) {
    return std::unexpected(DcgmFailure{
        {ErrorKind::kUnavailable, fmt::format("cannot use dcgmi {}: it {}", arguments.front(),
                                              base::exit_text(completed->status))},
        DcgmFailure::Cause::kBroken});
  }
  return trimmed(completed->output).empty() ? std::move(completed->errors)
                                            : std::move(completed->output);
}

std::expected<std::vector<DcgmGpu>, DcgmFailure> Tools::discovery() const {
  const auto text = run_dcgmi({"discovery", "-l"});
  if (!text) return std::unexpected(text.error());
  auto gpus = parse_discovery(*text);
  if (!gpus.empty()) return gpus;
  return std::unexpected(DcgmFailure{
      {ErrorKind::kUnavailable,
       fmt::format("cannot tell which GPUs dcgmi knows: it wrote: {}", first_line(*text))},
      DcgmFailure::Cause::kRefused});
}

std::expected<DcgmHealth, DcgmFailure> Tools::health() const {
  const auto text = run_dcgmi({"health", "-c", "-j"});
  if (!text) return std::unexpected(text.error());
  auto health = parse_health(*text);
  if (health) return std::move(*health);
  return std::unexpected(DcgmFailure{std::move(health.error()), DcgmFailure::Cause::kRefused});
}

}  // namespace gpuscope::device::smi

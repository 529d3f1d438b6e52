#include "device/smi/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <pugixml.hpp>
#include <span>
#include <utility>

#include "device/smi/report_rows.h"
#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Fact;
using model::Metric;
using model::Process;
using model::ProcessType;
using model::Reading;
using model::Text;

bool has_elements(pugi::xml_node node) {
  for (const pugi::xml_node child : node.children()) {
    if (child.type() == pugi::node_element) return true;
  }
  return false;
}

// What stands at a path: its text, or nothing. A container may have turned into text, such as "GPU
// is lost": then that is the text of all that would be in it.
std::optional<std::string_view> text_at(pugi::xml_node gpu, const char* path) {
  pugi::xml_node node = gpu;
  while (*path != '\0') {
    const char* end = std::strchr(path, '/');
    const std::size_t length =
        end != nullptr ? static_cast<std::size_t>(end - path) : std::strlen(path);
    pugi::xml_node found;
    for (const pugi::xml_node child : node.children()) {
      if (std::string_view(child.name()) == std::string_view(path, length)) {
        found = child;
        break;
      }
    }
    if (found.empty()) break;
    node = found;
    path += length + (end != nullptr ? 1 : 0);
  }
  if (node == gpu) return std::nullopt;
  const bool whole_path = *path == '\0';
  if (!whole_path && has_elements(node)) return std::nullopt;
  const std::string_view text = trimmed(node.text().get());
  if (!whole_path && !absence_in(text)) return std::nullopt;
  return text;
}

// Of several ways to say the same, the first that has a value; else why the first one that is there
// has none.
Reading read_metric(pugi::xml_node gpu, std::span<const ReportRow> rows) {
  std::optional<Reading> absent;
  for (const ReportRow& row : rows) {
    const auto text = text_at(gpu, row.path);
    if (!text) continue;
    const Reading reading = parse_reading(*text, row.form);
    if (reading.present()) return reading;
    if (!absent) absent = reading;
  }
  return absent.value_or(Reading::none(Absence::kUnsupported));
}

void read_rows(pugi::xml_node gpu, model::DeviceSample& sample) {
  std::span<const ReportRow> rows = report_rows();
  while (!rows.empty()) {
    std::size_t count = 1;
    while (count < rows.size() && rows[count].metric == rows.front().metric) ++count;
    sample.at(rows.front().metric) = read_metric(gpu, rows.first(count));
    rows = rows.subspan(count);
  }
}

// The sum of parts of which a card may have only some; failed where a part failed.
Reading sum_of(std::initializer_list<Reading> parts) {
  Reading sum = Reading::none(Absence::kUnsupported);
  for (const Reading& part : parts) {
    if (part.present()) {
      const std::int64_t so_far = sum.present() ? sum.value : 0;
      std::int64_t total = 0;
      if (__builtin_add_overflow(so_far, part.value, &total)) {
        return Reading::none(Absence::kFailed);
      }
      sum = Reading::of(total);
    } else if (part.absence != Absence::kUnsupported) {
      return part;
    }
  }
  return sum;
}

Reading count_at(pugi::xml_node node, const char* path) {
  const auto text = text_at(node, path);
  return text ? parse_reading(*text, Form::kCount) : Reading::none(Absence::kUnsupported);
}

// Newer documents split uncorrectable errors in SRAM by how they were found, and give no totals.
void read_ecc(pugi::xml_node gpu, model::DeviceSample& sample) {
  struct Span {
    const char* name;
    Metric corrected, uncorrected, sram_uncorrected;
    Metric sram_corrected, dram_corrected, dram_uncorrected;
  };
  constexpr std::array kSpans{
      Span{"ecc_errors/volatile", Metric::kEccCorrectedVolatile, Metric::kEccUncorrectedVolatile,
           Metric::kEccSramUncorrectedVolatile, Metric::kEccSramCorrectedVolatile,
           Metric::kEccDramCorrectedVolatile, Metric::kEccDramUncorrectedVolatile},
      Span{"ecc_errors/aggregate", Metric::kEccCorrectedAggregate, Metric::kEccUncorrectedAggregate,
           Metric::kEccSramUncorrectedAggregate, Metric::kEccSramCorrectedAggregate,
           Metric::kEccDramCorrectedAggregate, Metric::kEccDramUncorrectedAggregate}};
  for (const Span& span : kSpans) {
    const auto at = [&](const char* name) {
      return count_at(gpu, fmt::format("{}/{}", span.name, name).c_str());
    };
    Reading& sram = sample.at(span.sram_uncorrected);
    if (!sram.present()) {
      const Reading split =
          sum_of({at("sram_uncorrectable_parity"), at("sram_uncorrectable_secded")});
      if (split.absence != Absence::kUnsupported) sram = split;
    }
    const auto total = [&](Metric metric, Reading of_sram, Reading of_dram) {
      Reading& reading = sample.at(metric);
      if (reading.present()) return;
      const Reading sum = sum_of({of_sram, of_dram});
      if (sum.absence != Absence::kUnsupported) reading = sum;
    };
    total(span.corrected, sample.at(span.sram_corrected), sample.at(span.dram_corrected));
    total(span.uncorrected, sram, sample.at(span.dram_uncorrected));
  }
}

// Before there was a recovery action there were two flags.
void read_recovery(pugi::xml_node gpu, model::DeviceSample& sample) {
  constexpr std::int64_t kReset = 1;
  constexpr std::int64_t kDrainAndReset = 4;
  Reading& action = sample.at(Metric::kRecoveryAction);
  if (action.present()) return;
  const auto flag = [&](const char* path) {
    const auto text = text_at(gpu, path);
    return text ? parse_reading(*text, Form::kFlag) : Reading::none(Absence::kUnsupported);
  };
  const Reading reset = flag("gpu_reset_status/reset_required");
  const Reading drain = flag("gpu_reset_status/drain_and_reset_recommended");
  if (reset.present() && reset.value == 1) {
    action = Reading::of(kReset);
  } else if (drain.present() && drain.value == 1) {
    action = Reading::of(kDrainAndReset);
  } else if (reset.present()) {
    action = Reading::of(0);
  }
}

void derive(pugi::xml_node gpu, model::DeviceSample& sample) {
  const Reading used = sample.at(Metric::kMemoryUsed);
  const Reading total = sample.at(Metric::kMemoryTotal);
  sample.at(Metric::kMemoryUsagePercent) = memory_usage(used, total);
  // A vGPU host with SR-IOV says so beside its mode.
  constexpr std::int64_t kHost = 3;
  constexpr std::int64_t kHostWithSriov = 4;
  Reading& mode = sample.at(Metric::kVirtualizationMode);
  if (mode == Reading::of(kHost) &&
      text_at(gpu, "gpu_virtualization_mode/host_vgpu_mode") == "SR-IOV") {
    mode = Reading::of(kHostWithSriov);
  }
}

ProcessType process_type(std::string_view text) {
  const bool computes = text.find('C') != std::string_view::npos;
  if (text.find('G') == std::string_view::npos) return ProcessType::kCompute;
  return computes ? ProcessType::kComputeAndGraphics : ProcessType::kGraphics;
}

// A process may stand in the list several times: as one that computes and one that draws, or once
// for each MIG instance. As with NVML's lists, it has then the most memory of them.
void add_process(pugi::xml_node node, std::vector<Process>& processes) {
  const auto pid = parse_number(node.child_value("pid"));
  if (!pid || *pid < 0 || *pid > std::numeric_limits<std::uint32_t>::max()) return;
  const Reading memory = parse_reading(node.child_value("used_memory"), Form::kMebibytes);
  const ProcessType type = process_type(trimmed(node.child_value("type")));
  const auto number = static_cast<std::uint32_t>(*pid);
  const auto at = std::ranges::lower_bound(processes, number, {}, &Process::pid);
  const std::size_t column = model::column(Metric::kProcessMemory);
  if (at == processes.end() || at->pid != number) {
    Process& process = *processes.insert(at, Process{});
    process.pid = number;
    process.type = type;
    const Text name = parse_text(node.child_value("process_name"));
    if (name.present()) process.name = program_name(name.value);
    process.row.fill(Reading::none(Absence::kUnsupported));
    process.row[column] = memory;
    return;
  }
  if (at->type != type) at->type = ProcessType::kComputeAndGraphics;
  Reading& known = at->row[column];
  if (memory.present() && (!known.present() || memory.value > known.value)) known = memory;
}

void read_processes(pugi::xml_node gpu, model::DeviceSample& sample) {
  const pugi::xml_node list = gpu.child("processes");
  if (list.empty()) {
    sample.processes_absence = Absence::kUnsupported;
  } else if (!has_elements(list) && !trimmed(list.text().get()).empty()) {
    const std::string_view text = trimmed(list.text().get());
    // "None" of them is an answer.
    sample.processes_absence =
        text == "None" ? Absence::kPresent : absence_in(text).value_or(Absence::kFailed);
  } else {
    sample.processes_absence = Absence::kPresent;
    for (const pugi::xml_node process : list.children("process_info")) {
      add_process(process, sample.processes);
    }
  }
  Reading compute = Reading::none(sample.processes_absence);
  Reading graphics = compute;
  if (sample.processes_absence == Absence::kPresent) {
    const auto all = static_cast<std::int64_t>(sample.processes.size());
    compute = Reading::of(
        all - std::ranges::count(sample.processes, ProcessType::kGraphics, &Process::type));
    graphics = Reading::of(
        all - std::ranges::count(sample.processes, ProcessType::kCompute, &Process::type));
  }
  sample.at(Metric::kComputeProcesses) = compute;
  sample.at(Metric::kGraphicsProcesses) = graphics;
}

std::uint32_t id_of(pugi::xml_node node, const char* name) {
  const auto number = parse_number(node.child_value(name));
  return number && *number >= 0 && *number <= std::numeric_limits<std::uint32_t>::max()
             ? static_cast<std::uint32_t>(*number)
             : 0;
}

void read_mig(pugi::xml_node gpu, GpuReport& report) {
  for (const pugi::xml_node device : gpu.child("mig_devices").children("mig_device")) {
    model::MigInstance& instance = report.sample.mig_instances.emplace_back();
    instance.gpu_instance_id = id_of(device, "gpu_instance_id");
    instance.compute_instance_id = id_of(device, "compute_instance_id");
    instance.row.fill(Reading::none(Absence::kUnsupported));
    const auto set = [&](Metric metric, const char* path, Form form) {
      if (const auto text = text_at(device, path)) {
        instance.row[model::column(metric)] = parse_reading(*text, form);
      }
    };
    set(Metric::kMigMemoryUsed, "fb_memory_usage/used", Form::kMebibytes);
    set(Metric::kMigMemoryFree, "fb_memory_usage/free", Form::kMebibytes);
    set(Metric::kMigMemoryTotal, "fb_memory_usage/total", Form::kMebibytes);
    constexpr const char* kErrors = "ecc_error_count/volatile_count";
    const auto errors = [&](const char* name) {
      return count_at(device, fmt::format("{}/{}", kErrors, name).c_str());
    };
    instance.row[model::column(Metric::kMigEccUncorrected)] =
        sum_of({errors("sram_uncorrectable"), errors("sram_uncorrectable_parity"),
                errors("sram_uncorrectable_secded")});
    const auto position = static_cast<std::int64_t>(report.mig_indices.size());
    report.mig_indices.push_back(parse_number(device.child_value("index")).value_or(position));
  }
}

Text fact_at(pugi::xml_node node, const char* path) {
  const auto text = text_at(node, path);
  return text ? parse_text(*text) : Text::none(Absence::kUnsupported);
}

void read_facts(pugi::xml_node root, pugi::xml_node gpu, GpuReport& report) {
  struct Row {
    Fact fact;
    const char* path;
  };
  constexpr std::array kRows{
      Row{Fact::kName, "product_name"},
      Row{Fact::kUuid, "uuid"},
      Row{Fact::kSerial, "serial"},
      Row{Fact::kVbios, "vbios_version"},
      Row{Fact::kPciBusId, "pci/pci_bus_id"},
      Row{Fact::kBrand, "product_brand"},
      Row{Fact::kArchitecture, "product_architecture"},
      Row{Fact::kBoardPartNumber, "board_part_number"},
      Row{Fact::kBoardId, "board_id"},
      Row{Fact::kInforomImage, "inforom_version/img_version"},
      Row{Fact::kInforomOem, "inforom_version/oem_object"},
      Row{Fact::kInforomEcc, "inforom_version/ecc_object"},
      Row{Fact::kInforomPower, "inforom_version/pwr_object"},
      Row{Fact::kGspFirmware, "gsp_firmware_version"},
  };
  model::GpuInfo& info = report.info;
  info.facts.fill(Text::none(Absence::kUnsupported));
  for (const Row& row : kRows) info.fact(row.fact) = fact_at(gpu, row.path);
  info.fact(Fact::kDriverVersion) = fact_at(root, "driver_version");
  info.fact(Fact::kCudaVersion) = fact_at(root, "cuda_version");
  // As NVML names it, so that both methods agree.
  Text& architecture = info.fact(Fact::kArchitecture);
  if (architecture.value == "Ada Lovelace") architecture.value = "Ada";
  report.bus_id = normalized_bus_id(gpu.attribute("id").value());
  if (report.bus_id.empty()) report.bus_id = normalized_bus_id(info.fact(Fact::kPciBusId).value);
  if (!info.fact(Fact::kPciBusId).present() && !report.bus_id.empty()) {
    info.fact(Fact::kPciBusId) = Text::of(report.bus_id);
  }
}

// What these say together is said of the GPU as a whole.
void judge(pugi::xml_node gpu, GpuReport& report) {
  constexpr std::array kTelling{"fb_memory_usage/used", "utilization/gpu_util",
                                "temperature/gpu_temp", "clocks/sm_clock", "performance_state"};
  bool needs_reset = false;
  for (const char* path : kTelling) {
    const auto text = text_at(gpu, path);
    if (!text) continue;
    report.lost = report.lost || absence_in(*text) == Absence::kGone;
    needs_reset = needs_reset || asks_for_reset(*text);
  }
  Reading& action = report.sample.at(Metric::kRecoveryAction);
  if (needs_reset && !action.present()) action = Reading::of(1);
  if (report.lost) report.sample.mark_absent(Absence::kGone, /*keep_once=*/true);
}

GpuReport read_gpu(pugi::xml_node root, pugi::xml_node gpu) {
  GpuReport report;
  report.sample.mark_absent(Absence::kUnsupported, false);
  read_facts(root, gpu, report);
  read_rows(gpu, report.sample);
  read_ecc(gpu, report.sample);
  read_recovery(gpu, report.sample);
  derive(gpu, report.sample);
  read_processes(gpu, report.sample);
  read_mig(gpu, report);
  judge(gpu, report);
  return report;
}

// Where the document begins: some builds warn of a GPU's troubles in front of it.
std::size_t document_start(std::string_view text) {
  for (const std::string_view mark : {"<?xml", "<!DOCTYPE nvidia_smi_log", "<nvidia_smi_log"}) {
    if (const std::size_t at = text.find(mark); at != std::string_view::npos) return at;
  }
  return std::string_view::npos;
}

base::Result<Report> cannot(std::string_view why) {
  return base::fail(base::ErrorKind::kUnavailable,
                    fmt::format("cannot understand what nvidia-smi -q -x wrote: {}", why));
}

}  // namespace

Reading memory_usage(const Reading& used, const Reading& total) {
  if (!used.present()) return Reading::none(used.absence);
  if (!total.present()) return Reading::none(total.absence);
  constexpr std::int64_t kWhole = 10'000;
  std::int64_t scaled = 0;
  if (total.value <= 0 || __builtin_mul_overflow(used.value, kWhole, &scaled) ||
      scaled > std::numeric_limits<std::int64_t>::max() - total.value) {
    return Reading::none(Absence::kUnsupported);
  }
  return Reading::of((scaled + total.value / 2) / total.value);
}

base::Result<Report> parse_report(std::string_view text) {
  const std::size_t start = document_start(text);
  if (start == std::string_view::npos) return cannot("there is no XML in it");
  text.remove_prefix(start);
  pugi::xml_document document;
  const pugi::xml_parse_result parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed) {
    return cannot(fmt::format("{} at byte {}", parsed.description(),
                              start + static_cast<std::size_t>(parsed.offset)));
  }
  const pugi::xml_node root = document.child("nvidia_smi_log");
  if (root.empty()) return cannot("it has no element nvidia_smi_log");
  Report report;
  report.simulated = !root.child(kSimulatedElement).empty();
  for (const pugi::xml_node gpu : root.children("gpu")) report.gpus.push_back(read_gpu(root, gpu));
  return report;
}

}  // namespace gpuscope::device::smi

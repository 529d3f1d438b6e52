#include "parity/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/decimal.h"

namespace gpuscope::parity {
namespace {

using model::DeviceSample;
using model::MetricInfo;
using model::Reading;

constexpr std::int64_t kMib = std::int64_t{1} << 20U;

std::string text_of(const MetricInfo& row, const Reading& reading) {
  if (!reading.present()) return std::string(model::absence_name(reading.absence));
  std::string text;
  base::append_decimal(text, reading.value, row.decimals);
  return text + std::string(model::unit_symbol(row.unit));
}

void compare_reading(const std::string& where, const MetricInfo& row, const Reading& nvml,
                     const Reading& smi, std::int64_t tolerance, Comparison& into) {
  const std::string key(row.key);
  if (nvml.present() && !smi.present()) into.only_nvml.insert(key);
  if (smi.present() && !nvml.present()) into.only_smi.insert(key);
  const bool one_is_gone =
      (nvml.absence == model::Absence::kGone) != (smi.absence == model::Absence::kGone);
  const bool both = nvml.present() && smi.present();
  if (both) {
    Spread& spread = into.both[key];
    const bool wider = std::abs(nvml.value - smi.value) > std::abs(spread.nvml - spread.smi);
    if (spread.compared++ == 0 || wider) {
      spread.nvml = nvml.value;
      spread.smi = smi.value;
    }
  }
  if (one_is_gone || (both && std::abs(nvml.value - smi.value) > tolerance)) {
    into.differences.push_back(
        {fmt::format("{} {}", where, row.key), text_of(row, nvml), text_of(row, smi)});
  }
}

template <typename Row>
void compare_rows(const std::string& where, model::Entity entity, const Row& nvml, const Row& smi,
                  const DeviceSample& sample, Comparison& into) {
  for (const MetricInfo& row : model::metrics(entity)) {
    const std::size_t column = model::column(row.id);
    compare_reading(where, row, nvml[column], smi[column], rounding(row, sample), into);
  }
}

void compare_text(const std::string& where, const std::string& nvml, const std::string& smi,
                  Comparison& into) {
  if (nvml != smi) into.differences.push_back({where, nvml, smi});
}

void compare_processes(const std::string& where, const DeviceSample& nvml, const DeviceSample& smi,
                       Comparison& into) {
  if (nvml.processes_absence != model::Absence::kPresent ||
      smi.processes_absence != model::Absence::kPresent) {
    return;
  }
  compare_text(where + " number of processes", std::to_string(nvml.processes.size()),
               std::to_string(smi.processes.size()), into);
  for (const model::Process& process : nvml.processes) {
    const std::string name = fmt::format("{} process {}", where, process.pid);
    const auto other = std::ranges::find(smi.processes, process.pid, &model::Process::pid);
    if (other == smi.processes.end()) {
      into.differences.push_back({name, process.name, "not there"});
      continue;
    }
    compare_text(name + " name", process.name, other->name, into);
    compare_text(name + " type", std::string(model::process_type_name(process.type)),
                 std::string(model::process_type_name(other->type)), into);
    compare_rows(name, model::Entity::kProcess, process.row, other->row, nvml, into);
  }
}

void compare_mig(const std::string& where, const DeviceSample& nvml, const DeviceSample& smi,
                 Comparison& into) {
  // A source that reads no instances has nothing to be held against.
  if (nvml.mig_instances.empty() || smi.mig_instances.empty()) {
    if (!nvml.mig_instances.empty()) into.only_nvml.insert("MIG instances");
    if (!smi.mig_instances.empty()) into.only_smi.insert("MIG instances");
    return;
  }
  compare_text(where + " number of MIG instances", std::to_string(nvml.mig_instances.size()),
               std::to_string(smi.mig_instances.size()), into);
  for (const model::MigInstance& instance : nvml.mig_instances) {
    const std::string name = fmt::format("{} {}", where, instance.uuid);
    const auto other =
        std::ranges::find(smi.mig_instances, instance.uuid, &model::MigInstance::uuid);
    if (other == smi.mig_instances.end()) {
      into.differences.push_back({name, "there", "not there"});
      continue;
    }
    compare_text(name + " profile", instance.profile, other->profile, into);
    compare_text(name + " ids",
                 fmt::format("{}/{}", instance.gpu_instance_id, instance.compute_instance_id),
                 fmt::format("{}/{}", other->gpu_instance_id, other->compute_instance_id), into);
    compare_rows(name, model::Entity::kMigInstance, instance.row, other->row, nvml, into);
  }
}

void compare_facts(const std::string& where, const model::GpuInfo& nvml, const model::GpuInfo& smi,
                   Comparison& into) {
  for (const model::FactInfo& row : model::facts()) {
    const model::Text& one = nvml.fact(row.id);
    const model::Text& other = smi.fact(row.id);
    const std::string key = fmt::format("fact {}", row.key);
    if (one.present() && !other.present()) into.only_nvml.insert(key);
    if (other.present() && !one.present()) into.only_smi.insert(key);
    if (one.present() && other.present()) {
      compare_text(fmt::format("{} {}", where, row.key), one.value, other.value, into);
    }
  }
}

}  // namespace

std::int64_t rounding(const MetricInfo& row, const DeviceSample& sample) {
  switch (row.unit) {
    case model::Unit::kBytes:
      return kMib;
    case model::Unit::kBytesPerSecond:
      return 1000;
    case model::Unit::kWatts:
      return 10;
    case model::Unit::kSeconds:
      return 1000;
    case model::Unit::kPercent: {
      if (row.id != model::Metric::kMemoryUsagePercent) return 0;
      // Two values in whole MiB.
      const Reading total = sample.at(model::Metric::kMemoryTotal);
      return total.present() && total.value >= kMib ? 20'000 / (total.value / kMib) + 1 : 0;
    }
    default:
      return 0;
  }
}

bool never_moves(const Difference& difference) {
  for (const MetricInfo& row : model::metrics()) {
    if (difference.where.ends_with(" " + std::string(row.key))) {
      return row.cadence == model::Cadence::kOnce;
    }
  }
  return difference.where.find("process") == std::string::npos;
}

void compare(const View& nvml, const View& smi, Comparison& into) {
  compare_text("number of GPUs", std::to_string(nvml.devices.size()),
               std::to_string(smi.devices.size()), into);
  for (std::size_t i = 0; i < std::min(nvml.devices.size(), smi.devices.size()); ++i) {
    const std::string where = fmt::format("GPU {}", i);
    const DeviceSample& one = nvml.devices[i];
    const DeviceSample& other = smi.devices[i];
    compare_facts(where, nvml.inventory->gpus[i], smi.inventory->gpus[i], into);
    compare_rows(where, model::Entity::kGpu, one.gpu, other.gpu, one, into);
    compare_processes(where, one, other, into);
    compare_mig(where, one, other, into);
    if (!one.fans.empty() && other.fans.empty()) into.only_nvml.insert("fans, one by one");
    if (!one.links.empty() && other.links.empty()) into.only_nvml.insert("NVLinks, one by one");
  }
}

std::string table_of(const Comparison& comparison) {
  std::string text = fmt::format("{:<42} {:>22} {:>22} {:>16} {:>9}\n", "metric", "nvml", "smi",
                                 "furthest apart", "compared");
  for (const auto& [key, spread] : comparison.both) {
    const auto metric = model::find_metric(key);
    if (!metric) continue;
    const MetricInfo& row = model::info(*metric);
    text +=
        fmt::format("{:<42} {:>22} {:>22} {:>16} {:>9}\n", key,
                    text_of(row, Reading::of(spread.nvml)), text_of(row, Reading::of(spread.smi)),
                    text_of(row, Reading::of(std::abs(spread.nvml - spread.smi))), spread.compared);
  }
  const auto list = [&](const char* title, const std::set<std::string>& keys) {
    text += fmt::format("\n{}:\n", title);
    for (const std::string& key : keys) text += "  " + key + "\n";
  };
  list("only through nvml", comparison.only_nvml);
  list("only through smi", comparison.only_smi);
  text += "\nthat never change, and yet differ:\n";
  for (const Difference& difference : comparison.differences) {
    if (!never_moves(difference)) continue;
    text +=
        fmt::format("  {}: nvml {}, smi {}\n", difference.where, difference.nvml, difference.smi);
  }
  return text;
}

}  // namespace gpuscope::parity

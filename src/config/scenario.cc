#include "config/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/nearest.h"
#include "config/yaml_screen.h"
#include "device/sim/options.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;
using device::sim::CardModel;
using device::sim::Fault;
using device::sim::FaultKind;
using device::sim::Milliseconds;
using device::sim::Phase;
using device::sim::Scenario;

constexpr std::size_t kMaxScenarioMistakes = 20;

// ---- what there is to say, as tables

template <typename T>
struct NumberKey {
  std::string_view key;
  double T::* field;
  double low;
  double high;
};
template <typename T>
struct WholeKey {
  std::string_view key;
  int T::* field;
  int low;
  int high;
};

constexpr std::array<NumberKey<CardModel>, 10> kCardNumbers{{
    {"memory_mib", &CardModel::memory_mib, 1024, 1 << 21},
    {"power_limit_watts", &CardModel::power_limit_watts, 10, 5000},
    {"idle_power_watts", &CardModel::idle_power_watts, 0, 5000},
    {"gpu_clock_max_mhz", &CardModel::gpu_clock_max_mhz, 100, 10'000},
    {"memory_clock_mhz", &CardModel::memory_clock_mhz, 100, 30'000},
    {"ambient_celsius", &CardModel::ambient_celsius, -20, 60},
    {"rise_celsius", &CardModel::rise_celsius, 1, 200},
    {"temperature_max_celsius", &CardModel::temperature_max_celsius, 30, 150},
    {"temperature_slowdown_celsius", &CardModel::temperature_slowdown_celsius, 30, 150},
    {"temperature_shutdown_celsius", &CardModel::temperature_shutdown_celsius, 30, 150},
}};
constexpr std::array<WholeKey<CardModel>, 7> kCardWholes{{
    {"pcie_generation", &CardModel::pcie_generation, 1, 7},
    {"pcie_width", &CardModel::pcie_width, 1, 32},
    {"fans", &CardModel::fans, 0, device::sim::kMaxFans},
    {"nvlinks", &CardModel::nvlinks, 0, device::sim::kMaxLinks},
    {"mig_instances", &CardModel::mig_instances, 0, device::sim::kMaxMigInstances},
    {"virtualization_mode", &CardModel::virtualization_mode, 0, 4},
    {"vgpu_instances", &CardModel::vgpu_instances, 0, device::sim::kMaxVgpuInstances},
}};
struct FlagKey {
  std::string_view key;
  bool CardModel::* field;
};
constexpr std::array<FlagKey, 2> kCardFlags{{
    {"unified_memory", &CardModel::unified_memory},
    {"vgpu_licensed", &CardModel::vgpu_licensed},
}};
constexpr std::array<NumberKey<Phase>, 10> kPhaseNumbers{{
    {"utilization_percent", &Phase::utilization_percent, 0, 100},
    {"wander_percent", &Phase::wander_percent, 0, 50},
    {"power_percent", &Phase::power_percent, 0, 150},
    {"memory_utilization_percent", &Phase::memory_utilization_percent, 0, 100},
    {"memory_used_percent", &Phase::memory_used_percent, 0, 100},
    {"tensor_percent", &Phase::tensor_percent, 0, 100},
    {"encoder_percent", &Phase::encoder_percent, 0, 100},
    {"decoder_percent", &Phase::decoder_percent, 0, 100},
    {"pcie_mb_per_second", &Phase::pcie_mb_per_second, 0, 500'000},
    {"nvlink_mb_per_second", &Phase::nvlink_mb_per_second, 0, 2'000'000},
}};

struct FaultRow {
  std::string_view name;
  FaultKind kind;
  std::string_view amount;  // the key of its number; empty: it has none
  double low;
  double high;
};
constexpr std::array<FaultRow, device::sim::kFaultKindCount> kFaults{{
    {"cooling", FaultKind::kCooling, "heat_factor", 1, 20},
    {"power_cap", FaultKind::kPowerCap, "limit_percent", 10, 100},
    {"ecc_corrected", FaultKind::kEccCorrected, "per_minute", 0.001, 1e6},
    {"ecc_uncorrected", FaultKind::kEccUncorrected, "per_minute", 0.001, 1e6},
    {"remap_pending", FaultKind::kRemapPending, "", 0, 0},
    {"remap_failure", FaultKind::kRemapFailure, "", 0, 0},
    {"lost", FaultKind::kLost, "", 0, 0},
    {"nvlink_down", FaultKind::kNvlinkDown, "links", 1, device::sim::kMaxLinks},
    {"nvlink_errors", FaultKind::kNvlinkErrors, "per_minute", 0.001, 1e6},
    {"pcie_degraded", FaultKind::kPcieDegraded, "lanes", 1, 32},
    {"pcie_replays", FaultKind::kPcieReplays, "per_minute", 0.001, 1e6},
    {"pcie_slow", FaultKind::kPcieSlow, "generation", 1, 7},
    {"xid", FaultKind::kXid, "number", 1, device::sim::kMaxXid},
}};

constexpr std::array<std::string_view, 8> kTopKeys{
    "version", "description", "gpus", "card", "lockstep", "phases", "faults", "unsupported"};

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  const auto number = base::parse_number<Number>(text);
  if constexpr (std::is_floating_point_v<Number>) {
    if (number && !std::isfinite(*number)) return std::nullopt;
  }
  return number;
}

std::string join(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

// Reads one document and keeps what it finds wrong.
class ScenarioReader {
 public:
  explicit ScenarioReader(std::string_view file) : file_(file) { scenario_.name = file; }

  base::Result<Scenario> read(const std::string& text) {
    if (const auto root = load_yaml(text)) {
      read_root(*root);
    } else {
      mistake(root.error().line, "", root.error().what);
    }
    if (mistakes_.empty()) return std::move(scenario_);
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use the scenario {}:\n{}", file_, fmt::join(mistakes_, "\n")));
  }

 private:
  static int line_of(const YAML::Node& node) {
    return node.Mark().is_null() ? 1 : node.Mark().line + 1;
  }

  void mistake(int line, std::string_view key, std::string_view what) {
    if (mistakes_.size() >= kMaxScenarioMistakes) return;
    mistakes_.push_back(fmt::format("{}:{}: {}{}{}", file_, line, base::escape_log_text(key),
                                    key.empty() ? "" : ": ", base::escape_log_text(what)));
  }
  void mistake(const YAML::Node& node, std::string_view key, std::string_view what) {
    mistake(line_of(node), key, what);
  }
  // `node` is none of what its key takes.
  void wrong(const YAML::Node& node, std::string_view key, std::string_view takes) {
    mistake(node, key,
            node.IsScalar() ? fmt::format("'{}' is not {}", shown(node), takes)
                            : fmt::format("takes {}", takes));
  }
  static std::string shown(const YAML::Node& node) { return node.Scalar().substr(0, 60); }

  // Calls `read(key, value)` for every entry; it says whether it knows the key.
  template <typename Read>
  void read_map(const YAML::Node& map, const std::string& path,
                std::span<const std::string_view> keys, const Read& read) {
    if (!map.IsMap()) {
      mistake(map, path, fmt::format("takes lines of the form 'key: value', with {}", join(keys)));
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        mistake(entry.first, path, "a key is one word");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const std::string full = (path.empty() ? "" : path + ".") + key.substr(0, 60);
      if (!seen.insert(key).second) {
        mistake(entry.first, full, "stands here for the second time");
      } else if (std::ranges::find(keys, key) == keys.end()) {
        const std::string_view near = nearest(key, keys);
        mistake(entry.first, full,
                near.empty() ? fmt::format("there is no such key; there are {}", join(keys))
                             : fmt::format("there is no such key; did you mean '{}'?", near));
      } else {
        read(std::string_view(key), full, entry.second);
      }
    }
  }

  // Calls `read(item, path)` for every item of a list of at most `most`.
  template <typename Read>
  void read_list(const YAML::Node& node, const std::string& path, std::size_t most,
                 std::string_view takes, const Read& read) {
    if (!node.IsSequence()) return wrong(node, path, takes);
    if (node.size() > most) {
      return mistake(node, path, fmt::format("has {} items, of {} at most", node.size(), most));
    }
    std::size_t i = 0;
    for (const auto& item : node) read(item, fmt::format("{}[{}]", path, i++));
  }

  void read_number(const YAML::Node& node, const std::string& path, double low, double high,
                   double& out) {
    const auto number = node.IsScalar() ? number_of<double>(node.Scalar()) : std::nullopt;
    if (!number || *number < low || *number > high) {
      return wrong(node, path, fmt::format("a number from {} to {}", low, high));
    }
    out = *number;
  }

  void read_whole(const YAML::Node& node, const std::string& path, int low, int high, int& out) {
    const auto number = node.IsScalar() ? number_of<int>(node.Scalar()) : std::nullopt;
    if (!number || *number < low || *number > high) {
      return wrong(node, path, fmt::format("a whole number from {} to {}", low, high));
    }
    out = *number;
  }

  void read_bool(const YAML::Node& node, const std::string& path, bool& out) {
    if (!node.IsScalar() || (node.Scalar() != "true" && node.Scalar() != "false")) {
      return wrong(node, path, "true or false");
    }
    out = node.Scalar() == "true";
  }

  void read_text(const YAML::Node& node, const std::string& path, std::size_t most,
                 std::string& out) {
    if (!node.IsScalar() || node.Scalar().empty() || node.Scalar().size() > most) {
      return mistake(node, path, fmt::format("takes a text of 1 to {} bytes", most));
    }
    out = node.Scalar();
  }

  // In whole steps, up to the longest period.
  void read_duration(const YAML::Node& node, const std::string& path, Milliseconds low,
                     Milliseconds& out) {
    const auto duration = node.IsScalar() ? base::parse_duration(node.Scalar()) : std::nullopt;
    if (!duration) return wrong(node, path, base::kDurationTakes);
    if (*duration < low || *duration > device::sim::kMaxPeriod ||
        *duration % device::sim::kStep != Milliseconds{0}) {
      return wrong(node, path, "between 100ms and 1h in steps of 100ms");
    }
    out = *duration;
  }

  void read_root(const YAML::Node& root) {
    bool has_version = false;
    const YAML::Node* phases = nullptr;
    YAML::Node faults;
    YAML::Node card;
    read_map(root, "", kTopKeys,
             [&](std::string_view key, const std::string& path, const YAML::Node& value) {
               if (key == "version") {
                 int version = 0;
                 has_version = true;
                 read_whole(value, path, 1, 1, version);
               } else if (key == "description") {
                 read_text(value, path, 1000, scenario_.description);
               } else if (key == "gpus") {
                 int count = 1;
                 read_whole(value, path, 1, device::sim::kMaxGpus, count);
                 scenario_.gpus = count;
               } else if (key == "lockstep") {
                 read_bool(value, path, scenario_.lockstep);
               } else if (key == "card") {
                 read_card(value, path);
               } else if (key == "phases") {
                 phases = &root;
                 read_phases(value, path);
               } else if (key == "faults") {
                 faults.reset(value);
               } else {
                 read_unsupported(value, path);
               }
             });
    if (!root.IsMap()) return;
    if (!has_version) mistake(root, "version", "is missing: write 'version: 1'");
    if (phases == nullptr) mistake(root, "phases", "is missing: what the GPUs do, a list");
    // Their windows lie within the period, which is known only now.
    if (faults.IsDefined() && !faults.IsNull()) read_faults(faults);
  }

  void read_card(const YAML::Node& node, const std::string& path) {
    std::vector<std::string_view> keys{"name"};
    for (const auto& row : kCardNumbers) keys.push_back(row.key);
    for (const auto& row : kCardWholes) keys.push_back(row.key);
    for (const auto& row : kCardFlags) keys.push_back(row.key);
    CardModel card;
    read_map(node, path, keys,
             [&](std::string_view key, const std::string& full, const YAML::Node& value) {
               if (key == "name") return read_text(value, full, 64, card.name);
               for (const auto& row : kCardNumbers) {
                 if (row.key == key) read_number(value, full, row.low, row.high, card.*row.field);
               }
               for (const auto& row : kCardWholes) {
                 if (row.key == key) read_whole(value, full, row.low, row.high, card.*row.field);
               }
               for (const auto& row : kCardFlags) {
                 if (row.key == key) read_bool(value, full, card.*row.field);
               }
             });
    if (card.idle_power_watts > card.power_limit_watts) {
      mistake(node, path + ".idle_power_watts",
              fmt::format("{} is above power_limit_watts, {}", card.idle_power_watts,
                          card.power_limit_watts));
    }
    if (!(card.ambient_celsius < card.temperature_max_celsius &&
          card.temperature_max_celsius < card.temperature_slowdown_celsius &&
          card.temperature_slowdown_celsius < card.temperature_shutdown_celsius)) {
      mistake(node, path,
              "its temperatures have to rise in this order: ambient_celsius, "
              "temperature_max_celsius, temperature_slowdown_celsius, "
              "temperature_shutdown_celsius");
    }
    scenario_.card = std::move(card);
  }

  void read_phases(const YAML::Node& node, const std::string& path) {
    std::vector<std::string_view> keys{"duration", "processes"};
    for (const auto& row : kPhaseNumbers) keys.push_back(row.key);
    read_list(node, path, device::sim::kMaxPhases, "a list of phases",
              [&](const YAML::Node& item, const std::string& at) { read_phase(item, at, keys); });
    if (node.IsSequence() && node.size() == 0) mistake(node, path, "takes one phase at least");
    for (const Phase& phase : scenario_.phases) period_ += phase.duration;
    if (period_ > device::sim::kMaxPeriod) {
      mistake(node, path, "last longer than 1h together");
    }
  }

  void read_phase(const YAML::Node& node, const std::string& path,
                  std::span<const std::string_view> keys) {
    Phase phase;
    read_map(node, path, keys,
             [&](std::string_view key, const std::string& full, const YAML::Node& value) {
               if (key == "duration") {
                 return read_duration(value, full, device::sim::kStep, phase.duration);
               }
               if (key == "processes") return read_processes(value, full, phase);
               for (const auto& row : kPhaseNumbers) {
                 if (row.key == key) read_number(value, full, row.low, row.high, phase.*row.field);
               }
             });
    scenario_.phases.push_back(phase);
  }

  // A number, or the least and the most: [0, 5].
  void read_processes(const YAML::Node& node, const std::string& path, Phase& phase) {
    if (node.IsSequence() && node.size() == 2) {
      read_whole(node[0], path + "[0]", 0, device::sim::kMaxProcesses, phase.processes_min);
      read_whole(node[1], path + "[1]", 0, device::sim::kMaxProcesses, phase.processes_max);
      if (phase.processes_min > phase.processes_max) {
        mistake(node, path, "the first number is the lower one");
        phase.processes_max = phase.processes_min;
      }
      return;
    }
    if (!node.IsScalar()) {
      return wrong(node, path, "a whole number, or the least and the most: [0, 5]");
    }
    read_whole(node, path, 0, device::sim::kMaxProcesses, phase.processes_min);
    phase.processes_max = phase.processes_min;
  }

  void read_faults(const YAML::Node& node) {
    read_list(node, "faults", device::sim::kMaxFaults, "a list of faults",
              [&](const YAML::Node& item, const std::string& at) { read_fault(item, at); });
    const auto physical = std::ranges::count_if(scenario_.faults, [](const Fault& fault) {
      return fault.kind == FaultKind::kCooling || fault.kind == FaultKind::kPowerCap;
    });
    if (static_cast<std::size_t>(physical) > device::sim::kMaxPhysicalFaults) {
      mistake(node, "faults",
              fmt::format("has {} of kind cooling and power_cap, of {} at most", physical,
                          device::sim::kMaxPhysicalFaults));
    }
  }

  // The kind decides which other keys there are.
  const FaultRow* kind_of(const YAML::Node& node, const std::string& path) {
    std::array<std::string_view, kFaults.size()> names;
    std::ranges::transform(kFaults, names.begin(), &FaultRow::name);
    if (!node.IsMap()) {
      mistake(node, path, "takes lines of the form 'key: value', 'kind' among them");
      return nullptr;
    }
    const YAML::Node kind = node["kind"];
    if (!kind.IsDefined()) {
      mistake(node, path + ".kind", fmt::format("is missing: one of {}", join(names)));
      return nullptr;
    }
    const auto* row = kind.IsScalar() ? std::ranges::find(kFaults, kind.Scalar(), &FaultRow::name)
                                      : kFaults.end();
    if (row != kFaults.end()) return row;
    const std::string_view near = kind.IsScalar() ? nearest(kind.Scalar(), names) : "";
    wrong(kind, path + ".kind",
          near.empty() ? fmt::format("one of {}", join(names))
                       : fmt::format("a kind of fault; did you mean '{}'?", near));
    return nullptr;
  }

  void read_fault(const YAML::Node& node, const std::string& path) {
    const FaultRow* row = kind_of(node, path);
    if (row == nullptr) return;
    std::vector<std::string_view> keys{"kind", "gpus", "from", "until"};
    if (!row->amount.empty()) keys.push_back(row->amount);
    Fault fault;
    fault.kind = row->kind;
    bool has_amount = false;
    read_map(node, path, keys,
             [&](std::string_view key, const std::string& full, const YAML::Node& value) {
               if (key == "gpus") return read_gpus(value, full, fault);
               if (key == "from") return read_duration(value, full, Milliseconds{0}, fault.from);
               if (key == "until") {
                 fault.until = device::sim::kMaxPeriod;
                 return read_duration(value, full, device::sim::kStep, *fault.until);
               }
               if (key == row->amount) {
                 has_amount = true;
                 read_number(value, full, row->low, row->high, fault.amount);
               }
             });
    if (!row->amount.empty() && !has_amount) {
      mistake(node, fmt::format("{}.{}", path, row->amount),
              fmt::format("is missing: a number from {} to {}", row->low, row->high));
    }
    if (fault.from >= fault.until.value_or(period_) || fault.from >= period_) {
      mistake(node, path,
              fmt::format("begins at {} ms, which is not before its end or that of the period "
                          "({} ms)",
                          fault.from.count(), period_.count()));
    }
    scenario_.faults.push_back(std::move(fault));
  }

  void read_gpus(const YAML::Node& node, const std::string& path, Fault& fault) {
    constexpr std::string_view kTakes = "a list of GPU indexes, such as [0, 3]";
    read_list(node, path, device::sim::kMaxGpus, kTakes,
              [&](const YAML::Node& item, const std::string& at) {
                int gpu = 0;
                read_whole(item, at, 0, device::sim::kMaxGpus - 1, gpu);
                fault.gpus.push_back(gpu);
              });
    if (node.IsSequence() && node.size() == 0) wrong(node, path, kTakes);
  }

  void read_unsupported(const YAML::Node& node, const std::string& path) {
    read_list(node, path, model::kMetricCount, "a list of metrics, such as [fan_speed_rpm]",
              [&](const YAML::Node& item, const std::string& at) {
                const auto metric =
                    item.IsScalar() ? model::find_metric(item.Scalar()) : std::nullopt;
                if (metric) {
                  scenario_.unsupported.push_back(*metric);
                  return;
                }
                std::vector<std::string_view> keys;
                for (const auto& row : model::metrics()) keys.push_back(row.key);
                const std::string_view near = item.IsScalar() ? nearest(item.Scalar(), keys) : "";
                wrong(item, at,
                      near.empty() ? "a metric of docs/metrics.md"
                                   : fmt::format("a metric; did you mean '{}'?", near));
              });
  }

  std::string file_;
  std::vector<std::string> mistakes_;
  Scenario scenario_;
  Milliseconds period_{0};
};

}  // namespace

base::Result<Scenario> parse_scenario(std::string_view file, const std::string& text) {
  if (text.size() > kMaxScenarioBytes) {
    return fail(ErrorKind::kInvalidArgument, fmt::format("cannot use the scenario {}: it is longer "
                                                         "than {} bytes",
                                                         file, kMaxScenarioBytes));
  }
  return ScenarioReader(file).read(text);
}

base::Result<Scenario> load_scenario(const std::string& name_or_path) {
  std::vector<std::string_view> names;
  for (const BuiltinScenario& builtin : builtin_scenarios()) {
    if (builtin.name == name_or_path) {
      return parse_scenario(builtin.name, std::string(builtin.text));
    }
    names.push_back(builtin.name);
  }
  const auto text = base::read_file(name_or_path, kMaxScenarioBytes);
  if (text) return parse_scenario(name_or_path, *text);
  if (text.error().kind != ErrorKind::kNotFound) return std::unexpected(text.error());
  const std::string_view near = nearest(name_or_path, names);
  return fail(ErrorKind::kNotFound,
              fmt::format("cannot find the scenario '{}': no file has this name, and {}",
                          name_or_path.substr(0, 200),
                          near.empty() ? fmt::format("the built-in ones are {}", join(names))
                                       : fmt::format("did you mean '{}'?", near)));
}

}  // namespace gpuscope::config

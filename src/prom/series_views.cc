#include "prom/series_views.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "model/labels.h"
#include "model/naming.h"
#include "wire/metrics_xid.h"
#include "wire/prometheus_text.h"

namespace gpuscope::prom {
namespace {

using model::Entity;
using model::FamilySource;
using model::Metric;
using model::SeriesKey;
using model::SeriesView;

// A GPU instance's id in SeriesKey::instance.
constexpr std::uint32_t kGpuInstance = 65'536;
// DCGM divides kibibytes per second by 1000.
constexpr std::int64_t kDcgmMegabyte = 1'024'000;

// What a name of a page takes its values from.
struct Source {
  SeriesView::Of of = SeriesView::Of::kReading;
  FamilySource family = FamilySource::kReading;
  Metric metric = Metric::kTemperature;
  std::optional<Metric> of_instance{};
  int binary_shift = 0;
  int decimals = 0;
  std::int64_t factor = 1;
};
using Sources = std::unordered_map<std::string_view, Source>;

void add_source(Sources& sources, const model::MetricsFamily& row) {
  Source source{.family = row.source, .metric = row.metric, .of_instance = row.of_instance};
  switch (row.source) {
    case FamilySource::kReading:
      source.binary_shift = row.binary_shift;
      source.decimals =
          (row.binary_shift == 0 ? model::info(row.metric).decimals : 0) + row.decimal_shift;
      for (; source.decimals < 0; ++source.decimals) source.factor *= 10;
      break;
    case FamilySource::kLinkSum:
      source.of = SeriesView::Of::kSum;
      break;
    case FamilySource::kLinkBandwidth:
      source.of = SeriesView::Of::kWholeSum;
      break;
    case FamilySource::kClockEvents:
      source.of = SeriesView::Of::kClockEvents;
      break;
    case FamilySource::kXidLast:
      break;
    default:
      return;
  }
  for (const std::string_view name : {row.name, row.new_name}) {
    if (!name.empty()) sources.emplace(name, source);
  }
}

Sources make_sources() {
  Sources sources;
  for (const model::Family& family : model::gpu_metric_naming().families) {
    Source source;
    if (family.metric) {
      source = {.metric = *family.metric,
                .binary_shift = family.binary_shift,
                .decimals = model::decimals(family)};
    } else {
      source.of = SeriesView::Of::kHealth;
    }
    sources.emplace(family.name, source);
  }
  for (const model::MetricsFamily& row : model::dcgm_families()) add_source(sources, row);
  for (const model::MetricsFamily& row : model::gpuscope_families()) add_source(sources, row);
  sources.emplace("gpuscope_gpu_health", Source{.of = SeriesView::Of::kHealth});
  sources.emplace("gpuscope_gpu_info", Source{.of = SeriesView::Of::kOne});
  return sources;
}

// A tick in which every key has a value.
model::Snapshot full_tick(std::shared_ptr<const model::Inventory> inventory,
                          std::span<const SeriesKey> keys,
                          const std::map<std::string_view, std::size_t>& places) {
  model::Snapshot tick;
  tick.sequence = 1;
  tick.devices.resize(inventory->gpus.size());
  tick.verdicts.resize(inventory->gpus.size());
  tick.inventory = std::move(inventory);
  for (const SeriesKey& key : keys) {
    const auto place = places.find(key.gpu);
    if (place == places.end()) continue;
    model::DeviceSample& device = tick.devices[place->second];
    const std::size_t column = model::column(key.metric);
    switch (model::info(key.metric).entity) {
      case Entity::kGpu:
        device.gpu[column] = model::Reading::of(1);
        break;
      case Entity::kFan:
        if (key.instance >= device.fans.size()) device.fans.resize(key.instance + 1);
        device.fans[key.instance][column] = model::Reading::of(1);
        break;
      case Entity::kLink:
        if (key.instance >= device.links.size()) device.links.resize(key.instance + 1);
        device.links[key.instance][column] = model::Reading::of(1);
        break;
      case Entity::kMigInstance: {
        const std::uint32_t id = key.instance / kGpuInstance;
        const std::uint32_t part = key.instance % kGpuInstance;
        auto at = std::ranges::find_if(device.mig_instances, [&](const auto& instance) {
          return instance.gpu_instance_id == id && instance.compute_instance_id == part;
        });
        if (at == device.mig_instances.end()) {
          at = device.mig_instances.insert(at, {.gpu_instance_id = id,
                                                .compute_instance_id = part,
                                                .uuid = {},
                                                .profile = {},
                                                .row = {}});
        }
        at->row[column] = model::Reading::of(1);
        break;
      }
      case Entity::kProcess:
        break;
    }
  }
  return tick;
}

std::optional<std::uint32_t> number_of(const Labels& labels, std::string_view name) {
  const std::string_view text = model::label_value(labels, name);
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

class Maker {
 public:
  Maker(const wire::MetricsOptions& metrics, const Labels& labels,
        const model::Inventory& inventory, std::span<const SeriesKey> keys)
      : metrics_(metrics), labels_(labels), inventory_(inventory), sources_(make_sources()) {
    for (const SeriesKey& key : keys) keys_[key.gpu][{key.metric, key.instance}] = &key;
    for (std::size_t i = 0; i < inventory.gpus.size(); ++i) {
      if (!inventory.gpus[i].uuid().empty()) places_.emplace(inventory.gpus[i].uuid(), i);
    }
  }

  std::vector<SeriesView> run(std::shared_ptr<const model::Inventory> inventory,
                              std::span<const SeriesKey> keys) {
    const model::Snapshot tick = full_tick(std::move(inventory), keys, places_);
    std::string page;
    wire::PrometheusText(model::gpu_metric_naming()).append(tick, {}, page);
    wire::MetricsText(metrics_).append_kept(tick, page);
    std::string_view rest = page;
    while (const auto line = next_sample(rest)) take(line->series);
    return std::move(views_);
  }

 private:
  using Kept = std::map<std::pair<Metric, std::uint32_t>, const SeriesKey*>;

  void take(std::string_view line) {
    auto labels = parse_series(line);
    if (!labels) return;
    const auto source = sources_.find(model::label_value(*labels, model::kNameLabel));
    if (source == sources_.end()) return;
    const auto gpu = gpu_of(*labels);
    if (!gpu) return;
    SeriesView view{.labels = {}, .of = source->second.of, .inputs = {}};
    view.binary_shift = source->second.binary_shift;
    view.decimals = source->second.decimals;
    view.factor = source->second.factor;
    add_inputs(view, source->second, *labels, *gpu);
    if (view.inputs.empty()) return;
    complete(*labels);
    if (source->second.family == FamilySource::kXidLast) split_by_code(view, *labels);
    view.labels = std::make_shared<const Labels>(*labels);
    if (known_.insert(*labels).second) views_.push_back(std::move(view));
  }

  // The UUID of the GPU that a line is of.
  std::optional<std::string> gpu_of(const Labels& labels) const {
    for (const char* const name : {"gpu_uuid", "UUID"}) {
      const std::string_view uuid = model::label_value(labels, name);
      if (!uuid.empty() && places_.contains(uuid)) return std::string(uuid);
    }
    return std::nullopt;
  }

  void add_inputs(SeriesView& view, const Source& source, const Labels& labels,
                  const std::string& gpu) const {
    const auto kept = keys_.find(gpu);
    if (kept == keys_.end()) return;
    const auto add = [&](Metric metric, std::uint32_t instance) {
      const auto found = kept->second.find({metric, instance});
      if (found != kept->second.end()) view.inputs.push_back(*found->second);
    };
    const auto add_all = [&](Metric metric) {
      for (const auto& [key, whole] : kept->second) {
        if (key.first == metric) view.inputs.push_back(*whole);
      }
    };
    if (source.of == SeriesView::Of::kHealth || source.of == SeriesView::Of::kOne) {
      view.inputs.push_back(*kept->second.begin()->second);
    } else if (source.of == SeriesView::Of::kSum) {
      add_all(source.metric);
    } else if (source.of == SeriesView::Of::kWholeSum) {
      add(Metric::kNvlinkTxRate, 0);
      add(Metric::kNvlinkRxRate, 0);
      view.divisor = kDcgmMegabyte;
    } else if (source.of == SeriesView::Of::kClockEvents) {
      for (std::size_t i = 0; i < model::kClockEventCount; ++i) {
        add(static_cast<Metric>(static_cast<std::size_t>(Metric::kClockEventIdle) + i), 0);
      }
    } else {
      add_reading(source, labels, add, *kept);
    }
  }

  template <typename Add>
  static void add_reading(const Source& source, const Labels& labels, const Add& add,
                          const std::pair<const std::string_view, Kept>& kept) {
    const auto instance = number_of(labels, "GPU_I_ID");
    const auto part = number_of(labels, "compute_instance");
    if (instance && part) return add(source.metric, *instance * kGpuInstance + *part);
    if (instance) {
      // Compute instances of one GPU instance share what it has: the first has it.
      if (!source.of_instance) return;
      for (const auto& [key, whole] : kept.second) {
        if (key.first == *source.of_instance && key.second / kGpuInstance == *instance) {
          return add(key.first, key.second);
        }
      }
      return;
    }
    const auto fan = number_of(labels, "fan");
    const auto link = number_of(labels, "nvlink");
    add(source.metric, fan ? *fan : link.value_or(0));
  }

  // What a scrape and the settings add.
  void complete(Labels& labels) const {
    std::erase_if(labels, [](const auto& label) { return label.first == "gpu_health"; });
    const auto add = [&](const std::string& name, const std::string& value) {
      if (model::label_value(labels, name).empty() && !value.empty()) {
        labels.insert(std::ranges::lower_bound(labels, std::pair{name, value}), {name, value});
      }
    };
    for (const auto& [name, value] : labels_) add(name, value);
    if (inventory_.simulated) add("simulated", "true");
  }

  static void split_by_code(SeriesView& view, Labels& labels) {
    view.labels_of = [labels](std::int64_t value) -> model::LabelsPtr {
      Labels of = labels;
      for (auto& [name, text] : of) {
        const auto code = static_cast<std::uint64_t>(value);
        if (name == "err_code") text = std::to_string(code);
        if (name == "err_msg") text = wire::xid_text(code);
      }
      std::erase_if(of, [](const auto& label) { return label.second.empty(); });
      return std::make_shared<const Labels>(std::move(of));
    };
    std::erase_if(labels, [](const auto& label) {
      return label.first == "err_code" || label.first == "err_msg";
    });
  }

  const wire::MetricsOptions& metrics_;
  const Labels& labels_;
  const model::Inventory& inventory_;
  const Sources sources_;
  std::map<std::string_view, Kept> keys_{};
  std::map<std::string_view, std::size_t> places_{};
  std::set<Labels> known_{};
  std::vector<SeriesView> views_{};
};

}  // namespace

std::vector<SeriesView> series_views(const wire::MetricsOptions& metrics, const Labels& labels,
                                     std::shared_ptr<const model::Inventory> inventory,
                                     std::span<const SeriesKey> keys) {
  Maker maker(metrics, labels, *inventory, keys);
  return maker.run(std::move(inventory), keys);
}

}  // namespace gpuscope::prom

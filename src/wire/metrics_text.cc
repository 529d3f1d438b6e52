#include "wire/metrics_text.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/decimal.h"
#include "model/trend.h"
#include "wire/label_value.h"
#include "wire/metrics_header.h"
#include "wire/metrics_health.h"
#include "wire/metrics_labels.h"
#include "wire/metrics_xid.h"
#include "wire/prometheus_text.h"

namespace gpuscope::wire {

using model::DeviceSample;
using model::Entity;
using model::FamilySource;
using model::Metric;
using model::Reading;

namespace {

// How many lines a reading is asked for before it is needed: with thousands of GPUs each is a cache
// miss.
constexpr std::size_t kDevicesAhead = 16;
// Of one GPU, and characters of a process's name.
constexpr std::size_t kMostProcesses = 256;
constexpr std::size_t kLongestProcessName = 256;
constexpr std::size_t kNoColumn = std::numeric_limits<std::size_t>::max();
// DCGM divides kibibytes per second by 1000.
constexpr std::int64_t kDcgmMegabyte = std::int64_t{1024} * 1000;

std::size_t place_among_moving(Metric metric) {
  const auto* const place = std::ranges::find(model::kMovingMetrics, metric);
  return static_cast<std::size_t>(place - model::kMovingMetrics.begin());
}

}  // namespace

struct MetricsText::Family {
  std::array<std::string, 2> headers;  // by MetricsFormat
  std::string name;                    // padded with zeros for copy_chunks()
  std::size_t name_length = 0;
  bool ours = false;  // labels of ours, and not DCGM's
  FamilySource source = FamilySource::kReading;
  Entity entity = Entity::kGpu;
  std::size_t column = 0;  // of `entity`; of a window: its place among kMovingMetrics
  std::size_t of_instance = kNoColumn;
  std::size_t link = 0;  // of a lane
  int binary_shift = 0;
  int decimals = 0;
  std::int64_t factor = 1;

  std::string_view sample_name() const { return {name.data(), name_length}; }
  std::int64_t scaled(std::int64_t value) const {
    return model::shift_rounded(value, binary_shift) * factor;
  }
};

// One page in the making.
class MetricsText::Page {
 public:
  Page(const model::Snapshot& snapshot, const MetricsLabels& labels, MetricsFormat format,
       std::string& out)
      : snapshot_(snapshot), labels_(labels), format_(format), out_(out) {}

  void write(const Family& family);
  void write_extras(const AgentMetrics& agent);
  void write_kept_extras();

 private:
  // The samples of a family that has one per GPU. `reading_of(gpu)` is in the catalogue's unit.
  template <typename ReadingOf>
  void per_gpu(const Family& family, ReadingOf reading_of);
  template <typename Value>
  void per_window(const Family& family, Value value);
  void per_instance_or_gpu(const Family& family);
  void per_fan(const Family& family);
  void per_link(const Family& family);
  void per_instance(const Family& family);
  void per_process(const Family& family);
  void link_sums(const Family& family);
  void link_bandwidth(const Family& family);
  void lane_bandwidth(const Family& family);
  void clock_events(const Family& family);
  void xid_last(const Family& family);
  void xids_recent(const Family& family);
  void clocks_recent(const Family& family);
  void health_watches(const Family& family);

  void xid_totals();
  void clock_totals();
  void health();
  void findings();
  void absences();
  void infos();
  void presence(std::span<const model::AbsentGpu> absent);

  // A line in parts: name, "{", an identity; then further labels; then the end and the value.
  std::string& begin(std::string_view name, const std::string& identity) {
    return out_.append(name).append("{").append(identity);
  }
  void label(std::string_view name, std::string_view value) {
    out_ += ',';
    append_label(out_, name, value);
  }
  void label(std::string_view name, std::uint64_t value) {
    out_.append(",").append(name).append("=\"");
    base::append_decimal(out_, static_cast<std::int64_t>(value), 0);
    out_ += '"';
  }
  void end(std::int64_t value, int decimals = 0) {
    out_.append(labels_.end());
    base::append_decimal(out_, value, decimals);
    out_ += '\n';
  }
  void end(const Family& family, std::int64_t value) { end(family.scaled(value), family.decimals); }
  const std::string& tail(const Family& family, std::size_t gpu) const {
    return family.ours ? labels_.own_tail() : labels_.dcgm_tail(gpu);
  }
  void header(std::string_view name, std::string_view help, bool is_counter) {
    append_metrics_header(out_, name, help, is_counter, format_);
  }
  void instance_labels(const model::MigInstance& instance) {
    label("GPU_I_PROFILE", instance.profile);
    label("GPU_I_ID", instance.gpu_instance_id);
  }
  std::size_t gpus() const { return snapshot_.devices.size(); }
  bool followed() const { return snapshot_.trends.size() == gpus(); }

  const model::Snapshot& snapshot_;
  const MetricsLabels& labels_;
  const MetricsFormat format_;
  std::string& out_;
};

// ---- one per GPU

template <typename ReadingOf>
void MetricsText::Page::per_gpu(const Family& family, ReadingOf reading_of) {
  const LabelSlots& labels = family.ours ? labels_.own() : labels_.dcgm();
  const std::size_t begin = out_.size();
  const std::size_t line =
      family.name_length + labels.stride() + base::kMaxDecimalChars + sizeof('\n');
  const std::size_t bound = begin + gpus() * line + family.name.size() + kCopyChunk;
  out_.resize_and_overwrite(bound, [&](char* data, std::size_t) {
    char* out = data + begin;
    const char* name = family.name.data();
    const std::size_t name_length = family.name_length;
    for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
      const Reading reading = reading_of(gpu);
      if (!reading.present()) continue;
      out = copy_chunks(out, name, name_length);
      out = copy_chunks(out, labels.text(gpu), labels.length(gpu));
      out = base::write_decimal(out, family.scaled(reading.value), family.decimals);
      *out++ = '\n';
    }
    return static_cast<std::size_t>(out - data);
  });
}

template <typename Value>
void MetricsText::Page::per_window(const Family& family, Value value) {
  if (!followed()) return;
  const model::GpuTrend* trends = snapshot_.trends.data();
  const std::size_t last = gpus() - 1;
  per_gpu(family, [&, place = family.column](std::size_t gpu) {
    __builtin_prefetch(&trends[std::min(gpu + kDevicesAhead, last)].windows[place]);
    const model::Window& window = trends[gpu].windows[place];
    return window.present ? Reading::of(window.*value) : Reading{};
  });
}

void MetricsText::Page::write(const Family& family) {
  out_.append(family.headers[static_cast<std::size_t>(format_)]);
  if (gpus() == 0) return;
  switch (family.source) {
    case FamilySource::kReading:
      if (family.entity == Entity::kFan) return per_fan(family);
      if (family.entity == Entity::kLink) return per_link(family);
      if (family.entity == Entity::kMigInstance) return per_instance(family);
      if (family.entity == Entity::kProcess) return per_process(family);
      return per_instance_or_gpu(family);
    case FamilySource::kLinkSum:
      return link_sums(family);
    case FamilySource::kLinkBandwidth:
      return link_bandwidth(family);
    case FamilySource::kLaneBandwidth:
      return lane_bandwidth(family);
    case FamilySource::kClockEvents:
      return clock_events(family);
    case FamilySource::kXidLast:
      return xid_last(family);
    case FamilySource::kXidsRecent:
      return xids_recent(family);
    case FamilySource::kClocksRecent:
      return clocks_recent(family);
    case FamilySource::kHealthWatches:
      return health_watches(family);
    case FamilySource::kWindowMin:
      return per_window(family, &model::Window::min);
    case FamilySource::kWindowMean:
      return per_window(family, &model::Window::mean);
    case FamilySource::kWindowMax:
      return per_window(family, &model::Window::max);
  }
}

// Where a GPU is split, what its instances have is theirs: a sum over all series counts it once.
void MetricsText::Page::per_instance_or_gpu(const Family& family) {
  const DeviceSample* devices = snapshot_.devices.data();
  const std::size_t last = gpus() - 1;
  const bool split = family.of_instance != kNoColumn;
  per_gpu(family, [&, column = family.column](std::size_t gpu) {
    __builtin_prefetch(&devices[std::min(gpu + kDevicesAhead, last)].gpu[column]);
    if (split && !devices[gpu].mig_instances.empty()) return Reading{};
    return devices[gpu].gpu[column];
  });
  for (std::size_t gpu = 0; split && gpu < gpus(); ++gpu) {
    const std::vector<model::MigInstance>& instances = devices[gpu].mig_instances;
    for (std::size_t i = 0; i < instances.size(); ++i) {
      const Reading& reading = instances[i].row[family.of_instance];
      // Compute instances of one GPU instance share what it has.
      const bool again = std::any_of(
          instances.begin(), instances.begin() + static_cast<std::ptrdiff_t>(i),
          [&](const auto& other) { return other.gpu_instance_id == instances[i].gpu_instance_id; });
      if (!reading.present() || again) continue;
      begin(family.sample_name(), labels_.identity(gpu));
      instance_labels(instances[i]);
      out_.append(tail(family, gpu));
      end(family, reading.value);
    }
  }
}

void MetricsText::Page::link_sums(const Family& family) {
  per_gpu(family, [&](std::size_t gpu) {
    Reading sum;
    for (const model::LinkRow& link : snapshot_.devices[gpu].links) {
      const Reading& reading = link[family.column];
      if (reading.present()) sum = Reading::of(sum.value + reading.value);
    }
    return sum;
  });
}

void MetricsText::Page::link_bandwidth(const Family& family) {
  per_gpu(family, [&](std::size_t gpu) {
    const Reading& sent = snapshot_.devices[gpu].at(Metric::kNvlinkTxRate);
    const Reading& received = snapshot_.devices[gpu].at(Metric::kNvlinkRxRate);
    if (!sent.present() || !received.present()) return Reading{};
    return Reading::of((sent.value + received.value) / kDcgmMegabyte);
  });
}

void MetricsText::Page::lane_bandwidth(const Family& family) {
  if (!followed()) return;
  per_gpu(family, [&](std::size_t gpu) {
    const std::vector<Reading>& rates = snapshot_.trends[gpu].link_rates;
    if (family.link >= rates.size() || !rates[family.link].present()) return Reading{};
    return Reading::of(rates[family.link].value / kDcgmMegabyte);
  });
}

void MetricsText::Page::clock_events(const Family& family) {
  // NVML's bits, in the order of the catalogue's flags.
  constexpr std::array<std::int64_t, model::kClockEventCount> kBits{0x1,  0x2,  0x4,  0x8,  0x10,
                                                                    0x20, 0x40, 0x80, 0x100};
  per_gpu(family, [&](std::size_t gpu) {
    Reading mask;
    for (std::size_t i = 0; i < kBits.size(); ++i) {
      const Reading& flag = snapshot_.devices[gpu].gpu[family.column + i];
      if (flag.present()) mask = Reading::of(mask.value | (flag.value != 0 ? kBits[i] : 0));
    }
    return mask;
  });
}

void MetricsText::Page::xid_last(const Family& family) {
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    const Reading& reading = snapshot_.devices[gpu].gpu[family.column];
    if (!reading.present()) continue;
    begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
    const auto code = static_cast<std::uint64_t>(reading.value);
    label("err_code", code);
    label("err_msg", xid_text(code));
    end(family, reading.value);
  }
}

void MetricsText::Page::xids_recent(const Family& family) {
  for (std::size_t gpu = 0; followed() && gpu < gpus(); ++gpu) {
    for (const model::XidCount& xid : snapshot_.trends[gpu].xids) {
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("window_size_in_ms", static_cast<std::uint64_t>(model::kRecent.count()));
      label("xid", xid.code);
      end(static_cast<std::int64_t>(xid.recent));
    }
  }
}

void MetricsText::Page::clocks_recent(const Family& family) {
  const auto names = model::clock_event_names();
  for (std::size_t gpu = 0; followed() && gpu < gpus(); ++gpu) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      // A reason that this GPU does not give never began.
      if (!snapshot_.devices[gpu].gpu[family.column + i].present()) continue;
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("clock_event", names[i]);
      label("window_size_in_ms", static_cast<std::uint64_t>(model::kRecent.count()));
      end(snapshot_.trends[gpu].clock_events_recent[i]);
    }
  }
}

void MetricsText::Page::health_watches(const Family& family) {
  const auto rules = snapshot_.inventory ? snapshot_.inventory->rules : model::RuleSet::kHardware;
  const auto names = health_watch_names();
  for (std::size_t gpu = 0; gpu < std::min(gpus(), snapshot_.verdicts.size()); ++gpu) {
    const WatchResults results =
        watch_results(rules, snapshot_.devices[gpu], snapshot_.verdicts[gpu]);
    for (std::size_t watch = 0; watch < results.size(); ++watch) {
      if (!results[watch].judged()) continue;
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("health_watch", names[watch]);
      label("health_error_code", results[watch].code);
      end(results[watch].value);
    }
  }
}

// ---- more than one per GPU

void MetricsText::Page::per_fan(const Family& family) {
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    const std::vector<model::FanRow>& fans = snapshot_.devices[gpu].fans;
    for (std::size_t fan = 0; fan < fans.size(); ++fan) {
      const Reading& reading = fans[fan][family.column];
      if (!reading.present()) continue;
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("fan", fan);
      end(family, reading.value);
    }
  }
}

void MetricsText::Page::per_link(const Family& family) {
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    const std::vector<model::LinkRow>& links = snapshot_.devices[gpu].links;
    for (std::size_t link = 0; link < links.size(); ++link) {
      const Reading& reading = links[link][family.column];
      if (!reading.present()) continue;
      out_.append(family.sample_name()).append("{nvlink=\"");
      base::append_decimal(out_, static_cast<std::int64_t>(link), 0);
      out_.append("\",").append(labels_.link_identity(gpu)).append(tail(family, gpu));
      end(family, reading.value);
    }
  }
}

void MetricsText::Page::per_instance(const Family& family) {
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    for (const model::MigInstance& instance : snapshot_.devices[gpu].mig_instances) {
      const Reading& reading = instance.row[family.column];
      if (!reading.present()) continue;
      begin(family.sample_name(), labels_.identity(gpu));
      instance_labels(instance);
      out_.append(tail(family, gpu));
      label("compute_instance", instance.compute_instance_id);
      end(family, reading.value);
    }
  }
}

void MetricsText::Page::per_process(const Family& family) {
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    const std::vector<model::Process>& processes = snapshot_.devices[gpu].processes;
    for (std::size_t i = 0; i < std::min(processes.size(), kMostProcesses); ++i) {
      const model::Process& process = processes[i];
      const Reading& reading = process.row[family.column];
      const bool again =
          std::any_of(processes.begin(), processes.begin() + static_cast<std::ptrdiff_t>(i),
                      [&](const model::Process& other) {
                        return other.pid == process.pid && other.type == process.type;
                      });
      if (!reading.present() || again) continue;
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("pid", process.pid);
      label("type", model::process_type_name(process.type));
      label("process_name", std::string_view(process.name).substr(0, kLongestProcessName));
      end(family, reading.value);
    }
  }
}

// ---- what is no metric of the catalogue

void MetricsText::Page::write_extras(const AgentMetrics& agent) {
  if (gpus() > 0) {
    if (followed()) {
      xid_totals();
      clock_totals();
    }
    health();
    findings();
    absences();
    infos();
  }
  presence(agent.absent_gpus);
}

void MetricsText::Page::write_kept_extras() {
  health();
  absences();
  infos();
}

void MetricsText::Page::xid_totals() {
  constexpr std::string_view kName = "gpuscope_gpu_xids_total";
  header(kName, "XID errors by number, since the agent began to watch the GPU", true);
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    for (const model::XidCount& xid : snapshot_.trends[gpu].xids) {
      begin(kName, labels_.identity(gpu)).append(labels_.own_tail());
      label("xid", xid.code);
      end(static_cast<std::int64_t>(xid.total));
    }
  }
}

void MetricsText::Page::clock_totals() {
  constexpr std::string_view kName = "gpuscope_gpu_clock_events_total";
  header(kName,
         "How often each reason began to hold the clocks, since the agent began to watch the GPU",
         true);
  const auto names = model::clock_event_names();
  const std::size_t first = model::column(Metric::kClockEventIdle);
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!snapshot_.devices[gpu].gpu[first + i].present()) continue;
      begin(kName, labels_.identity(gpu)).append(labels_.own_tail());
      label("clock_event", names[i]);
      end(static_cast<std::int64_t>(snapshot_.trends[gpu].clock_events_total[i]));
    }
  }
}

void MetricsText::Page::health() {
  constexpr std::string_view kName = "gpuscope_gpu_health";
  header(kName, "The agent's verdict: 0 healthy, 1 caution, 2 warning, 3 critical, 4 unknown",
         false);
  for (std::size_t gpu = 0; gpu < std::min(gpus(), snapshot_.verdicts.size()); ++gpu) {
    begin(kName, labels_.identity(gpu)).append(labels_.own_tail());
    end(static_cast<std::int64_t>(snapshot_.verdicts[gpu].overall));
  }
}

void MetricsText::Page::findings() {
  constexpr std::string_view kName = "gpuscope_gpu_health_finding";
  header(kName, "A health rule that fired, with its severity as the verdict has it", false);
  for (std::size_t gpu = 0; gpu < std::min(gpus(), snapshot_.verdicts.size()); ++gpu) {
    for (const model::Finding& finding : snapshot_.verdicts[gpu].findings()) {
      begin(kName, labels_.identity(gpu)).append(labels_.own_tail());
      label("rule", finding.rule);
      label("component", finding.component);
      end(static_cast<std::int64_t>(finding.severity));
    }
  }
}

void MetricsText::Page::absences() {
  constexpr std::string_view kName = "gpuscope_gpu_readings_absent";
  header(kName, "Readings of the GPU that have no value, by the reason", false);
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    std::array<std::int64_t, model::kAbsenceCount> counts{};
    for (const Reading& reading : snapshot_.devices[gpu].gpu) {
      ++counts[static_cast<std::size_t>(reading.absence)];
    }
    for (std::size_t why = 1; why < counts.size(); ++why) {
      begin(kName, labels_.identity(gpu)).append(labels_.own_tail());
      label("reason", model::absence_name(static_cast<model::Absence>(why)));
      end(counts[why]);
    }
  }
}

void MetricsText::Page::infos() {
  constexpr std::string_view kName = "gpuscope_gpu_info";
  header(kName, "What is known of the GPU once and for all", false);
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    begin(kName, labels_.identity(gpu)).append(labels_.own_tail()).append(labels_.facts(gpu));
    end(1);
  }
}

void MetricsText::Page::presence(std::span<const model::AbsentGpu> absent) {
  constexpr std::string_view kPresent = "gpuscope_gpu_present";
  constexpr std::string_view kSeen = "gpuscope_gpu_last_seen_timestamp_seconds";
  std::string identity;
  const auto identity_of = [&](const model::AbsentGpu& gpu) -> const std::string& {
    identity.clear();
    MetricsLabels::append_identity(identity, gpu.index, gpu.info);
    return identity;
  };
  const std::size_t here = followed() ? gpus() : 0;
  header(kPresent, "1 when the GPU answered in the last tick, 0 when it was there once", false);
  for (std::size_t gpu = 0; gpu < here; ++gpu) {
    begin(kPresent, labels_.identity(gpu)).append(labels_.own_tail());
    end(snapshot_.trends[gpu].present ? 1 : 0);
  }
  for (const model::AbsentGpu& gpu : absent) {
    begin(kPresent, identity_of(gpu)).append(labels_.own_tail());
    end(0);
  }
  header(kSeen, "When the GPU last answered", false);
  for (std::size_t gpu = 0; gpu < here; ++gpu) {
    const auto& seen = snapshot_.trends[gpu].last_seen;
    if (!seen) continue;
    begin(kSeen, labels_.identity(gpu)).append(labels_.own_tail());
    end(seen->time_since_epoch().count(), 6);
  }
  for (const model::AbsentGpu& gpu : absent) {
    if (!gpu.last_seen) continue;
    begin(kSeen, identity_of(gpu)).append(labels_.own_tail());
    end(gpu.last_seen->time_since_epoch().count(), 6);
  }
}

// ---- the text as a whole

MetricsText::MetricsText(MetricsOptions options) : options_(std::move(options)) {
  add_dcgm_families();
  for (const model::MetricsFamily& row : model::gpuscope_families()) {
    add_families(row, row.name, nullptr);
  }
  std::vector<TextLabel> labels;
  const auto add_label = [&](const model::LabelField& field, std::string_view asked) {
    const bool renamed = options_.names == model::DcgmNames::kNew && !field.new_name.empty();
    const std::string_view name = renamed ? field.new_name : asked;
    if (std::ranges::find(labels, name, &TextLabel::name) != labels.end()) return;
    labels.push_back({std::string(name), field.fact});
  };
  for (const model::LabelField& field : model::dcgm_label_fields()) {
    if (!options_.counters && field.fact == model::kDefaultLabelField) add_label(field, field.name);
  }
  if (options_.counters) {
    for (const Counter& counter : options_.counters->counters) {
      for (const model::LabelField& field : model::dcgm_label_fields()) {
        const bool named = field.name == counter.field || field.new_name == counter.field;
        if (counter.is_label && named) add_label(field, counter.field);
      }
    }
  }
  labels_ = std::make_unique<MetricsLabels>(options_.hostname_label, options_.hostname,
                                            std::move(labels));
}

MetricsText::~MetricsText() = default;

void MetricsText::add_dcgm_families() {
  if (!options_.counters) {
    for (const model::MetricsFamily& row : model::dcgm_families()) {
      if (row.tier != model::Tier::kOnRequest) add_families(row, row.name, nullptr);
    }
    return;
  }
  for (const Counter& counter : options_.counters->counters) {
    if (counter.is_label) continue;
    for (const model::MetricsFamily& row : model::dcgm_families()) {
      if (row.name == counter.field || row.new_name == counter.field) {
        add_families(row, counter.field, &counter);
      }
    }
  }
}

// Under the names that the options say: as `asked`, or DCGM's new one, or both.
void MetricsText::add_families(const model::MetricsFamily& row, std::string_view asked,
                               const Counter* counter) {
  Family family;
  family.ours = row.name.starts_with("gpuscope_");
  family.source = row.source;
  const model::MetricInfo& info = model::info(row.metric);
  family.entity = info.entity;
  const bool is_window = row.source == FamilySource::kWindowMin ||
                         row.source == FamilySource::kWindowMean ||
                         row.source == FamilySource::kWindowMax;
  family.column = is_window ? place_among_moving(row.metric) : model::column(row.metric);
  family.link = row.link;
  if (row.of_instance) family.of_instance = model::column(*row.of_instance);
  if (row.source == FamilySource::kReading || is_window) {
    family.binary_shift = row.binary_shift;
    family.decimals = (row.binary_shift == 0 ? info.decimals : 0) + row.decimal_shift;
    for (; family.decimals < 0; ++family.decimals) family.factor *= 10;
  }
  const bool is_counter =
      counter != nullptr ? counter->is_counter : row.kind == model::Kind::kCounter;
  const bool own_help = counter == nullptr || counter->help.empty();
  const std::string_view help = own_help ? row.help : std::string_view(counter->help);

  std::vector<std::string_view> names{asked};
  if (!row.new_name.empty() && options_.names == model::DcgmNames::kNew) names = {row.new_name};
  if (!row.new_name.empty() && options_.names == model::DcgmNames::kBoth) {
    names = {row.name, row.new_name};
  }
  for (const std::string_view name : names) {
    // A list of counters may have asked for it by both of its names.
    if (std::ranges::find(families_, name, &Family::sample_name) != families_.end()) continue;
    for (const MetricsFormat format : {MetricsFormat::kPrometheus, MetricsFormat::kOpenMetrics}) {
      std::string& header = family.headers[static_cast<std::size_t>(format)];
      header.clear();
      append_metrics_header(header, name, help, is_counter, format);
    }
    family.name = name;
    family.name.resize(whole_chunks(name.size()), '\0');
    family.name_length = name.size();
    families_.push_back(family);
  }
}

void MetricsText::prepare(const model::Snapshot& snapshot) {
  if (inventory_ && inventory_ == snapshot.inventory && prepared_ == snapshot.devices.size())
    return;
  inventory_ = snapshot.inventory;
  prepared_ = snapshot.devices.size();
  labels_->build(inventory_ ? *inventory_ : model::Inventory{}, prepared_);
  expected_ = 0;
  for (const Family& family : families_) {
    const LabelSlots& labels = family.ours ? labels_->own() : labels_->dcgm();
    expected_ += family.headers[0].size() + prepared_ * (family.name_length + labels.stride());
  }
}

void MetricsText::append(const model::Snapshot* snapshot, const AgentMetrics& agent,
                         MetricsFormat format, std::string& out) {
  const std::size_t begin = out.size();
  if (snapshot != nullptr) {
    prepare(*snapshot);
    // At once: a page of thousands of GPUs would be copied again and again while it grows.
    out.reserve(begin + expected_);
    Page page(*snapshot, *labels_, format, out);
    for (const Family& family : families_) page.write(family);
    page.write_extras(agent);
  } else {
    const model::Snapshot nothing;
    Page(nothing, *labels_, format, out).write_extras(agent);
  }
  append_agent_metrics(out, agent, format);
  if (format == MetricsFormat::kOpenMetrics) out.append("# EOF\n");
  expected_ = std::max(expected_, out.size() - begin);
}

void MetricsText::append_kept(const model::Snapshot& snapshot, std::string& out) {
  const std::size_t begin = out.size();
  prepare(snapshot);
  out.reserve(begin + expected_);
  Page page(snapshot, *labels_, MetricsFormat::kPrometheus, out);
  for (const Family& family : families_) {
    // What each watch says follows from findings, which are not kept.
    if (family.source != FamilySource::kHealthWatches) page.write(family);
  }
  page.write_kept_extras();
  expected_ = std::max(expected_, out.size() - begin);
}

}  // namespace gpuscope::wire

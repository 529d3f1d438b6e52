// The samples of families: a line per GPU, or more.
#include "wire/metrics_page.h"

#include <algorithm>

#include "model/trend.h"
#include "wire/metrics_health.h"
#include "wire/metrics_xid.h"

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
// DCGM divides kibibytes per second by 1000.
constexpr std::int64_t kDcgmMegabyte = std::int64_t{1024} * 1000;

}  // namespace

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
    case FamilySource::kPeerLinks:
      return peer_links(family);
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

void MetricsText::Page::peer_links(const Family& family) {
  // As dcgm-exporter has them, by NVML's numbers.
  constexpr std::array<std::string_view, 7> kTexts{"OK",
                                                   "ChipsetNotSupported",
                                                   "GPUNotSupported",
                                                   "TopologyNotSupported",
                                                   "DisabledByRegKey",
                                                   "NotSupported",
                                                   "Unknown"};
  for (std::size_t gpu = 0; gpu < gpus(); ++gpu) {
    const std::vector<model::PeerLink>& peers = snapshot_.devices[gpu].peers;
    for (std::size_t other = 0; other < peers.size(); ++other) {
      const auto status = static_cast<std::size_t>(peers[other]);
      if (status >= kTexts.size()) continue;
      begin(family.sample_name(), labels_.identity(gpu)).append(tail(family, gpu));
      label("peer_gpu", other);
      label("link_status", kTexts[status]);
      end(static_cast<std::int64_t>(status));
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

}  // namespace gpuscope::wire

#include "wire/fleet_metrics.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/opinion.h"
#include "wire/label_value.h"

namespace gpuscope::wire {
namespace {

using model::GpuUse;

void append_number(std::string& out, double value) {
  constexpr std::size_t kLongest = 32;
  std::array<char, kLongest> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

void append_header(std::string& out, std::string_view name, std::string_view type,
                   std::string_view help) {
  out.append("# HELP ").append(name) += ' ';
  out.append(help).append("\n# TYPE ").append(name) += ' ';
  out.append(type) += '\n';
}

// `name{labels} value`; without braces where there are no labels.
void append_sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  out.append(name);
  if (!labels.empty()) (out += '{').append(labels) += '}';
  out += ' ';
  append_number(out, value);
  out += '\n';
}

void append_gauge(std::string& out, std::string_view name, std::string_view help,
                  std::optional<double> value) {
  append_header(out, name, "gauge", help);
  if (value) append_sample(out, name, {}, *value);
}

// What the series of a GPU have in common; the MIG instance where there is one, so that each has
// its own.
struct GpuLabels {
  std::string who;    // gpu_id, pod, namespace
  std::string where;  // the same and hostname
  std::string with_model;
};

GpuLabels labels_of(const GpuUse& use) {
  const auto add = [](std::string& out, std::string_view name, std::string_view value) {
    if (!out.empty()) out += ',';
    append_label(out, name, value);
  };
  GpuLabels labels;
  add(labels.who, "gpu_id", use.gpu.gpu_id);
  add(labels.who, "pod", use.gpu.pod);
  add(labels.who, "namespace", use.gpu.name_space);
  if (!use.gpu.mig_instance.empty()) add(labels.who, "mig_instance", use.gpu.mig_instance);
  labels.where = labels.who;
  add(labels.where, "hostname", use.gpu.hostname);
  labels.with_model = labels.where;
  add(labels.with_model, "model", use.gpu.model_name.empty() ? "unknown" : use.gpu.model_name);
  return labels;
}

struct GpuGauge {
  std::string_view name;
  std::string_view help;
  std::optional<double> GpuUse::* value;
  std::string GpuLabels::* labels;
};
constexpr std::array kGauges{
    GpuGauge{"gpu_core_utilization", "Utilization of the GPU over the window, in percent",
             &GpuUse::gpu_util, &GpuLabels::where},
    GpuGauge{"gpu_memory_used_mb", "Device memory in use over the window, in MB",
             &GpuUse::mem_used_mb, &GpuLabels::where},
    GpuGauge{"gpu_memory_total_mb", "Device memory in all, in MB", &GpuUse::mem_total_mb,
             &GpuLabels::with_model},
    GpuGauge{"gpu_memory_usage_percent", "Share of the device memory in use, in percent",
             &GpuUse::mem_usage_percent, &GpuLabels::where},
    GpuGauge{"gpu_power_usage_watts", "Power draw over the window, in watts", &GpuUse::power_watts,
             &GpuLabels::where},
    GpuGauge{"gpu_memory_copy_utilization",
             "Utilization of the memory interface over the window, in percent", &GpuUse::mem_copy,
             &GpuLabels::where},
    GpuGauge{"gpu_sm_clock_mhz", "Clock of the streaming multiprocessors over the window, in MHz",
             &GpuUse::sm_clock_mhz, &GpuLabels::where},
};

void append_gpus(std::string& out, std::span<const GpuUse> gpus) {
  std::vector<GpuLabels> labels;
  labels.reserve(gpus.size());
  for (const GpuUse& use : gpus) labels.push_back(labels_of(use));
  append_header(out, "gpu_utilization_score", "gauge", "How well the GPU is used, 0 to 100");
  std::string with_status;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    const std::optional<double>& score = gpus[i].score;
    if (!score) continue;
    with_status.assign(labels[i].with_model).append(",status=\"");
    with_status.append(model::use_status_name(gpus[i].status)) += '"';
    append_sample(out, "gpu_utilization_score", with_status, *score);
  }
  for (const GpuGauge& gauge : kGauges) {
    append_header(out, gauge.name, "gauge", gauge.help);
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      const std::optional<double>& value = gpus[i].*gauge.value;
      if (value) append_sample(out, gauge.name, labels[i].*gauge.labels, *value);
    }
  }
  append_header(out, "gpu_ai_analysis_confidence", "gauge",
                "How sure the chat model is of its opinion, 0 to 1");
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (!gpus[i].ai_analysis) continue;
    with_status.assign(labels[i].who).append(",ai_status=\"");
    with_status.append(model::opinion_status_name(gpus[i].ai_analysis->status)) += '"';
    append_sample(out, "gpu_ai_analysis_confidence", with_status, gpus[i].ai_analysis->confidence);
  }
  append_header(out, "gpu_ai_adjusted_score", "gauge",
                "The score that the chat model gave, 0 to 100");
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (!gpus[i].ai_analysis) continue;
    const std::optional<double>& score = gpus[i].ai_analysis->adjusted_score;
    if (score) append_sample(out, "gpu_ai_adjusted_score", labels[i].who, *score);
  }
}

std::string label(std::string_view name, std::string_view value) {
  std::string out;
  append_label(out, name, value);
  return out;
}

void append_stats_families(std::string& out, const model::UseStats& stats) {
  append_gauge(out, "gpu_total_count", "GPUs that were in use within the window",
               static_cast<double>(stats.total));
  append_gauge(out, "gpu_low_utilization_count", "GPUs whose score is under the threshold",
               static_cast<double>(stats.low));
  append_gauge(out, "gpu_idle_count", "GPUs that are idle", static_cast<double>(stats.idle));
  append_gauge(out, "gpu_average_score", "Mean of all scores", stats.average_score);
  append_header(out, "gpu_status_count", "gauge", "GPUs of a status");
  for (std::size_t i = 0; i < model::kUseStatusCount; ++i) {
    if (stats.by_status[i] == 0) continue;
    const auto status = model::use_status_name(static_cast<model::UseStatus>(i));
    append_sample(out, "gpu_status_count", label("status", status),
                  static_cast<double>(stats.by_status[i]));
  }
  append_header(out, "gpu_namespace_count", "gauge", "GPUs of a namespace");
  for (const auto& [name, each] : stats.by_namespace) {
    append_sample(out, "gpu_namespace_count", label("namespace", name),
                  static_cast<double>(each.count));
  }
  append_header(out, "gpu_namespace_average_score", "gauge", "Mean of the scores of a namespace");
  for (const auto& [name, each] : stats.by_namespace) {
    if (!each.average_score) continue;
    append_sample(out, "gpu_namespace_average_score", label("namespace", name),
                  *each.average_score);
  }
}

void append_counters(std::string& out, const FleetCounters& counters, MetricsFormat format) {
  // OpenMetrics names a counter's family without the ending of its samples.
  const auto counter = [&](std::string_view family, std::string_view help, std::uint64_t value) {
    const std::string sample = std::string(family) + "_total";
    append_header(out, format == MetricsFormat::kOpenMetrics ? family : sample, "counter", help);
    append_sample(out, sample, {}, static_cast<double>(value));
  };
  counter("gpu_analysis", "Runs of the analysis", counters.runs);
  counter("gpu_analysis_errors", "Runs of the analysis that failed", counters.failures);
  constexpr std::string_view kName = "gpu_analysis_duration_seconds";
  append_header(out, kName, "histogram", "How long a run of the analysis took");
  const std::string bucket = std::string(kName) + "_bucket";
  for (std::size_t i = 0; i < counters.bounds.size(); ++i) {
    std::string bound;
    append_number(bound, counters.bounds[i]);
    // Bounds are floating-point numbers in both formats.
    if (bound.find('.') == bound.npos) bound += ".0";
    append_sample(out, bucket, label("le", bound), static_cast<double>(counters.up_to[i]));
  }
  append_sample(out, bucket, label("le", "+Inf"), static_cast<double>(counters.runs));
  append_sample(out, std::string(kName) + "_sum", {}, counters.sum_seconds);
  append_sample(out, std::string(kName) + "_count", {}, static_cast<double>(counters.runs));
}

}  // namespace

void append_fleet_metrics(std::string& out, std::span<const GpuUse> gpus,
                          const model::UseStats& stats, const FleetCounters& counters,
                          const FleetInfo& info, MetricsFormat format) {
  append_gpus(out, gpus);
  append_stats_families(out, stats);
  append_counters(out, counters, format);
  std::string labels = label("version", info.version);
  std::string threshold;
  append_number(threshold, info.threshold);
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::string>{"threshold", threshold},
        {"interval", std::to_string(info.interval.count())},
        {"ai_enabled", info.ai_enabled ? "True" : "False"}}) {
    labels += ',';
    append_label(labels, name, value);
  }
  append_header(out, "gpu_monitor_service_info", "gauge", "What this service is told to do");
  append_sample(out, "gpu_monitor_service_info", labels, 1);
}

}  // namespace gpuscope::wire

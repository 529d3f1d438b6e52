#include "wire/metrics_agent.h"

#include <algorithm>

#include "base/decimal.h"
#include "wire/label_value.h"
#include "wire/metrics_header.h"

namespace gpuscope::wire {
namespace {

// A label is no place for a story.
constexpr std::size_t kLongestError = 240;

// The longest front of it that cuts no character in two.
std::string_view bounded(std::string_view text) {
  if (text.size() <= kLongestError) return text;
  std::size_t end = kLongestError;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

class Writer {
 public:
  Writer(std::string& out, MetricsFormat format) : out_(out), format_(format) {}

  void family(std::string_view name, std::string_view help, bool is_counter) {
    name_ = name;
    append_metrics_header(out_, name, help, is_counter, format_);
  }
  // `labels` as they stand between the braces, or nothing.
  void sample(std::string_view labels, std::int64_t value, int decimals = 0) {
    out_.append(name_);
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_ += ' ';
    base::append_decimal(out_, value, decimals);
    out_ += '\n';
  }
  void lone(std::string_view name, std::string_view help, bool is_counter,
            std::optional<std::int64_t> value, int decimals = 0) {
    if (!value) return;
    family(name, help, is_counter);
    sample({}, *value, decimals);
  }

 private:
  std::string& out_;
  const MetricsFormat format_;
  std::string_view name_;
};

// One family with a sample per source; `value_of` gives an optional integer.
template <typename ValueOf>
void per_source(Writer& writer, std::span<const SourceMetrics> sources, std::string_view name,
                std::string_view help, bool is_counter, int decimals, ValueOf value_of) {
  writer.family(name, help, is_counter);
  std::string labels;
  for (const SourceMetrics& source : sources) {
    const std::optional<std::int64_t> value = value_of(source);
    if (!value) continue;
    labels.clear();
    append_label(labels, "method", source.method);
    writer.sample(labels, *value, decimals);
  }
}

void append_sources(Writer& writer, std::span<const SourceMetrics> sources) {
  using Value = std::optional<std::int64_t>;
  const auto count = [](std::uint64_t value) { return Value(static_cast<std::int64_t>(value)); };
  per_source(writer, sources, "gpuscope_source_up", "1 while this way of reading GPUs has readings",
             false, 0, [](const SourceMetrics& s) { return Value(s.up ? 1 : 0); });
  writer.family("gpuscope_source_error_info", "What ails a way of reading GPUs, with its cure",
                false);
  std::string labels;
  for (const SourceMetrics& source : sources) {
    if (source.error.empty()) continue;
    labels.clear();
    append_label(labels, "method", source.method);
    labels += ',';
    append_label(labels, "error", bounded(source.error));
    writer.sample(labels, 1);
  }
  per_source(writer, sources, "gpuscope_source_ticks_total", "Ticks that were done", true, 0,
             [&](const SourceMetrics& s) { return count(s.ticks); });
  per_source(writer, sources, "gpuscope_source_missed_ticks_total",
             "Ticks that were due and did not happen", true, 0,
             [&](const SourceMetrics& s) { return count(s.missed_ticks); });
  per_source(writer, sources, "gpuscope_source_failures_total",
             "Times that the driver could not be opened or went away", true, 0,
             [&](const SourceMetrics& s) { return count(s.failures); });
  per_source(writer, sources, "gpuscope_source_device_timeouts_total",
             "Readings of a GPU that were lost to its deadline", true, 0,
             [&](const SourceMetrics& s) { return count(s.device_timeouts); });
  per_source(writer, sources, "gpuscope_source_last_tick_timestamp_seconds",
             "When the last tick was", false, 6, [](const SourceMetrics& s) {
               return s.last_tick ? Value(s.last_tick->time_since_epoch().count()) : Value();
             });
  per_source(writer, sources, "gpuscope_source_last_tick_duration_seconds",
             "How long the last tick took", false, 6, [](const SourceMetrics& s) {
               return s.last_tick_duration ? Value(s.last_tick_duration->count()) : Value();
             });
  per_source(writer, sources, "gpuscope_source_gpus_expected",
             "GPUs that this agent ever read this way", false, 0,
             [&](const SourceMetrics& s) { return count(s.expected_gpus); });
  per_source(writer, sources, "gpuscope_source_gpus_present",
             "Those of the expected GPUs that answered in the last tick", false, 0,
             [&](const SourceMetrics& s) { return count(s.present_gpus); });
}

void append_process(Writer& writer, const ProcessMetrics& process) {
  const auto milliseconds = [](const std::optional<std::chrono::milliseconds>& time) {
    return time ? std::optional<std::int64_t>(time->count()) : std::nullopt;
  };
  writer.lone("process_cpu_seconds_total", "Processor time that the agent used", true,
              milliseconds(process.cpu), 3);
  writer.lone("process_resident_memory_bytes", "Memory of the agent that is in RAM", false,
              process.resident_bytes);
  writer.lone("process_virtual_memory_bytes", "Memory that the agent has addresses for", false,
              process.virtual_bytes);
  writer.lone("process_open_fds", "Files and sockets that the agent has open", false,
              process.open_fds);
  writer.lone("process_max_fds", "Files and sockets that the agent may have open", false,
              process.max_fds);
  writer.lone("process_threads", "Threads of the agent", false, process.threads);
  writer.lone("process_start_time_seconds", "When the agent was started", false,
              milliseconds(process.start), 3);
}

}  // namespace

void append_metrics_header(std::string& out, std::string_view name, std::string_view help,
                           bool is_counter, MetricsFormat format) {
  constexpr std::string_view kTotal = "_total";
  const bool open_metrics = format == MetricsFormat::kOpenMetrics;
  const bool has_total = name.ends_with(kTotal);
  if (open_metrics && is_counter && has_total) name.remove_suffix(kTotal.size());
  const std::string_view type = !is_counter                  ? "gauge"
                                : open_metrics && !has_total ? "unknown"
                                                             : "counter";
  out.append("# HELP ").append(name).append(" ");
  for (const char c : help) {
    if (c == '\\' || (c == '"' && open_metrics)) out += '\\';
    if (c == '\n') {
      out.append("\\n");
    } else {
      out += c;
    }
  }
  out.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void append_agent_metrics(std::string& out, const AgentMetrics& agent, MetricsFormat format) {
  Writer writer(out, format);
  writer.family("gpuscope_build_info", "The version of the agent", false);
  std::string version;
  append_label(version, "version", agent.version);
  writer.sample(version, 1);
  append_sources(writer, agent.sources);
  for (const PlainCounter& counter : agent.counters) {
    writer.lone(counter.name, counter.help, true, static_cast<std::int64_t>(counter.value));
  }
  for (const PlainGauge& gauge : agent.gauges) {
    writer.lone(gauge.name, gauge.help, false, gauge.value, gauge.decimals);
  }
  append_process(writer, agent.process);
}

}  // namespace gpuscope::wire

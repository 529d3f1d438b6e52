// The families of /metrics that are no metric of the catalogue: events, health, who is there.
#include <algorithm>

#include "model/trend.h"
#include "wire/metrics_page.h"

namespace gpuscope::wire {

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
  const std::size_t first = model::column(model::Metric::kClockEventIdle);
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
    for (const model::Reading& reading : snapshot_.devices[gpu].gpu) {
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

}  // namespace gpuscope::wire

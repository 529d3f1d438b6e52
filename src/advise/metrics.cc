#include "advise/metrics.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "wire/metric_lines.h"

namespace gpuscope::advise {
namespace {

struct Counter {
  std::string_view name;
  std::string_view help;
  std::uint64_t ChatStatus::* value;
};
constexpr std::array kCounters{
    Counter{"gpuscope_ai_requests", "Requests to the chat model", &ChatStatus::requests},
    Counter{"gpuscope_ai_failed_requests", "Requests without a usable answer",
            &ChatStatus::failed_requests},
    Counter{"gpuscope_ai_retries", "Requests that were a second or later attempt",
            &ChatStatus::retries},
    Counter{"gpuscope_ai_opinions", "Opinions that the chat model gave", &ChatStatus::opinions},
    Counter{"gpuscope_ai_reused_opinions", "Opinions that were kept from before",
            &ChatStatus::reused},
    Counter{"gpuscope_ai_unreadable_gpus", "GPUs for whom every attempt was answered badly",
            &ChatStatus::unreadable},
    Counter{"gpuscope_ai_unreachable_gpus", "GPUs for whom no attempt was answered",
            &ChatStatus::unreachable},
    Counter{"gpuscope_ai_over_limit_gpus", "GPUs that were not asked about for want of budget",
            &ChatStatus::over_limit},
    Counter{"gpuscope_ai_prompt_tokens", "Tokens of prompts", &ChatStatus::prompt_tokens},
    Counter{"gpuscope_ai_answer_tokens", "Tokens of answers", &ChatStatus::answer_tokens},
};

}  // namespace

void append_metrics(const ChatStatus& status, wire::MetricsFormat format, std::string& out) {
  wire::MetricLines lines(out, format);
  for (const Counter& row : kCounters) {
    lines.counter(row.name, row.help, static_cast<double>(status.*row.value));
  }
  lines.counter("gpuscope_ai_cost", "What that cost by the prices that are set", status.cost);
  constexpr std::string_view kLatency = "gpuscope_ai_request_duration_seconds";
  lines.begin(kLatency, "", "histogram", "How long the chat model's answers took");
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    up_to += status.latency[i];
    // OpenMetrics wants a point in it.
    const double bound = kLatencyBounds[i];
    const std::string_view tail = bound == static_cast<double>(static_cast<int>(bound)) ? ".0" : "";
    lines.sample(kLatency, "_bucket", fmt::format("le=\"{:g}{}\"", bound, tail),
                 static_cast<double>(up_to));
  }
  up_to += status.latency.back();
  lines.sample(kLatency, "_bucket", "le=\"+Inf\"", static_cast<double>(up_to));
  lines.sample(kLatency, "_sum", "", status.latency_seconds);
  lines.sample(kLatency, "_count", "", static_cast<double>(up_to));
  lines.gauge("gpuscope_ai_kept_opinions", "Opinions that serve while nothing changes",
              static_cast<double>(status.kept));
  lines.gauge("gpuscope_ai_last_hour_requests", "Requests of the last hour",
              static_cast<double>(status.last_hour.requests));
  lines.gauge("gpuscope_ai_last_hour_tokens", "Tokens of the last hour",
              static_cast<double>(status.last_hour.tokens));
  lines.gauge("gpuscope_ai_last_hour_cost", "Cost of the last hour", status.last_hour.cost);
}

}  // namespace gpuscope::advise

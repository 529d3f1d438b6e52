#include "prom/engine_evidence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "prom/discovery.h"
#include "prom/usage_query.h"

namespace gpuscope::prom {
namespace {

using base::Result;
using model::UsageMetric;
using model::UseEvidence;

// What is asked of each series; the name stands in the label that an expression puts on its
// answers.
enum Part : std::uint8_t {
  kMin,
  kMax,
  kDeviation,
  kFirst,
  kLast,
  kBusy,
  kLastBusy,
  kCount,
  kParts
};
constexpr std::array<std::string_view, kParts> kPartNames{"min",  "max",  "deviation", "first",
                                                          "last", "busy", "last_busy", "count"};
constexpr std::string_view kPartLabel = "gpuscope_part";

using Found = std::array<std::optional<double>, kParts>;
using Identity = std::array<std::string, 4>;  // UUID, MIG instance, namespace, pod

struct EvidenceSource {
  UsageMetric metric;
  std::optional<model::SeriesSummary> UseEvidence::* to;
};
constexpr std::array kSources{EvidenceSource{UsageMetric::kGpuUtil, &UseEvidence::utilization},
                              EvidenceSource{UsageMetric::kMemCopy, &UseEvidence::memory_copy},
                              EvidenceSource{UsageMetric::kMemUsed, &UseEvidence::memory_used_mb},
                              EvidenceSource{UsageMetric::kPower, &UseEvidence::power_watts}};

// Shares of time, 0 to 1, as DCGM counts them.
struct Activity {
  std::string_view name;
  std::optional<double> UseEvidence::* to;
};
constexpr std::array kActivities{
    Activity{"DCGM_FI_PROF_SM_ACTIVE", &UseEvidence::sm_active_percent},
    Activity{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", &UseEvidence::tensor_active_percent},
    Activity{"DCGM_FI_PROF_DRAM_ACTIVE", &UseEvidence::memory_bus_active_percent}};

std::string tagged(std::string_view expression, std::string_view part) {
  return fmt::format("label_replace({}, \"{}\", \"{}\", \"\", \"\")", expression, kPartLabel, part);
}

// A series of one name, in UsageMetric's unit and without its name.
std::string series_of(const ServedName& name, std::string_view matchers, std::string_view offset) {
  return fmt::format("{} * {}{{{}}}{}", name.factor, name.name, matchers, offset);
}

// An expression over the names of a metric, of which a GPU has one; `$` is the series.
std::string over_names(const std::vector<ServedName>& names, std::string_view matchers,
                       std::string_view pattern, std::string_view offset) {
  std::vector<std::string> all;
  for (const ServedName& name : names) {
    std::string& one = all.emplace_back(pattern);
    one.replace(one.find('$'), 1, series_of(name, matchers, offset));
  }
  return fmt::format("({})", fmt::join(all, " or "));
}

std::string parts_expression(UsageMetric metric, const std::vector<ServedName>& names,
                             std::string_view matchers, const model::UsageWindow& window) {
  const std::string span = fmt::format("[{}s1ms:{}s]", window.length.count(), window.step.count());
  const std::string back = fmt::format(" offset {}s", window.length.count());
  std::vector<std::string> parts;
  const auto add = [&](Part part, const std::string& pattern, std::string_view offset = "") {
    parts.push_back(tagged(over_names(names, matchers, pattern, offset), kPartNames[part]));
  };
  add(kMin, "min_over_time(($)" + span + ")");
  add(kMax, "max_over_time(($)" + span + ")");
  add(kDeviation, "stddev_over_time(($)" + span + ")");
  add(kFirst, "($)", back);
  add(kLast, "($)");
  if (metric == UsageMetric::kGpuUtil) {
    add(kBusy, fmt::format("avg_over_time((($) >= bool {}){})", model::kInUsePercent, span));
    add(kLastBusy,
        fmt::format("max_over_time(((($) >= {}) * 0 + time()){})", model::kInUsePercent, span));
    add(kCount, "count_over_time(($)" + span + ")");
  }
  return fmt::format("{}", fmt::join(parts, " or "));
}

std::string activity_expression(std::string_view matchers, const model::UsageWindow& window) {
  std::string out;
  for (const Activity& activity : kActivities) {
    if (!out.empty()) out += " or ";
    out += tagged(fmt::format("avg_over_time({}{{{}}}[{}s1ms:{}s])", activity.name, matchers,
                              window.length.count(), window.step.count()),
                  activity.name);
  }
  return out;
}

Identity identity_of(const UseEvidence& evidence) {
  return {evidence.gpu.gpu_id, evidence.gpu.mig_instance, evidence.gpu.name_space,
          evidence.gpu.pod};
}

// Whose a series is, and which part it is. A scrape that keeps its own pod's labels stores the
// workload's as exported_…, which tell more.
std::pair<Identity, std::string_view> read_labels(const LabelViews& labels) {
  std::pair<Identity, std::string_view> read;
  std::array<std::string_view, 2> exported;
  for (const auto& [name, value] : labels) {
    if (name == "UUID" || name == "gpu_uuid") read.first[0] = value;
    if (name == "GPU_I_ID") read.first[1] = value;
    if (name == "namespace") read.first[2] = value;
    if (name == "pod") read.first[3] = value;
    if (name == "exported_namespace") exported[0] = value;
    if (name == "exported_pod") exported[1] = value;
    if (name == kPartLabel) read.second = value;
  }
  for (std::size_t i = 0; i < exported.size(); ++i) {
    if (!exported[i].empty()) read.first[2 + i] = exported[i];
  }
  return read;
}

// Of one request: by identity, by the name of the part.
using Answers = std::map<Identity, std::map<std::string, double, std::less<>>>;

Result<Answers> ask_parts(Engine& engine, const std::string& expression, base::WallTime time) {
  Answers answers;
  auto notes = engine.query(expression, time, [&] {
    answers.clear();
    return [&answers](const LabelViews& labels, double value) {
      auto [identity, part] = read_labels(labels);
      if (std::isfinite(value)) answers[std::move(identity)].try_emplace(std::string(part), value);
    };
  });
  if (!notes) return std::unexpected(std::move(notes.error()));
  return answers;
}

Found found_of(const Answers& answers, const UseEvidence& gpu) {
  Found found;
  const auto parts = answers.find(identity_of(gpu));
  if (parts == answers.end()) return found;
  for (std::size_t i = 0; i < kParts; ++i) {
    const auto part = parts->second.find(kPartNames[i]);
    if (part != parts->second.end()) found[i] = part->second;
  }
  return found;
}

void add_spread(const Found& found, std::optional<model::SeriesSummary>& to) {
  const std::optional<double> minimum = found[kMin];
  const std::optional<double> maximum = found[kMax];
  const std::optional<double> deviation = found[kDeviation];
  const std::optional<double> first = found[kFirst];
  const std::optional<double> last = found[kLast];
  if (!to || !minimum || !maximum || !deviation) return;
  model::SeriesSpread spread{
      .minimum = *minimum, .maximum = *maximum, .standard_deviation = *deviation};
  constexpr double kPercent = 100;
  if (first && last && *first != 0) {
    spread.change_percent = std::abs(*last - *first) / std::abs(*first) * kPercent;
  }
  to->spread = spread;
}

void add_use(const Found& found, const model::UsageWindow& window, UseEvidence& gpu) {
  const std::optional<double> busy = found[kBusy];
  const std::optional<double> count = found[kCount];
  const std::optional<double> last_busy = found[kLastBusy];
  if (!busy || !count) return;
  const auto expected = static_cast<double>(window.length / window.step + 1);
  model::UseDetail detail{.coverage = std::min(*count / expected, 1.0),
                          .busy_share = *busy,
                          .trailing_idle = window.length};
  if (last_busy) {
    const double end = std::chrono::duration<double>(window.end.time_since_epoch()).count();
    const double idle =
        std::clamp(end - *last_busy, 0.0, static_cast<double>(window.length.count()));
    detail.trailing_idle = std::chrono::seconds{std::llround(idle)};
  }
  gpu.detail = detail;
}

Result<void> add_some(Engine& engine, const Discovered& there, std::span<UseEvidence> gpus,
                      const model::UsageWindow& window) {
  std::string matchers = join(there.condition);
  if (!matchers.empty()) matchers += ',';
  matchers += uuid_condition(gpus);
  for (const EvidenceSource& source : kSources) {
    const auto answers = ask_parts(
        engine,
        parts_expression(source.metric, names_to_ask(source.metric, there.names), matchers, window),
        window.end);
    if (!answers) return std::unexpected(answers.error());
    for (UseEvidence& gpu : gpus) {
      const Found found = found_of(*answers, gpu);
      add_spread(found, gpu.*source.to);
      if (source.metric == UsageMetric::kGpuUtil) add_use(found, window, gpu);
    }
  }
  const auto answers = ask_parts(engine, activity_expression(matchers, window), window.end);
  if (!answers) return std::unexpected(answers.error());
  constexpr double kPercent = 100;
  for (UseEvidence& gpu : gpus) {
    const auto parts = answers->find(identity_of(gpu));
    if (parts == answers->end()) continue;
    for (const Activity& activity : kActivities) {
      const auto part = parts->second.find(activity.name);
      if (part != parts->second.end()) gpu.*activity.to = part->second * kPercent;
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<EngineEvidence>> EngineEvidence::create(base::Clock& clock,
                                                               const ReaderOptions& options) {
  auto condition = parse_condition(options.condition);
  if (!condition) return std::unexpected(std::move(condition.error()));
  auto engine = Engine::create(clock, options.engine);
  if (!engine) return std::unexpected(std::move(engine.error()));
  return std::make_unique<EngineEvidence>(std::move(*engine), std::move(*condition));
}

std::string uuid_condition(std::span<const UseEvidence> gpus) {
  // A UUID is letters, digits and "-"; of anything else every character is one of its own.
  std::set<std::string> patterns;
  for (const UseEvidence& gpu : gpus) {
    std::string pattern;
    for (const char c : gpu.gpu.gpu_id) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '/';
      pattern += plain ? c : '.';
    }
    patterns.insert(std::move(pattern));
  }
  return fmt::format("UUID=~\"{}\"", fmt::join(patterns, "|"));
}

Result<void> EngineEvidence::add_detail(std::span<UseEvidence> gpus,
                                        const model::UsageWindow& window) {
  if (gpus.empty()) return {};
  const auto there = discover(*engine_, condition_, window.end);
  if (!there) return std::unexpected(there.error());
  while (!gpus.empty()) {
    const std::size_t count = std::min(gpus.size(), kGpusPerRequest);
    if (auto done = add_some(*engine_, *there, gpus.first(count), window); !done) return done;
    gpus = gpus.subspan(count);
  }
  return {};
}

}  // namespace gpuscope::prom

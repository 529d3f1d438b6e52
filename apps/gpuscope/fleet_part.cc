#include "fleet_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "advise/history_evidence.h"
#include "agent_parts.h"
#include "base/log.h"
#include "history/state_store.h"
#include "wire/fleet_document.h"

namespace gpuscope::app {
namespace {

// "pages time": how many records hold the results, and the microsecond of the run.
constexpr std::string_view kRunKind = "fleet_run";
constexpr std::string_view kRunKey = "last";
constexpr std::string_view kResultKind = "fleet_result";
constexpr std::size_t kPageGpus = 256;

std::string page_key(std::size_t page) { return fmt::format("{:06}", page); }

struct Kept {
  std::size_t pages = 0;
  std::int64_t time_us = 0;
};

base::Result<Kept> last_run(model::StateStore& store) {
  const auto found = store.get(kRunKind, kRunKey);
  if (!found) return std::unexpected(found.error());
  Kept kept;
  const std::string text = found->value_or("");
  const char* const end = text.data() + text.size();
  const auto [space, error] = std::from_chars(text.data(), end, kept.pages);
  if (error == std::errc{} && space != end) std::from_chars(space + 1, end, kept.time_us);
  return kept;
}

}  // namespace

base::Result<void> keep_results(model::StateStore& store, const analyze::Results& results) {
  if (!results.time) return {};
  const auto before = last_run(store);
  if (!before) return std::unexpected(before.error());
  const std::span gpus(results.gpus);
  const std::size_t pages = (gpus.size() + kPageGpus - 1) / kPageGpus;
  std::vector<model::StateChange> changes;
  for (std::size_t page = 0; page < std::max(pages, before->pages); ++page) {
    std::optional<std::string> value;
    if (page < pages) {
      const std::size_t first = page * kPageGpus;
      value = wire::kept_results(gpus.subspan(first, std::min(kPageGpus, gpus.size() - first)));
    }
    changes.push_back({std::string(kResultKind), page_key(page), std::move(value)});
  }
  changes.push_back({std::string(kRunKind), std::string(kRunKey),
                     fmt::format("{} {}", pages, results.time->time_since_epoch().count())});
  return store.apply(changes);
}

base::Result<void> restore_results(model::StateStore& store, analyze::Analyzer& analyzer) {
  const auto kept = last_run(store);
  if (!kept) return std::unexpected(kept.error());
  if (kept->time_us == 0) return {};
  const auto records = store.list(kResultKind);
  if (!records) return std::unexpected(records.error());
  std::vector<model::GpuUse> gpus;
  for (const model::StateRecord& record : *records) {
    auto part = wire::parse_kept_results(record.value);
    if (!part) return std::unexpected(std::move(part.error()));
    std::ranges::move(*part, std::back_inserter(gpus));
  }
  analyzer.restore(std::move(gpus), base::WallTime(std::chrono::microseconds(kept->time_us)));
  return {};
}

analyze::Analyzer::Parts analysis_parts(model::StateStore& store, AdvisePart& advise) {
  analyze::Analyzer::Parts parts;
  parts.consult = [&advise](std::vector<model::UseEvidence> gpus, const model::UsageWindow& window,
                            bool use_ai) {
    return advise.consult(std::move(gpus), window, use_ai);
  };
  if (advise.acts()) {
    parts.act = [&advise](const analyze::Results& results) {
      advise.act(results.gpus, results.judged_by.low_below);
    };
  }
  parts.keep = [&store](const analyze::Results& results) { return keep_results(store, results); };
  parts.cancel = [&advise] { advise.cancel(); };
  return parts;
}

void describe(const advise::Options& opinions, const act::Options& control, AdvisePart& advise,
              api::FleetSetup& setup) {
  setup.ai_configured = advise.ai_configured();
  setup.config.ai_model = opinions.chat.model;
  setup.config.control_enabled = control.enabled;
  if (!control.url.empty()) setup.config.control_url = control.url;
  setup.more_metrics = [&advise](auto format, auto& out) { advise.append_metrics(format, out); };
  if (control.enabled) setup.actions = [&advise] { return advise.actions(); };
}

// ---- an agent's

namespace {

// By UUID, as the latest tick has them.
std::map<std::string, std::string> models_of(const collect::Collector& collector) {
  std::map<std::string, std::string> models;
  const collect::View view = collector.peek(collector.primary());
  if (!view.snapshot) return models;
  for (const model::GpuInfo& gpu : view.snapshot->inventory->gpus) models[gpu.uuid()] = gpu.name();
  return models;
}

}  // namespace

base::Result<std::unique_ptr<AgentAnalysis>> AgentAnalysis::make(
    const config::AgentSettings& settings, const std::string& hostname,
    const history::History* history, const collect::Collector& collector, base::Clock& clock) {
  if (history == nullptr || !settings.analysis_enabled) return nullptr;
  auto store = std::make_unique<history::SqliteStateStore>(history_path(settings.data_dir));
  auto advise = AdvisePart::create(clock, settings.opinions, settings.control, *store,
                                   std::make_unique<advise::HistoryEvidence>(history->reader()));
  if (!advise) return std::unexpected(std::move(advise.error()));
  analyze::HistoryReaderParts parts{.series = history->reader(),
                                    .hostname = hostname,
                                    .models = [&collector] { return models_of(collector); }};
  return std::unique_ptr<AgentAnalysis>(
      new AgentAnalysis(settings, std::move(parts), std::move(store), std::move(*advise), clock));
}

AgentAnalysis::AgentAnalysis(const config::AgentSettings& settings,
                             analyze::HistoryReaderParts parts,
                             std::unique_ptr<model::StateStore> store,
                             std::unique_ptr<AdvisePart> advise, base::Clock& clock)
    : opinions_(settings.opinions),
      control_(settings.control),
      reader_(std::move(parts)),
      store_(std::move(store)),
      advise_(std::move(advise)),
      analyzer_(clock, reader_, settings.analysis, analysis_parts(*store_, *advise_)) {
  if (auto restored = restore_results(*store_, analyzer_); !restored) {
    base::log(base::LogLevel::kError, restored.error().message + "; begins without results");
  }
}

std::string AgentAnalysis::why_none(const config::AgentSettings& settings) {
  return settings.analysis_enabled ? "cannot judge how GPUs are used: this agent keeps no history"
                                   : "cannot judge how GPUs are used: this agent was told not to, "
                                     "by the setting analysis";
}

api::FleetSetup AgentAnalysis::setup() const {
  wire::FleetConfig config;
  config.query_condition = "{}";  // one machine has no pods
  config.max_workers = 1;
  api::FleetSetup setup{.version = GPUSCOPE_VERSION, .config = std::move(config)};
  describe(opinions_, control_, *advise_, setup);
  return setup;
}

}  // namespace gpuscope::app

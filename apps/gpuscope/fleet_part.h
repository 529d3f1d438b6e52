// The fleet's analysis as a part of a program: what its results outlive a restart by, and what its
// API is told of the settings.
#pragma once

#include <memory>
#include <string>

#include "advise_part.h"
#include "analyze/analyzer.h"
#include "analyze/history_reader.h"
#include "api/fleet_routes.h"
#include "base/clock.h"
#include "base/result.h"
#include "collect/collector.h"
#include "config/agent_settings.h"
#include "history/history.h"
#include "model/state_store.h"

namespace gpuscope::app {

// Keeps the results of a run in the place of those before; all of them or nothing.
base::Result<void> keep_results(model::StateStore& store, const analyze::Results& results);

// Gives the analyzer what was kept; nothing is no error.
base::Result<void> restore_results(model::StateStore& store, analyze::Analyzer& analyzer);

// What a run asks and does beyond scores; both outlive what is made of them.
analyze::Analyzer::Parts analysis_parts(model::StateStore& store, AdvisePart& advise);

// What the API says of them, from the settings.
void describe(const advise::Options& opinions, const act::Options& control, AdvisePart& advise,
              api::FleetSetup& setup);

// An agent's analysis of its own history.
class AgentAnalysis {
 public:
  // Null where it has no history, or shall not. All outlive it.
  static base::Result<std::unique_ptr<AgentAnalysis>> make(const config::AgentSettings& settings,
                                                           const std::string& hostname,
                                                           const history::History* history,
                                                           const collect::Collector& collector,
                                                           base::Clock& clock);

  // Why there is none.
  static std::string why_none(const config::AgentSettings& settings);

  analyze::Analyzer& analyzer() { return analyzer_; }
  api::FleetSetup setup() const;

 private:
  AgentAnalysis(const config::AgentSettings& settings, analyze::HistoryReaderParts parts,
                std::unique_ptr<model::StateStore> store, std::unique_ptr<AdvisePart> advise,
                base::Clock& clock);

  const advise::Options opinions_;
  const act::Options control_;
  analyze::HistoryReader reader_;
  const std::unique_ptr<model::StateStore> store_;
  const std::unique_ptr<AdvisePart> advise_;
  analyze::Analyzer analyzer_;
};

}  // namespace gpuscope::app

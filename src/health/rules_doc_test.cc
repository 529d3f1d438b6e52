// docs/health.md is made from the table of rules. UPDATE_GOLDEN=1 rewrites it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "health/rules.h"
#include "health/xid_action.h"

namespace gpuscope::health {
namespace {

std::string number(const Rule& rule) {
  const model::MetricInfo& metric = model::info(rule.metric);
  std::int64_t value = rule.limit.value;
  for (int i = 0; i < metric.decimals; ++i) value /= 10;
  return std::to_string(value) + std::string(model::unit_symbol(metric.unit));
}

std::string limit(const Rule& rule) {
  if (rule.limit.of_card) return "`" + std::string(model::info(*rule.limit.of_card).key) + "`";
  return number(rule);
}

std::string condition(const Rule& rule) {
  const std::string key = "`" + std::string(model::info(rule.metric).key) + "`";
  switch (rule.lately) {
    case Lately::kXid:
      return rule.limit.value == static_cast<int>(XidAction::kRestartApp)
                 ? "an XID of the kind, within the last five minutes"
                 : "an XID of the kind, within the last hour";
    case Lately::kLinksOnceUp:
      return key + " below the most that were up at once";
    case Lately::kReplayGrowth:
      return key + " grew faster than DCGM allows for the link, over five minutes";
    case Lately::kNothing:
      break;
  }
  switch (rule.test) {
    case Test::kOver:
      return key + " > " + limit(rule);
    case Test::kAtLeast:
      return key + " ≥ " + limit(rule);
    case Test::kAtMost:
      return key + " ≤ " + limit(rule);
    case Test::kUnder:
      return key + " < " + limit(rule) + (rule.under_load ? ", after two minutes of load" : "");
    case Test::kEquals:
      return key + " = " + limit(rule);
    case Test::kIsSet:
      return key;
    case Test::kIsGone:
      return "the GPU is gone";
    case Test::kIsTimedOut:
      return "no answer before the deadline";
  }
  return key;
}

void table(std::ostream& out, model::RuleSet set) {
  out << "\n| rule | severity | when | what it means | what to do |\n|---|---|---|---|---|\n";
  for (const Rule& rule : rules_of(set)) {
    if (rule.severity == model::Health::kHealthy) continue;  // moves a word alone
    out << "| `" << rule.id << "` | " << model::health_label(rule.severity)
        << (rule.raises == Raises::kGpuAlone ? ", of the GPU alone" : "") << " | "
        << condition(rule) << " | " << rule.reason << " | " << rule.action << " |\n";
  }
}

std::string render() {
  std::ostringstream out;
  out << "# Health rules\n\n"
         "Made from the table in `src/health/rules.cc`; `UPDATE_GOLDEN=1 build/<preset>/bin/"
         "health_test` rewrites it.\n\n"
         "The verdict on a GPU is the worst of what fires; with each finding stand what was seen "
         "and "
         "what it was held against. A rule whose reading is absent is not judged, and a GPU "
         "without anything to judge is unknown, never healthy. Where a severity is of the GPU "
         "alone, "
         "the overall verdict, and so `gpu_health_status`, stays as it is. Of several rules about "
         "one metric only the first that fires counts.\n\n"
         "XIDs are judged by the action that NVIDIA's catalogue asks for at once. They count for "
         "an "
         "hour, or until the devices are opened anew; what a job can do to itself "
         "(`xid_application`) for five minutes.\n\n"
         "## Real GPUs, and simulated ones in a scenario\n";
  table(out, model::RuleSet::kHardware);
  out << "\n## The default simulated GPUs\n";
  table(out, model::RuleSet::kSimulatedDefault);
  return out.str();
}

TEST(RulesDoc, IsUpToDate) {
  const std::string path = GPUSCOPE_SOURCE_DIR "/docs/health.md";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << render();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), render())
      << "docs/health.md is stale: run health_test with UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace gpuscope::health

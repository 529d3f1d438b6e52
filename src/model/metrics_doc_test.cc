// docs/metrics.md is made from the catalogue. UPDATE_GOLDEN=1 rewrites it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "model/catalog.h"

namespace gpuscope::model {
namespace {

std::string decimals_text(const MetricInfo& row) {
  if (row.decimals == 0) return "1";
  return "0." + std::string(row.decimals - 1U, '0') + "1";
}

std::string render() {
  std::ostringstream out;
  out << "# Metrics\n\n"
         "Made from the catalogue in `src/model/catalog.cc`; `UPDATE_GOLDEN=1 build/<preset>/bin/"
         "model_test` rewrites it.\n\n"
         "A value that a card cannot give is absent, with its reason (`unsupported`, `denied`, "
         "`failed`, `timed_out`, `gone`, `not_yet`); it is never 0.\n"
         "*Step* is the smallest difference that is kept.\n";
  for (const Entity entity :
       {Entity::kGpu, Entity::kFan, Entity::kLink, Entity::kMigInstance, Entity::kProcess}) {
    out << "\n## Per " << entity_name(entity)
        << "\n\n| key | what it says | unit | step | kind | read |\n|---|---|---|---|---|---|\n";
    for (const MetricInfo& row : metrics(entity)) {
      out << "| `" << row.key << "` | " << row.help << " | " << unit_name(row.unit) << " | "
          << decimals_text(row) << " | " << kind_name(row.kind) << " | "
          << cadence_name(row.cadence) << " |\n";
    }
  }
  out << "\n## Texts, per GPU\n\n| key | what it says |\n|---|---|\n";
  for (const FactInfo& row : facts()) out << "| `" << row.key << "` | " << row.help << " |\n";
  return out.str();
}

TEST(MetricsDoc, IsUpToDate) {
  const std::string path = GPUSCOPE_SOURCE_DIR "/docs/metrics.md";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << render();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), render())
      << "docs/metrics.md is stale: run model_test with UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace gpuscope::model

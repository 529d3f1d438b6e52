// docs/metrics.md is made from the catalogue. UPDATE_GOLDEN=1 rewrites it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "model/catalog.h"
#include "model/naming.h"

namespace gpuscope::model {
namespace {

std::string decimals_text(const MetricInfo& row) {
  if (row.decimals == 0) return "1";
  return "0." + std::string(row.decimals - 1U, '0') + "1";
}

// Three names of a window are one with its three ends.
std::string names_text(Metric metric) {
  std::string text;
  for (const std::string_view name : metrics_names(metric)) {
    const bool end_of_window = name.ends_with("_mean") || name.ends_with("_max");
    if (end_of_window && text.find("{min,mean,max}") != text.npos) continue;
    if (!text.empty()) text += "<br>";
    text += '`';
    if (name.ends_with("_min")) {
      text.append(name.substr(0, name.size() - 3)).append("{min,mean,max}");
    } else {
      text += name;
    }
    text += '`';
  }
  return text;
}

std::string render() {
  std::ostringstream out;
  out << "# Metrics\n\n"
         "Made from the catalogue in `src/model/catalog.cc`; `UPDATE_GOLDEN=1 build/<preset>/bin/"
         "model_test` rewrites it.\n\n"
         "A value that a card cannot give is absent, with its reason (`unsupported`, `denied`, "
         "`failed`, `timed_out`, `gone`, `not_yet`); it is never 0.\n"
         "*Step* is the smallest difference that is kept.\n"
         "`/metrics` may have another unit than the catalogue, as its name says or "
         "[formats/metrics.md](formats/metrics.md).\n";
  for (const Entity entity :
       {Entity::kGpu, Entity::kFan, Entity::kLink, Entity::kMigInstance, Entity::kProcess}) {
    out << "\n## Per " << entity_name(entity)
        << "\n\n| key | what it says | unit | step | kind | read | "
           "in `/metrics` |\n|---|---|---|---|---|---|---|\n";
    for (const MetricInfo& row : metrics(entity)) {
      out << "| `" << row.key << "` | " << row.help << " | " << unit_name(row.unit) << " | "
          << decimals_text(row) << " | " << kind_name(row.kind) << " | "
          << cadence_name(row.cadence) << " | " << names_text(row.id) << " |\n";
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

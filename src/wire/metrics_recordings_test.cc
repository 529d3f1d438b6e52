// Pages that dcgm-exporter served on other people's machines: every name and label of theirs is one
// of ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "wire/metrics_text.h"
#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

struct Sample {
  std::string name;
  std::vector<std::string> labels;  // their names, in order
};

// Of one line of an exposition; nothing for a comment or a blank one.
std::optional<Sample> parse(const std::string& line) {
  if (line.empty() || line[0] == '#') return std::nullopt;
  const std::size_t open = line.find_first_of("{ ");
  if (open == line.npos) return std::nullopt;
  Sample sample{line.substr(0, open), {}};
  std::size_t at = open + 1;
  while (line[open] == '{' && at < line.size() && line[at] != '}') {
    at = line.find_first_not_of(", ", at);
    const std::size_t equals = line.find('=', at);
    if (equals == line.npos) return std::nullopt;
    sample.labels.push_back(line.substr(at, equals - at));
    for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] == '\\') ++at;
    }
    ++at;
  }
  return sample;
}

// By name, every list of labels that its samples have.
using Page = std::map<std::string, std::set<std::vector<std::string>>>;

Page parse_page(std::istream& text) {
  Page page;
  for (std::string line; std::getline(text, line);) {
    if (const auto sample = parse(line)) page[sample->name].insert(sample->labels);
  }
  return page;
}

// Where every metric has a value, on a whole GPU and on one that is split.
Page our_page(const MetricsOptions& options) {
  model::Snapshot snapshot = test_snapshot();
  snapshot.trends.resize(2);
  for (std::size_t gpu = 0; gpu < 2; ++gpu) {
    for (model::Reading& reading : snapshot.devices[gpu].gpu) reading = model::Reading::of(1);
    snapshot.devices[gpu].links.resize(1);
    snapshot.devices[gpu].links[0].fill(model::Reading::of(1));
    snapshot.trends[gpu].xids = {{79, 1, 1}};
    snapshot.trends[gpu].link_rates = {model::Reading::of(1)};
    snapshot.verdicts[gpu].overall = model::Health::kHealthy;
  }
  model::MigInstance& instance = snapshot.devices[1].mig_instances.emplace_back();
  instance.profile = "1g.10gb";
  instance.row.fill(model::Reading::of(1));
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->simulated = false;
  snapshot.inventory = inventory;
  MetricsText text(options);
  std::string out;
  text.append(&snapshot, {}, MetricsFormat::kPrometheus, out);
  std::istringstream in(out);
  return parse_page(in);
}

// Labels that say to whom a GPU is given: another part of the agent's, and never what makes a
// series come or go.
bool says_who(const std::string& label) {
  static const std::set<std::string> labels{"container",     "namespace", "pod",
                                            "pod_uid",       "vgpu",      "container_name",
                                            "pod_namespace", "pod_name"};
  return labels.contains(label);
}

// Names that are not ours, with the reason.
const std::map<std::string, std::string>& exceptions() {
  static const std::map<std::string, std::string> list{
      {"dcgm_sm_clock", "the list of counters for DCGM 1.x, which renames its fields"},
      {"dcgm_memory_clock", "the same"},
      {"dcgm_gpu_temp", "the same"},
      {"dcgm_power_usage", "the same"},
      {"dcgm_total_energy_consumption", "the same"},
      {"dcgm_pcie_replay_counter", "the same"},
      {"dcgm_gpu_utilization", "the same"},
      {"dcgm_fi_prof_gr_engine_active", "an exporter of 2024 that wrote its names in lower case"},
      {"go_gc_duration_seconds", "the Go runtime's"},
  };
  return list;
}

// Labels that old or edited pages have otherwise: what is compared there is left out.
bool is_old_page(const std::string& file) {
  static const std::set<std::string> files{
      "dcgm-exporter__readme__blank-sentinel-helps-first.prom",  // of 2020: gpu and UUID alone
      "dcgm-exporter__readme__k8s-empty-pod-labels.prom",
      "dcgm-exporter-2.0__v100__empty-pod-labels.prom",   // of 2020: no model, no host
      "dcgm-exporter__a100-shared-mps__vgpu-label.prom",  // without the driver's version
      "dcgm-exporter__netdata-fixture.prom",              // written by hand
  };
  return files.contains(file);
}

class Recordings : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path folder = std::filesystem::path(GPUSCOPE_RECORDINGS) / "exposition";
    if (!std::filesystem::is_directory(folder)) {
      GTEST_SKIP() << "no recordings in " << folder << "; set GPUSCOPE_RECORDINGS";
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("dcgm-exporter") || !name.ends_with(".prom")) continue;
      std::ifstream in(entry.path());
      pages_[name] = parse_page(in);
    }
    ASSERT_GE(pages_.size(), 10U);
  }

  std::map<std::string, Page> pages_;
};

TEST_F(Recordings, EveryNameIsOneOfOurs) {
  const Page ours = our_page({});
  std::set<std::string> used;
  std::size_t compared = 0;
  for (const auto& [file, page] : pages_) {
    for (const auto& [name, labels] : page) {
      ++compared;
      if (exceptions().contains(name)) {
        used.insert(name);
      } else {
        EXPECT_TRUE(ours.contains(name)) << name << " in " << file << " has no counterpart";
      }
    }
  }
  EXPECT_GE(compared, 120U);
  // An exception that nothing needs hides what comes later.
  for (const auto& [name, reason] : exceptions()) EXPECT_TRUE(used.contains(name)) << name;
}

TEST_F(Recordings, LabelsAreOursInTheirOrder) {
  MetricsOptions lower;
  lower.hostname_label = "hostname";
  lower.counters.emplace();  // that exporter had no label for the driver
  for (const model::MetricsFamily& family : model::dcgm_families()) {
    lower.counters->counters.push_back({std::string(family.name), false, false, ""});
  }
  const Page ours = our_page({});
  const Page ours_lower = our_page(lower);
  std::size_t compared = 0;
  for (const auto& [file, page] : pages_) {
    if (is_old_page(file)) continue;
    for (const auto& [name, lists] : page) {
      if (exceptions().contains(name)) continue;
      for (std::vector<std::string> labels : lists) {
        std::erase_if(labels, says_who);
        const bool is_lower = std::ranges::find(labels, "hostname") != labels.end();
        const Page& counterpart = is_lower ? ours_lower : ours;
        ASSERT_TRUE(counterpart.contains(name)) << name;
        // A value of the whole GPU stands once and not once per instance: docs/formats/metrics.md.
        if (name == "DCGM_FI_DEV_MEMORY_TEMP") {
          std::erase_if(labels, [](const auto& label) { return label.starts_with("GPU_I_"); });
        }
        EXPECT_TRUE(counterpart.at(name).contains(labels))
            << name << " in " << file << " has " << testing::PrintToString(labels) << ", ours "
            << testing::PrintToString(counterpart.at(name));
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 100U);
}

}  // namespace
}  // namespace gpuscope::wire

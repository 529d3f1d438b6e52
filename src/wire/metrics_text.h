// /metrics: a drop-in for dcgm-exporter's page, what it has no name for, and the agent's own
// health. docs/formats/metrics.md says what the page holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/naming.h"
#include "model/snapshot.h"
#include "wire/metrics_agent.h"
#include "wire/metrics_counters.h"
#include "wire/metrics_format.h"

namespace gpuscope::wire {

class MetricsLabels;

struct MetricsOptions {
  model::DcgmNames names = model::DcgmNames::kOld;
  std::string hostname_label = "Hostname";  // "hostname" as dcgm-exporter's later versions have it
  std::string hostname;
  // What of DCGM's families is served, and under what type and help; none: all but those that are
  // served on request. Our own families are served in any case.
  std::optional<CounterList> counters;
};

// Renders snapshots. What does not change between ticks (names, HELP, TYPE, a GPU's labels) is
// prepared once for an inventory, so that a series costs two copies and a number. Not thread-safe;
// for GPUs it allocates only when the inventory changes or `out` has to grow.
class MetricsText {
 public:
  explicit MetricsText(MetricsOptions options);
  ~MetricsText();
  MetricsText(const MetricsText&) = delete;
  MetricsText& operator=(const MetricsText&) = delete;

  // Appends the whole page. Without a snapshot (null) it has no series of GPUs but those that say
  // who is missing. Families stand together, GPUs by index; what is absent has no sample.
  void append(const model::Snapshot* snapshot, const AgentMetrics& agent, MetricsFormat format,
              std::string& out);

  // Appends, in the older format, what can be told of a tick that the history kept: all that
  // follows from its readings and the overall verdict.
  void append_kept(const model::Snapshot& snapshot, std::string& out);

 private:
  struct Family;
  class Page;

  void add_dcgm_families();
  void add_families(const model::MetricsFamily& row, std::string_view asked,
                    const Counter* counter);
  void prepare(const model::Snapshot& snapshot);

  const MetricsOptions options_;
  std::vector<Family> families_;
  std::vector<const model::LabelField*> label_fields_;
  std::shared_ptr<const model::Inventory> inventory_;  // what labels_ was built for
  std::size_t prepared_ = 0;                           // devices
  std::size_t expected_ = 0;                           // bytes of a page, as far as is known
  std::unique_ptr<MetricsLabels> labels_;
};

}  // namespace gpuscope::wire

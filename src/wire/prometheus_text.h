// The Prometheus text format, version 0.0.4. docs/formats/gpu_metric.md says what /gpu/metric
// holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/naming.h"
#include "model/snapshot.h"

namespace gpuscope::wire {

inline constexpr std::string_view kPrometheusTextType = "text/plain; version=0.0.4; charset=utf-8";

// Renders snapshots by one naming table. What does not change between ticks (names, labels, HELP
// and TYPE) is prepared once for an inventory, so that a series costs one copy and one number; a
// GPU whose health changed gets its labels anew. Not thread-safe; allocates only when the inventory
// changes or `out` has to grow.
class PrometheusText {
 public:
  // The table's texts outlive this object (they are static).
  explicit PrometheusText(const model::Naming& naming);

  // Appends every family with its HELP and TYPE, its samples together, by GPU index. An absent
  // reading has no sample.
  void append(const model::Snapshot& snapshot, std::string& out);

 private:
  // What a family's lines are made of.
  struct FamilyText {
    std::string header;  // its HELP and TYPE lines, padded with zeros for copy_chunks()
    std::size_t header_length = 0;
    std::string name;  // padded in the same way
    std::size_t name_length = 0;
    std::optional<std::size_t> column;  // of its readings; none: the verdict
    // Its numbers: (value + half) >> binary_shift, with this many digits behind the point.
    std::int64_t half = 0;
    int binary_shift = 0;
    int decimals = 0;
  };
  // One GPU's `{label="…",…} `, in its slot of labels_.
  struct Slot {
    std::uint32_t length = 0;
    model::Health health = model::Health::kUnknown;
  };

  struct Lines;

  void prepare(const model::Snapshot& snapshot);
  void rebuild(const model::Snapshot& snapshot);
  void fill_slot(std::size_t gpu, model::Health health);
  void build_labels(std::size_t gpu, model::Health health);
  std::size_t bound(std::size_t gpus) const;
  char* write_family(char* out, const FamilyText& family, const model::Snapshot& snapshot) const;

  const model::Naming naming_;
  std::vector<FamilyText> texts_;                      // by family
  std::shared_ptr<const model::Inventory> inventory_;  // what labels_ was built for
  std::vector<Slot> slots_;                            // by GPU
  std::size_t stride_ = 0;
  std::string labels_;   // slots of stride_ bytes each
  std::string scratch_;  // one slot in the making
};

}  // namespace gpuscope::wire

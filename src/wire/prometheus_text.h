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

// Renders snapshots by one naming table. From tick to tick only numbers change, and most of them do
// not: a document is the one before it, copied in long runs with the new numbers put in. It is
// written line by line where lines come or go: with another inventory, a GPU whose health changed,
// a reading that is absent now or was. Not thread-safe; allocates only then, or when `out` has to
// grow.
class PrometheusText {
 public:
  // The table's texts outlive this object (they are static).
  explicit PrometheusText(const model::Naming& naming);

  // Appends every family with its HELP and TYPE, its samples together, by GPU index. An absent
  // reading has no sample. `last` is what the call before appended, or empty where nobody kept it;
  // it does not lie in `out`.
  void append(const model::Snapshot& snapshot, std::string_view last, std::string& out);

 private:
  // What a family's lines are made of.
  struct FamilyText {
    std::string header;  // its HELP and TYPE lines
    std::string name;
    std::optional<std::size_t> column;  // of its readings; none: the verdict
    // Its numbers: rounded to whole 1 << binary_shift, with this many digits behind the point.
    std::int64_t half = 0;
    int binary_shift = 0;
    int decimals = 0;
  };
  // The number of one sample in the document that was written last.
  struct Number {
    std::int64_t value = 0;    // of its reading
    std::uint32_t before = 0;  // bytes of text before it, without the numbers among them
    std::uint32_t length = 0;  // with its line feed; 0: there is no such sample
  };
  struct Run;

  bool same_lines(const model::Snapshot& snapshot) const;
  void describe_gpus(const model::Snapshot& snapshot);
  std::string labels_of(std::size_t gpu) const;
  void write_lines(const model::Snapshot& snapshot, std::string& out);
  char* write_changes(const model::Snapshot& snapshot, std::string_view last, char* out);
  bool write_family(const FamilyText& family, const model::DeviceSample* devices, Number* number,
                    Run& run);

  const model::Naming naming_;
  std::vector<FamilyText> texts_;                      // by family
  std::shared_ptr<const model::Inventory> inventory_;  // what labels_ tell of
  std::vector<model::Health> healths_;                 // by GPU, as labels_ have them
  std::vector<std::string> labels_;                    // by GPU: `{label="…",…} `
  std::vector<Number> numbers_;                        // by family, then GPU
  std::size_t length_ = 0;                             // of the document that was written last
};

}  // namespace gpuscope::wire

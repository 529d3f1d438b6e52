// What agents of this contract, earlier ones too, answer: /gpu/list and /gpu/metrics/json, read
// back.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "model/reading.h"
#include "model/snapshot.h"

namespace gpuscope::wire {

// An agent with more GPUs is not one.
inline constexpr std::size_t kMaxListedGpus = 10'000;

// A value in a unit of the contract as a reading of that metric; not a number, or out of the
// metric's range: failed.
model::Reading reading_of(model::Metric metric, double value, std::uint8_t binary_shift);

// /gpu/list. What is null is not_yet; values that stand in `at` go there, by GPU: minor, pciegen,
// pciewidth, plimit. kInvalidArgument for what is no such document.
struct ListedGpus {
  model::Inventory inventory;
  std::vector<model::DeviceSample> at;
};
base::Result<ListedGpus> parse_gpu_list(std::string_view text);

// /gpu/metrics/json: a snapshot of these GPUs, by UUID. A GPU that is not in the answer is gone; a
// metric that is not is unsupported. `time` is the answer's where it names its zone, else `now`.
// kNotFound when the answer has a GPU that the list does not have: it has to be read anew.
base::Result<void> parse_metrics(std::string_view text, const ListedGpus& gpus, base::WallTime now,
                                 model::Snapshot& out);

}  // namespace gpuscope::wire

// The values that NVML gives as numbered fields, many in one call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "device/nvml/turn.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// The fields of one GPU. A field that the GPU refuses once leaves the batch; a slow field joins
// only when its turn has come. Not thread-safe. Allocates nothing after start().
class FieldBatch {
 public:
  // All fields of a GPU with that many NVLinks, none refused yet, all due.
  void start(std::size_t links);
  // All fields that are not refused are due at once.
  void restart();

  // Asks for all fields that are due at `tick`, in one call, into `out` (whose links must be as
  // many as start() was told). The code is that of the call, or GPU_IS_LOST where a field said so.
  nvmlReturn_t read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                    model::DeviceSample& out);

  // True while some field gives `metric` of the GPU, or of one of its links.
  bool gives(model::Metric metric, std::size_t link = 0) const;
  // True when no field is left to ask for.
  bool empty() const;

 private:
  struct Slot {
    std::uint8_t row = 0;  // of the table of fields
    std::uint8_t link = 0;
    bool refused = false;
    Turn turn;
  };
  // How many fields that are not refused give each metric, of the GPU or of one link.
  using Given = std::array<std::uint8_t, model::kGpuMetricCount>;
  using GivenOfLink = std::array<std::uint8_t, model::kLinkMetricCount>;
  // A counter of bytes and what it said before, for a rate.
  struct Meter {
    std::int64_t bytes = -1;
    std::int64_t micros = 0;
  };

  std::uint8_t& given(model::Metric metric, std::size_t link);
  void refuse(Slot& slot);
  void request(base::WallTime tick);
  bool stands_aside(std::size_t slot) const;
  void add(std::size_t slot);
  base::WallTime add_due(std::size_t first, std::size_t last, base::WallTime tick);
  void request_links(base::WallTime tick);
  // Takes one answer; true when it says that the GPU is gone.
  bool accept(const nvmlFieldValue_t& answer, Slot& slot, base::WallTime tick,
              model::DeviceSample& out);
  void meter(Meter& meter, const nvmlFieldValue_t& answer, Slot& slot, base::WallTime tick,
             model::Reading& total, model::Reading& rate);

  std::vector<Slot> slots_;
  Given given_{};
  std::vector<GivenOfLink> given_of_links_;
  std::size_t left_ = 0;           // slots that are not refused
  std::size_t first_of_link_ = 0;  // into slots_: those of links stand last
  // No field of a link is due before; the epoch where that is not known.
  base::WallTime links_due_{};
  base::WallTime last_tick_{};
  std::vector<nvmlFieldValue_t> values_;  // the request and the answer
  std::vector<std::uint16_t> asked_;      // which slot each of values_ is
  Meter sent_;
  Meter received_;
};

}  // namespace gpuscope::device::nvml

// What the driver itself keeps of quantities that move faster than a tick: its buffer of samples,
// of which the mean over the time since the last look is taken.
#pragma once

#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "model/reading.h"

namespace gpuscope::device::nvml {

// One kind of samples, in percent, of one GPU. Not thread-safe. Allocates nothing after the first
// read().
class DriverSamples {
 public:
  explicit DriverSamples(nvmlSamplingType_t type) : type_(type) {}

  // The mean of all samples since the last call, in hundredths of a percent; at the first call of
  // the last second's. `out` stays as it is where there is no sample since: NOT_FOUND once that has
  // been so for longer than any driver pauses (2 s), else success. Samples above 100 do not count.
  nvmlReturn_t read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                    model::Reading& out);

 private:
  const nvmlSamplingType_t type_;
  std::vector<nvmlSample_t> buffer_;
  unsigned long long last_seen_ = 0;  // the newest sample's own time
  base::WallTime fresh_{};            // the last tick that had one
};

}  // namespace gpuscope::device::nvml

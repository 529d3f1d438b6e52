// What the driver itself keeps of quantities that move faster than a tick: its buffer of samples,
// of which those since the last look are taken.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "model/reading.h"
#include "model/trend.h"

namespace gpuscope::device::nvml {

// One kind of samples of one GPU. Not thread-safe. Allocates nothing after the first call.
class DriverSamples {
 public:
  // NVML's samples are whole numbers, of which one is `scale` of the catalogue's. Those above
  // `most` do not count: drivers have been seen to leave rows empty.
  DriverSamples(nvmlSamplingType_t type, std::int64_t scale, unsigned int most)
      : type_(type), scale_(scale), most_(most) {}

  // The mean of all samples since the last call, and how far they reach; at the first call of those
  // of the last second. Both stay as they are where there is no sample since: NOT_FOUND once that
  // has been so for longer than any driver pauses (2 s), else success.
  nvmlReturn_t read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                    model::Reading& mean, model::Spread& spread);
  // How far they reach alone; success also where there is none.
  nvmlReturn_t read(const Functions& nvml, nvmlDevice_t device, model::Spread& spread);

 private:
  struct Summary {
    std::int64_t sum = 0;
    std::int64_t count = 0;
    unsigned int min = 0;
    unsigned int max = 0;
  };
  nvmlReturn_t look(const Functions& nvml, nvmlDevice_t device, Summary& summary);
  model::Spread spread_of(const Summary& summary) const {
    return {true, summary.min * scale_, summary.max * scale_};
  }

  const nvmlSamplingType_t type_;
  const std::int64_t scale_;
  const unsigned int most_;
  std::vector<nvmlSample_t> buffer_;
  unsigned long long last_seen_ = 0;  // the newest sample's own time
  base::WallTime fresh_{};            // the last tick that had one
};

}  // namespace gpuscope::device::nvml

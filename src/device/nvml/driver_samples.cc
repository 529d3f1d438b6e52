#include "device/nvml/driver_samples.h"

#include <algorithm>
#include <chrono>

namespace gpuscope::device::nvml {
namespace {

using model::Reading;
using std::chrono::seconds;

// Drivers keep about a hundred samples of utilization, six of them a second.
constexpr std::size_t kRoom = 256;
constexpr unsigned long long kSecond = 1'000'000;
constexpr unsigned int kWhole = 100;
constexpr std::int64_t kHundredths = 100;
constexpr seconds kLongestPause{2};

}  // namespace

nvmlReturn_t DriverSamples::read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                                 Reading& out) {
  if (nvml.nvmlDeviceGetSamples == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  buffer_.resize(kRoom);
  auto count = static_cast<unsigned int>(kRoom);
  nvmlValueType_t value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
  nvmlReturn_t code =
      nvml.nvmlDeviceGetSamples(device, type_, last_seen_, &value_type, &count, buffer_.data());
  if (code == NVML_ERROR_NOT_FOUND) count = 0;
  if (code != NVML_SUCCESS && code != NVML_ERROR_NOT_FOUND) return code;

  const auto end = buffer_.begin() + std::min<std::ptrdiff_t>(count, kRoom);
  unsigned long long newest = last_seen_;
  for (auto at = buffer_.begin(); at != end; ++at) newest = std::max(newest, at->timeStamp);
  const unsigned long long since =
      last_seen_ != 0 || newest < kSecond ? last_seen_ : newest - kSecond;
  std::int64_t sum = 0;
  std::int64_t counted = 0;
  for (auto at = buffer_.begin(); at != end; ++at) {
    if (at->timeStamp <= since || at->sampleValue.uiVal > kWhole) continue;
    sum += at->sampleValue.uiVal;
    ++counted;
  }
  last_seen_ = newest;
  if (counted > 0) {
    fresh_ = tick;
    out = Reading::of((sum * kHundredths + counted / 2) / counted);
    return NVML_SUCCESS;
  }
  if (fresh_ == base::WallTime{}) fresh_ = tick;  // what open() found was before any tick
  // Also after a clock was set back.
  const bool stale = tick - fresh_ > kLongestPause || tick < fresh_;
  return stale || !out.present() ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
}

}  // namespace gpuscope::device::nvml

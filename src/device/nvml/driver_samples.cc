#include "device/nvml/driver_samples.h"

#include <algorithm>
#include <chrono>

namespace gpuscope::device::nvml {
namespace {

using model::Reading;
using std::chrono::seconds;

// Drivers keep about a hundred samples, six of utilization a second.
constexpr std::size_t kRoom = 256;
constexpr unsigned long long kSecond = 1'000'000;
constexpr seconds kLongestPause{2};

}  // namespace

nvmlReturn_t DriverSamples::look(const Functions& nvml, nvmlDevice_t device, Summary& summary) {
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
  for (auto at = buffer_.begin(); at != end; ++at) {
    const unsigned int value = at->sampleValue.uiVal;
    if (at->timeStamp <= since || value > most_) continue;
    summary.min = summary.count == 0 ? value : std::min(summary.min, value);
    summary.max = std::max(summary.max, value);
    summary.sum += value;
    ++summary.count;
  }
  last_seen_ = newest;
  return NVML_SUCCESS;
}

nvmlReturn_t DriverSamples::read(const Functions& nvml, nvmlDevice_t device, base::WallTime tick,
                                 Reading& mean, model::Spread& spread) {
  Summary found;
  const nvmlReturn_t code = look(nvml, device, found);
  if (code != NVML_SUCCESS) return code;
  if (found.count > 0) {
    fresh_ = tick;
    mean = Reading::of((found.sum * scale_ + found.count / 2) / found.count);
    spread = spread_of(found);
    return NVML_SUCCESS;
  }
  if (fresh_ == base::WallTime{}) fresh_ = tick;  // what open() found was before any tick
  // Also after a clock was set back.
  const bool stale = tick - fresh_ > kLongestPause || tick < fresh_;
  return stale || !mean.present() ? NVML_ERROR_NOT_FOUND : NVML_SUCCESS;
}

nvmlReturn_t DriverSamples::read(const Functions& nvml, nvmlDevice_t device,
                                 model::Spread& spread) {
  Summary found;
  const nvmlReturn_t code = look(nvml, device, found);
  if (code == NVML_SUCCESS && found.count > 0) spread = spread_of(found);
  return code;
}

}  // namespace gpuscope::device::nvml

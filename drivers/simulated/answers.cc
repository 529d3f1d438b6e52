#include "answers.h"

#include <cstring>

#include "model/catalog.h"

namespace gpuscope::simulated {

using model::Absence;

nvmlReturn_t error_of(Absence absence) {
  switch (absence) {
    case Absence::kPresent:
      return NVML_SUCCESS;
    case Absence::kUnsupported:
      return NVML_ERROR_NOT_SUPPORTED;
    case Absence::kDenied:
      return NVML_ERROR_NO_PERMISSION;
    case Absence::kTimedOut:
      return NVML_ERROR_TIMEOUT;
    case Absence::kGone:
      return NVML_ERROR_GPU_IS_LOST;
    case Absence::kFailed:
    case Absence::kNotYet:
      break;
  }
  return NVML_ERROR_UNKNOWN;
}

std::int64_t nvml_value(model::Metric metric, std::int64_t value) {
  const model::MetricInfo& row = model::info(metric);
  std::int64_t divisor = 1;
  if (row.unit == model::Unit::kCelsius || row.unit == model::Unit::kPercent) {
    for (int i = 0; i < row.decimals; ++i) divisor *= 10;
  }
  // To the nearest, also below zero.
  const std::int64_t half = value < 0 ? -divisor / 2 : divisor / 2;
  return (value + half) / divisor;
}

nvmlReturn_t give_text(std::string_view text, char* out, unsigned int length) {
  if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (text.size() >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\0';
  return NVML_SUCCESS;
}

nvmlReturn_t give_fact(const Gpu& gpu, model::Fact fact, char* out, unsigned int length) {
  const model::Text& text = gpu.info().fact(fact);
  if (!text.present()) return error_of(text.absence);
  return give_text(text.value, out, length);
}

}  // namespace gpuscope::simulated

// How a reading, a text or a list becomes an NVML answer.
#pragma once

#include <cstdint>
#include <string_view>

#include "device/nvml/abi.h"
#include "driver.h"
#include "model/snapshot.h"

namespace gpuscope::simulated {

// The error that a caller of the real library gets for this absence.
nvmlReturn_t error_of(model::Absence absence);

// In NVML's unit, which is the catalogue's for all but temperatures and percents: those it has
// whole.
std::int64_t nvml_value(model::Metric metric, std::int64_t value);

// Copies with its NUL, or gives INSUFFICIENT_SIZE.
nvmlReturn_t give_text(std::string_view text, char* out, unsigned int length);
nvmlReturn_t give_fact(const Gpu& gpu, model::Fact fact, char* out, unsigned int length);

template <typename T>
nvmlReturn_t give(T value, T* out) {
  if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  *out = value;
  return NVML_SUCCESS;
}

// One reading of the row of `metric`.
template <typename T>
nvmlReturn_t give_reading(model::Metric metric, const model::Reading& reading, T* out) {
  if (out == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
  if (!reading.present()) return error_of(reading.absence);
  *out = static_cast<T>(nvml_value(metric, reading.value));
  return NVML_SUCCESS;
}
template <typename T>
nvmlReturn_t give_metric(Gpu& gpu, model::Metric metric, T* out) {
  return give_reading(metric, gpu.reading(metric), out);
}

// Two readings of one instant.
template <typename T>
nvmlReturn_t give_pair(const Entry& entry, nvmlDevice_t device, model::Metric one, T* first,
                       model::Metric other, T* second) {
  return entry.device(device, [&](Gpu& gpu) {
    return gpu.sample([&](const model::DeviceSample& now, base::WallTime) {
      if (second == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
      const nvmlReturn_t code = give_reading(one, now.at(one), first);
      return code != NVML_SUCCESS ? code : give_reading(other, now.at(other), second);
    });
  });
}

// A whole NVML function: one reading, straight.
// NOLINTBEGIN(bugprone-macro-parentheses): a type takes no parentheses.
#define GPUSCOPE_READING(function, type, metric)                                          \
  nvmlReturn_t function(nvmlDevice_t device, type* out) {                                 \
    static const Entry entry{__func__};                                                   \
    return entry.device(device, [&](Gpu& gpu) { return give_metric(gpu, metric, out); }); \
  }
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace gpuscope::simulated

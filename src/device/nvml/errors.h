// What an NVML return code means for a reading, for a device and for the whole source.
#pragma once

#include <string_view>

#include "base/result.h"
#include "device/nvml/abi.h"
#include "model/reading.h"

namespace gpuscope::device::nvml {

// kPresent for success.
model::Absence absence_of(nvmlReturn_t code);

// The GPU is off the bus: nothing else is worth asking until it is back.
bool device_gone(nvmlReturn_t code);
// The driver went away under us: everything has to be opened again.
bool driver_gone(nvmlReturn_t code);

// Why `library` could not be used when it answered `code` to its initialisation, and the cure.
base::Error init_error(nvmlReturn_t code, std::string_view library);

}  // namespace gpuscope::device::nvml

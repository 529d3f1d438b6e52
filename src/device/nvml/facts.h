// The texts that NVML tells of a GPU.
#pragma once

#include "device/nvml/abi.h"
#include "device/nvml/library.h"
#include "model/snapshot.h"

namespace gpuscope::device::nvml {

// Every fact, or the reason that it is absent. About twenty calls, some of them slow.
model::GpuInfo read_facts(const Functions& nvml, nvmlDevice_t device);

}  // namespace gpuscope::device::nvml

// The facts as the vendor's own header has them, where it is installed. Nothing of ours is included
// that would declare the same names.
#include "device/nvml/abi_facts.h"

#include <cstddef>

#if __has_include(<nvml.h>)
// Else it declares old names as macros for the newest versions.
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>
#define ABI_VERSION NVML_API_VERSION
#endif

namespace gpuscope::device::nvml {

std::vector<AbiFact> vendor_abi_facts() {
  return {
#ifdef ABI_VERSION
#include "device/nvml/abi_facts.inc"
#endif
  };
}

}  // namespace gpuscope::device::nvml

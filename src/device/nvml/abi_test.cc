// abi.h against the vendor's header: every size, offset, constant and call.
#include "device/nvml/abi.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>

#include "device/nvml/abi_facts.h"

#define ABI_VERSION 12

namespace gpuscope::device::nvml {
namespace {

std::vector<AbiFact> our_abi_facts() {
  return {
#include "device/nvml/abi_facts.inc"
  };
}

TEST(NvmlAbi, IsTheVendors) {
  const std::vector<AbiFact> vendor = vendor_abi_facts();
  if (vendor.empty()) {
    GTEST_SKIP() << "no <nvml.h> here (Debian: libnvidia-ml-dev, non-free); point the CMake "
                    "variable GPUSCOPE_NVML_INCLUDE at the folder of one";
  }
  std::map<std::string, std::string> ours;
  for (const AbiFact& fact : our_abi_facts()) ours[fact.name] = fact.value;
  for (const AbiFact& fact : vendor) EXPECT_EQ(ours[fact.name], fact.value) << fact.name;
}

TEST(NvmlAbi, HasFactsToCheck) { EXPECT_GT(our_abi_facts().size(), 500U); }

}  // namespace
}  // namespace gpuscope::device::nvml

#include "device/nvml/facts.h"

#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Fact;
using model::Text;

// Longer than any text that NVML gives (96 for a UUID, 96 for a name).
using Buffer = std::array<char, 128>;

Text text_of(nvmlReturn_t code, std::string value) {
  if (code != NVML_SUCCESS) return Text::none(absence_of(code));
  // What a board without such an entry answers.
  if (value.empty() || value == "N/A" || value == "[N/A]") return Text::none(Absence::kUnsupported);
  return Text::of(std::move(value));
}

// f(arguments…, buffer, length).
template <typename Function, typename... Arguments>
Text text(Function function, Arguments... arguments) {
  if (function == nullptr) return Text::none(Absence::kUnsupported);
  Buffer buffer{};
  const nvmlReturn_t code =
      function(arguments..., buffer.data(), static_cast<unsigned int>(buffer.size()));
  buffer.back() = '\0';
  return text_of(code, buffer.data());
}

Text gsp_firmware(const Functions& nvml, nvmlDevice_t device) {
  if (nvml.nvmlDeviceGetGspFirmwareVersion == nullptr) return Text::none(Absence::kUnsupported);
  Buffer buffer{};
  const nvmlReturn_t code = nvml.nvmlDeviceGetGspFirmwareVersion(device, buffer.data());
  buffer.back() = '\0';
  return text_of(code, buffer.data());
}

Text cuda_version(const Functions& nvml) {
  auto* function = nvml.nvmlSystemGetCudaDriverVersion_v2 != nullptr
                       ? nvml.nvmlSystemGetCudaDriverVersion_v2
                       : nvml.nvmlSystemGetCudaDriverVersion;
  if (function == nullptr) return Text::none(Absence::kUnsupported);
  int version = 0;  // 12040 is 12.4
  const nvmlReturn_t code = function(&version);
  return text_of(code, fmt::format("{}.{}", version / 1000, version % 1000 / 10));
}

Text pci_bus_id(const Functions& nvml, nvmlDevice_t device) {
  auto* function = nvml.nvmlDeviceGetPciInfo_v3 != nullptr ? nvml.nvmlDeviceGetPciInfo_v3
                                                           : nvml.nvmlDeviceGetPciInfo_v2;
  if (function == nullptr) return Text::none(Absence::kUnsupported);
  nvmlPciInfo_t pci{};
  const nvmlReturn_t code = function(device, &pci);
  pci.busId[sizeof pci.busId - 1] = '\0';
  return text_of(code, pci.busId);
}

Text brand(const Functions& nvml, nvmlDevice_t device) {
  // By NVML's number, as nvidia-smi writes them.
  static constexpr std::array<const char*, 17> kNames{"",
                                                      "Quadro",
                                                      "Tesla",
                                                      "NVS",
                                                      "GRID",
                                                      "GeForce",
                                                      "Titan",
                                                      "NVIDIA Virtual Applications",
                                                      "NVIDIA Virtual PC",
                                                      "NVIDIA Virtual Compute Server",
                                                      "NVIDIA RTX Virtual Workstation",
                                                      "NVIDIA Cloud Gaming",
                                                      "Quadro RTX",
                                                      "NVIDIA RTX",
                                                      "NVIDIA",
                                                      "GeForce RTX",
                                                      "Titan RTX"};
  if (nvml.nvmlDeviceGetBrand == nullptr) return Text::none(Absence::kUnsupported);
  nvmlBrandType_t brand{};
  const nvmlReturn_t code = nvml.nvmlDeviceGetBrand(device, &brand);
  const auto number = static_cast<std::size_t>(brand);
  return text_of(code, number < kNames.size() ? kNames[number] : "");
}

Text architecture(const Functions& nvml, nvmlDevice_t device) {
  // By NVML's number.
  static constexpr std::array<const char*, 11> kNames{"",       "",       "Kepler",   "Maxwell",
                                                      "Pascal", "Volta",  "Turing",   "Ampere",
                                                      "Ada",    "Hopper", "Blackwell"};
  if (nvml.nvmlDeviceGetArchitecture == nullptr) return Text::none(Absence::kUnsupported);
  nvmlDeviceArchitecture_t architecture{};
  const nvmlReturn_t code = nvml.nvmlDeviceGetArchitecture(device, &architecture);
  const auto number = static_cast<std::size_t>(architecture);
  return text_of(code, number < kNames.size() ? kNames[number] : "");
}

Text compute_capability(const Functions& nvml, nvmlDevice_t device) {
  if (nvml.nvmlDeviceGetCudaComputeCapability == nullptr) return Text::none(Absence::kUnsupported);
  int major = 0;
  int minor = 0;
  const nvmlReturn_t code = nvml.nvmlDeviceGetCudaComputeCapability(device, &major, &minor);
  return text_of(code, fmt::format("{}.{}", major, minor));
}

Text board_id(const Functions& nvml, nvmlDevice_t device) {
  if (nvml.nvmlDeviceGetBoardId == nullptr) return Text::none(Absence::kUnsupported);
  unsigned int id = 0;
  const nvmlReturn_t code = nvml.nvmlDeviceGetBoardId(device, &id);
  return text_of(code, fmt::format("{:#x}", id));
}

}  // namespace

model::GpuInfo read_facts(const Functions& nvml, nvmlDevice_t device) {
  model::GpuInfo info;
  info.fact(Fact::kName) = text(nvml.nvmlDeviceGetName, device);
  info.fact(Fact::kUuid) = text(nvml.nvmlDeviceGetUUID, device);
  info.fact(Fact::kSerial) = text(nvml.nvmlDeviceGetSerial, device);
  info.fact(Fact::kVbios) = text(nvml.nvmlDeviceGetVbiosVersion, device);
  info.fact(Fact::kDriverVersion) = text(nvml.nvmlSystemGetDriverVersion);
  info.fact(Fact::kCudaVersion) = cuda_version(nvml);
  info.fact(Fact::kNvmlVersion) = text(nvml.nvmlSystemGetNVMLVersion);
  info.fact(Fact::kPciBusId) = pci_bus_id(nvml, device);
  info.fact(Fact::kBrand) = brand(nvml, device);
  info.fact(Fact::kArchitecture) = architecture(nvml, device);
  info.fact(Fact::kComputeCapability) = compute_capability(nvml, device);
  info.fact(Fact::kBoardPartNumber) = text(nvml.nvmlDeviceGetBoardPartNumber, device);
  info.fact(Fact::kBoardId) = board_id(nvml, device);
  info.fact(Fact::kInforomImage) = text(nvml.nvmlDeviceGetInforomImageVersion, device);
  info.fact(Fact::kInforomOem) = text(nvml.nvmlDeviceGetInforomVersion, device, NVML_INFOROM_OEM);
  info.fact(Fact::kInforomEcc) = text(nvml.nvmlDeviceGetInforomVersion, device, NVML_INFOROM_ECC);
  info.fact(Fact::kInforomPower) =
      text(nvml.nvmlDeviceGetInforomVersion, device, NVML_INFOROM_POWER);
  info.fact(Fact::kGspFirmware) = gsp_firmware(nvml, device);
  return info;
}

}  // namespace gpuscope::device::nvml

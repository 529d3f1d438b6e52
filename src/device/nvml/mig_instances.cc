#include "device/nvml/mig_instances.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::seconds;

constexpr Period kLookPeriod = seconds{5};
constexpr Period kEccPeriod = seconds{60};
constexpr unsigned int kMostInstances = 64;  // real GPUs have up to seven
using UuidBuffer = std::array<char, NVML_DEVICE_UUID_V2_BUFFER_SIZE>;

Reading& at(model::MigInstance& instance, Metric metric) {
  return instance.row[model::column(metric)];
}

// "1g.10gb" of "NVIDIA H100 80GB HBM3 MIG 1g.10gb".
std::string_view profile_of(std::string_view name) {
  constexpr std::string_view kMark = " MIG ";
  const std::size_t mark = name.rfind(kMark);
  return mark == std::string_view::npos ? std::string_view{} : name.substr(mark + kMark.size());
}

}  // namespace

void MigInstances::forget() {
  slots_.clear();
  next_ = next_look_ = 0;
}

void MigInstances::begin(nvmlDevice_t device, bool with_gpm) {
  forget();
  with_gpm_ = with_gpm;
  const Functions& nvml = session_->nvml();
  unsigned int count = 0;
  if (nvml.nvmlDeviceGetMaxMigDeviceCount == nullptr ||
      nvml.nvmlDeviceGetMigDeviceHandleByIndex == nullptr ||
      nvml.nvmlDeviceGetMaxMigDeviceCount(device, &count) != NVML_SUCCESS) {
    return;
  }
  slots_.resize(std::min(count, kMostInstances));
}

void MigInstances::find_all(nvmlDevice_t device, bool with_gpm) {
  begin(device, with_gpm);
  int calls = 0;
  for (unsigned int i = 0; i < slots_.size(); ++i) {
    look(device, slots_[i], i, calls);
    if (!slots_[i].present) continue;
    read_memory(slots_[i]);
    read_ecc(slots_[i]);
  }
  next_look_ = slots_.size();
}

nvmlReturn_t MigInstances::look(nvmlDevice_t device, Slot& slot, unsigned int index, int& calls) {
  nvmlDevice_t handle{};
  ++calls;
  const nvmlReturn_t code =
      session_->nvml().nvmlDeviceGetMigDeviceHandleByIndex(device, index, &handle);
  if (code != NVML_SUCCESS) {
    slot.present = false;
    return device_gone(code) || driver_gone(code) ? code : NVML_SUCCESS;
  }
  if (slot.present && slot.handle == handle) return NVML_SUCCESS;
  slot.handle = handle;
  return identify(slot, calls);
}

// Who it is; an instance that was made anew begins anew.
nvmlReturn_t MigInstances::identify(Slot& slot, int& calls) {
  const Functions& nvml = session_->nvml();
  model::MigInstance& instance = slot.instance;
  const auto text = [&](auto function, UuidBuffer& buffer) -> std::string_view {
    if (function == nullptr) return {};
    ++calls;
    if (function(slot.handle, buffer.data(), static_cast<unsigned int>(buffer.size())) !=
        NVML_SUCCESS) {
      return {};
    }
    buffer.back() = '\0';
    return buffer.data();
  };
  const auto number = [&](auto function, std::uint32_t& out) {
    if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
    ++calls;
    return function(slot.handle, &out);
  };
  UuidBuffer buffer{};
  instance.uuid = text(nvml.nvmlDeviceGetUUID, buffer);
  instance.profile = profile_of(text(nvml.nvmlDeviceGetName, buffer));
  const nvmlReturn_t code = number(nvml.nvmlDeviceGetGpuInstanceId, instance.gpu_instance_id);
  number(nvml.nvmlDeviceGetComputeInstanceId, instance.compute_instance_id);
  instance.row.fill(Reading::none(Absence::kNotYet));
  if (with_gpm_ && code == NVML_SUCCESS) {
    slot.gpm = std::make_unique<GpmMeter>(session_, instance.gpu_instance_id);
  } else {
    slot.gpm = nullptr;
    for (const GpmRow& row : gpm_rows_of_mig()) {
      instance.row[row.column] = Reading::none(Absence::kUnsupported);
    }
  }
  slot.ecc_turn = {};
  slot.present = true;
  return device_gone(code) || driver_gone(code) ? code : NVML_SUCCESS;
}

void MigInstances::read_memory(Slot& slot) {
  const Functions& nvml = session_->nvml();
  nvmlMemory_t memory{};
  const nvmlReturn_t code = nvml.nvmlDeviceGetMemoryInfo == nullptr
                                ? NVML_ERROR_FUNCTION_NOT_FOUND
                                : nvml.nvmlDeviceGetMemoryInfo(slot.handle, &memory);
  const auto set = [&](Metric metric, unsigned long long value) {
    at(slot.instance, metric) = code == NVML_SUCCESS ? Reading::of(static_cast<std::int64_t>(value))
                                                     : Reading::none(absence_of(code));
  };
  set(Metric::kMigMemoryTotal, memory.total);
  set(Metric::kMigMemoryFree, memory.free);
  set(Metric::kMigMemoryUsed, memory.used);
}

void MigInstances::read_ecc(Slot& slot) {
  const auto function = session_->nvml().nvmlDeviceGetMemoryErrorCounter;
  unsigned long long errors = 0;
  const nvmlReturn_t code = function == nullptr
                                ? NVML_ERROR_FUNCTION_NOT_FOUND
                                : function(slot.handle, NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
                                           NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_SRAM, &errors);
  at(slot.instance, Metric::kMigEccUncorrected) =
      code == NVML_SUCCESS ? Reading::of(static_cast<std::int64_t>(errors))
                           : Reading::none(absence_of(code));
}

nvmlReturn_t MigInstances::read(nvmlDevice_t device, base::WallTime tick, Slot& slot, int& calls) {
  ++calls;
  read_memory(slot);
  if (slot.ecc_turn.due(tick, kEccPeriod)) {
    slot.ecc_turn.done(tick, kEccPeriod);
    ++calls;
    read_ecc(slot);
  }
  if (slot.gpm == nullptr) return NVML_SUCCESS;
  const nvmlReturn_t code =
      slot.gpm->read(device, tick, gpm_rows_of_mig(), slot.instance.row, calls);
  return device_gone(code) || driver_gone(code) ? code : NVML_SUCCESS;
}

nvmlReturn_t MigInstances::read_next(nvmlDevice_t device, base::WallTime tick, int& calls) {
  if (slots_.empty()) return NVML_SUCCESS;
  // The first round at once, then now and then.
  if (next_look_ < slots_.size() || look_turn_.due(tick, kLookPeriod)) {
    look_turn_.done(tick, kLookPeriod);
    const std::size_t index = next_look_ % slots_.size();
    ++next_look_;
    return look(device, slots_[index], static_cast<unsigned int>(index), calls);
  }
  for (std::size_t tries = 0; tries < slots_.size(); ++tries) {
    Slot& slot = slots_[next_ % slots_.size()];
    next_ = (next_ + 1) % slots_.size();
    if (slot.present) return read(device, tick, slot, calls);
  }
  return NVML_SUCCESS;
}

void MigInstances::publish(std::vector<model::MigInstance>& out) const {
  std::size_t count = 0;
  for (const Slot& slot : slots_) {
    if (!slot.present) continue;
    if (out.size() == count) out.emplace_back();
    out[count++] = slot.instance;
  }
  out.resize(count);
}

}  // namespace gpuscope::device::nvml

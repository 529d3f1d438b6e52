#include "device/nvml/queries.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <type_traits>

#include "device/nvml/errors.h"
#include "device/nvml/host_memory.h"
#include "device/nvml/percent.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Metric;
using model::Reading;
using std::chrono::seconds;

// Percent, and degrees, from whole numbers to the catalogue's decimals.
constexpr std::int64_t kCelsius = 10;

// Absent where NVML fills a value with ones, its way of saying that there is none.
template <typename Integer>
Reading reading_of(Integer value, std::int64_t scale = 1) {
  if constexpr (std::is_enum_v<Integer>) {
    return Reading::of(static_cast<std::int64_t>(value) * scale);
  } else {
    if (std::is_unsigned_v<Integer> && value == std::numeric_limits<Integer>::max()) {
      return Reading::none(Absence::kUnsupported);
    }
    return Reading::of(static_cast<std::int64_t>(value) * scale);
  }
}

template <typename Value>
Value pointee(nvmlReturn_t (*)(nvmlDevice_t, Value*));
template <typename Selector, typename Value>
Value selected(nvmlReturn_t (*)(nvmlDevice_t, Selector, Value*));

// Functions of the form f(device, &value).
template <auto Member, Metric kMetric, std::int64_t kScale = 1>
nvmlReturn_t one(Subject& subject) {
  const auto function = subject.nvml.*Member;
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  decltype(pointee(function)) value{};
  const nvmlReturn_t code = function(subject.device, &value);
  if (code == NVML_SUCCESS) subject.values.at(kMetric) = reading_of(value, kScale);
  return code;
}

// Functions of the form f(device, what, &value).
template <auto Member, auto kWhat, Metric kMetric, std::int64_t kScale = 1>
nvmlReturn_t one_of(Subject& subject) {
  const auto function = subject.nvml.*Member;
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  decltype(selected(function)) value{};
  const nvmlReturn_t code = function(subject.device, kWhat, &value);
  if (code == NVML_SUCCESS) subject.values.at(kMetric) = reading_of(value, kScale);
  return code;
}

// Engines: f(device, &percent, &window).
template <auto Member, Metric kMetric>
nvmlReturn_t engine(Subject& subject) {
  const auto function = subject.nvml.*Member;
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned int percent = 0;
  unsigned int window_micros = 0;
  const nvmlReturn_t code = function(subject.device, &percent, &window_micros);
  if (code == NVML_SUCCESS) subject.values.at(kMetric) = reading_of(percent, kPercent);
  return code;
}

nvmlReturn_t ask_utilization(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetUtilizationRates == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlUtilization_t rates{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetUtilizationRates(subject.device, &rates);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kGpuUtilization) = reading_of(rates.gpu, kPercent);
  subject.values.at(Metric::kMemoryUtilization) = reading_of(rates.memory, kPercent);
  return code;
}

// Where a metric that the driver samples has its place.
constexpr std::size_t place_of(Metric metric) {
  return static_cast<std::size_t>(std::ranges::find(model::kSampledMetrics, metric) -
                                  model::kSampledMetrics.begin());
}

// The driver's own samples since the last time, or its latest figure where it has none.
template <DriverSamples Subject::* kSamples, Metric kMetric, nvmlReturn_t (*kLatest)(Subject&)>
nvmlReturn_t ask_samples(Subject& subject) {
  model::DeviceSample& values = subject.values;
  const nvmlReturn_t code = (subject.*kSamples)
                                .read(subject.nvml, subject.device, subject.tick,
                                      values.at(kMetric), values.spreads[place_of(kMetric)]);
  return code == NVML_ERROR_NOT_FOUND ? kLatest(subject) : code;
}

// How far the driver's samples reach of what is read as of the tick.
template <DriverSamples Subject::* kSamples, Metric kMetric>
nvmlReturn_t ask_spread(Subject& subject) {
  return (subject.*kSamples)
      .read(subject.nvml, subject.device, subject.values.spreads[place_of(kMetric)]);
}

nvmlReturn_t ask_latest_memory_utilization(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetUtilizationRates == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlUtilization_t rates{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetUtilizationRates(subject.device, &rates);
  if (code == NVML_SUCCESS) {
    subject.values.at(Metric::kMemoryUtilization) = reading_of(rates.memory, kPercent);
  }
  return code;
}

nvmlReturn_t ask_memory_utilization(Subject& subject) {
  const nvmlReturn_t code = ask_samples<&Subject::memory_utilization, Metric::kMemoryUtilization,
                                        ask_latest_memory_utilization>(subject);
  // Where GPU utilization has samples and this has none.
  return absence_of(code) == Absence::kUnsupported ? ask_latest_memory_utilization(subject) : code;
}

void set_memory(Subject& subject, unsigned long long total, unsigned long long free,
                unsigned long long used, Reading reserved) {
  model::DeviceSample& values = subject.values;
  values.at(Metric::kMemoryTotal) = reading_of(total);
  values.at(Metric::kMemoryFree) = reading_of(free);
  values.at(Metric::kMemoryUsed) = reading_of(used);
  values.at(Metric::kMemoryReserved) = reserved;
  values.at(Metric::kMemoryUsagePercent) =
      total == 0 ? Reading::none(Absence::kUnsupported)
                 : Reading::of(static_cast<std::int64_t>((used * 10'000 + total / 2) / total));
}

nvmlReturn_t ask_memory_v2(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetMemoryInfo_v2 == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlMemory_v2_t memory{};
  memory.version = nvmlMemory_v2;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetMemoryInfo_v2(subject.device, &memory);
  if (code != NVML_SUCCESS) return code;
  set_memory(subject, memory.total, memory.free, memory.used, reading_of(memory.reserved));
  return code;
}

// The older function counts what the driver reserves as used.
nvmlReturn_t ask_memory_v1(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetMemoryInfo == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlMemory_t memory{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetMemoryInfo(subject.device, &memory);
  subject.memory_code = code;
  if (code != NVML_SUCCESS) return code;
  set_memory(subject, memory.total, memory.free, memory.used, Reading::none(Absence::kUnsupported));
  return code;
}

// True for a GPU that has no memory of its own: it says so of its memory, and it has no window to
// any (BAR1) or is known to be of that kind. Never guessed of a GPU that merely fails to answer.
bool shares_host_memory(const Subject& subject) {
  if (subject.memory_code != NVML_ERROR_NOT_SUPPORTED) return false;
  const Functions& nvml = subject.nvml;
  nvmlBAR1Memory_t window{};
  if (nvml.nvmlDeviceGetBAR1MemoryInfo != nullptr &&
      nvml.nvmlDeviceGetBAR1MemoryInfo(subject.device, &window) == NVML_ERROR_NOT_SUPPORTED) {
    return true;
  }
  std::array<char, NVML_DEVICE_NAME_V2_BUFFER_SIZE> name{};
  if (nvml.nvmlDeviceGetName == nullptr ||
      nvml.nvmlDeviceGetName(subject.device, name.data(), name.size()) != NVML_SUCCESS) {
    return false;
  }
  name.back() = '\0';
  const std::string_view text(name.data());
  constexpr std::array<std::string_view, 3> kChips{"GB10", "Thor", "Orin"};
  return std::ranges::any_of(
      kChips, [&](std::string_view chip) { return text.find(chip) != std::string_view::npos; });
}

// Instead of memory of its own: the host's. Not an NVML call but for the first time.
nvmlReturn_t ask_host_memory(Subject& subject) {
  if (!subject.shares_host_memory) subject.shares_host_memory = shares_host_memory(subject);
  if (!*subject.shares_host_memory) return NVML_ERROR_NOT_SUPPORTED;
  const std::optional<HostMemory> memory = read_host_memory(subject.meminfo);
  if (!memory) return NVML_ERROR_UNKNOWN;
  set_memory(subject, static_cast<unsigned long long>(memory->total),
             static_cast<unsigned long long>(memory->available),
             static_cast<unsigned long long>(memory->total - memory->available),
             Reading::none(Absence::kUnsupported));
  return NVML_SUCCESS;
}

nvmlReturn_t ask_temperature_v(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetTemperatureV == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlTemperature_t temperature{};
  temperature.version = nvmlTemperature_v1;
  temperature.sensorType = NVML_TEMPERATURE_GPU;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetTemperatureV(subject.device, &temperature);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kTemperature) = reading_of(temperature.temperature, kCelsius);
  return code;
}

nvmlReturn_t ask_temperature_margin(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetMarginTemperature == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlMarginTemperature_t margin{};
  margin.version = nvmlMarginTemperature_v1;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetMarginTemperature(subject.device, &margin);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kTemperatureMargin) = reading_of(margin.marginTemperature, kCelsius);
  return code;
}

constexpr MetricList kClockEvents{Metric::kClockEventIdle,
                                  Metric::kClockEventApplicationsClocks,
                                  Metric::kClockEventSwPowerCap,
                                  Metric::kClockEventHwSlowdown,
                                  Metric::kClockEventSyncBoost,
                                  Metric::kClockEventSwThermalSlowdown,
                                  Metric::kClockEventHwThermalSlowdown,
                                  Metric::kClockEventHwPowerBrake,
                                  Metric::kClockEventDisplayClocks};

template <auto Member>
nvmlReturn_t ask_clock_events(Subject& subject) {
  const auto function = subject.nvml.*Member;
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned long long reasons = 0;
  const nvmlReturn_t code = function(subject.device, &reasons);
  if (code != NVML_SUCCESS) return code;
  // NVML's bits stand in the order of the catalogue's rows.
  unsigned int bit = 0;
  for (const Metric metric : kClockEvents.get()) {
    subject.values.at(metric) = Reading::of((reasons >> bit++) & 1);
  }
  return code;
}

nvmlReturn_t ask_performance_state(Subject& subject) {
  constexpr std::int64_t kUnknown = 32;
  const nvmlReturn_t code =
      one<&Functions::nvmlDeviceGetPerformanceState, Metric::kPerformanceState>(subject);
  Reading& reading = subject.values.at(Metric::kPerformanceState);
  if (reading.present() && reading.value >= kUnknown) {
    reading = Reading::none(Absence::kUnsupported);
  }
  return code;
}

template <ProcessList kList>
nvmlReturn_t ask_processes(Subject& subject) {
  const nvmlReturn_t code = subject.processes.refresh(subject.nvml, subject.device, kList);
  subject.processes.publish(subject.values);
  return code;
}

nvmlReturn_t ask_bar1(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetBAR1MemoryInfo == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlBAR1Memory_t memory{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetBAR1MemoryInfo(subject.device, &memory);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kBar1Total) = reading_of(memory.bar1Total);
  subject.values.at(Metric::kBar1Free) = reading_of(memory.bar1Free);
  subject.values.at(Metric::kBar1Used) = reading_of(memory.bar1Used);
  return code;
}

template <nvmlMemoryErrorType_t kType, nvmlEccCounterType_t kSpan, Metric kMetric>
nvmlReturn_t ask_ecc_total(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetTotalEccErrors == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned long long errors = 0;
  const nvmlReturn_t code =
      subject.nvml.nvmlDeviceGetTotalEccErrors(subject.device, kType, kSpan, &errors);
  if (code == NVML_SUCCESS) subject.values.at(kMetric) = reading_of(errors);
  return code;
}

template <nvmlMemoryErrorType_t kType, nvmlEccCounterType_t kSpan, nvmlMemoryLocation_t kWhere,
          Metric kMetric>
nvmlReturn_t ask_ecc(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetMemoryErrorCounter == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned long long errors = 0;
  const nvmlReturn_t code =
      subject.nvml.nvmlDeviceGetMemoryErrorCounter(subject.device, kType, kSpan, kWhere, &errors);
  if (code == NVML_SUCCESS) subject.values.at(kMetric) = reading_of(errors);
  return code;
}

nvmlReturn_t ask_ecc_mode(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetEccMode == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlEnableState_t now{};
  nvmlEnableState_t pending{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetEccMode(subject.device, &now, &pending);
  if (code == NVML_SUCCESS) subject.values.at(Metric::kEccMode) = reading_of(now);
  return code;
}

nvmlReturn_t ask_mig_mode(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetMigMode == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned int now = 0;
  unsigned int pending = 0;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetMigMode(subject.device, &now, &pending);
  if (code == NVML_SUCCESS) subject.values.at(Metric::kMigMode) = reading_of(now);
  return code;
}

nvmlReturn_t ask_remapped_rows(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetRemappedRows == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  unsigned int corrected = 0;
  unsigned int uncorrected = 0;
  unsigned int pending = 0;
  unsigned int failure = 0;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetRemappedRows(
      subject.device, &corrected, &uncorrected, &pending, &failure);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kRemappedRowsCorrectable) = reading_of(corrected);
  subject.values.at(Metric::kRemappedRowsUncorrectable) = reading_of(uncorrected);
  subject.values.at(Metric::kRemappedRowsPending) = reading_of(pending);
  subject.values.at(Metric::kRemappedRowsFailure) = reading_of(failure);
  return code;
}

nvmlReturn_t ask_remap_histogram(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetRowRemapperHistogram == nullptr) {
    return NVML_ERROR_FUNCTION_NOT_FOUND;
  }
  nvmlRowRemapperHistogramValues_t banks{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetRowRemapperHistogram(subject.device, &banks);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kRemapBanksMax) = reading_of(banks.max);
  subject.values.at(Metric::kRemapBanksHigh) = reading_of(banks.high);
  subject.values.at(Metric::kRemapBanksPartial) = reading_of(banks.partial);
  subject.values.at(Metric::kRemapBanksLow) = reading_of(banks.low);
  subject.values.at(Metric::kRemapBanksNone) = reading_of(banks.none);
  return code;
}

nvmlReturn_t ask_power_limits(Subject& subject) {
  if (subject.nvml.nvmlDeviceGetPowerManagementLimitConstraints == nullptr) {
    return NVML_ERROR_FUNCTION_NOT_FOUND;
  }
  unsigned int lowest = 0;
  unsigned int highest = 0;
  const nvmlReturn_t code =
      subject.nvml.nvmlDeviceGetPowerManagementLimitConstraints(subject.device, &lowest, &highest);
  if (code != NVML_SUCCESS) return code;
  subject.values.at(Metric::kPowerLimitMin) = reading_of(lowest);
  subject.values.at(Metric::kPowerLimitMax) = reading_of(highest);
  return code;
}

// The GPU's own fan reading is that of its fastest fan.
void set_fan(Subject& subject, std::uint32_t fan, Metric of_fan, Metric of_gpu, Reading reading) {
  subject.values.fans[fan][model::column(of_fan)] = reading;
  Reading& fastest = subject.values.at(of_gpu);
  fastest = reading;
  for (const model::FanRow& row : subject.values.fans) {
    const Reading& other = row[model::column(of_fan)];
    if (other.present() && (!fastest.present() || other.value > fastest.value)) fastest = other;
  }
}

// The next of `count` in turn.
std::uint32_t take_turn(std::uint32_t& next, std::size_t count) {
  const std::uint32_t now = next < count ? next : 0;
  next = now + 1;
  return now;
}

nvmlReturn_t ask_fan_percent(Subject& subject) {
  const Functions& nvml = subject.nvml;
  if (subject.values.fans.empty()) return NVML_ERROR_NOT_SUPPORTED;
  const std::uint32_t fan = take_turn(subject.fan_for_percent, subject.values.fans.size());
  unsigned int percent = 0;
  nvmlReturn_t code = NVML_ERROR_FUNCTION_NOT_FOUND;
  if (nvml.nvmlDeviceGetFanSpeed_v2 != nullptr) {
    code = nvml.nvmlDeviceGetFanSpeed_v2(subject.device, fan, &percent);
  } else if (nvml.nvmlDeviceGetFanSpeed != nullptr && fan == 0) {
    code = nvml.nvmlDeviceGetFanSpeed(subject.device, &percent);
  }
  set_fan(subject, fan, Metric::kFanPercent, Metric::kFanSpeedPercent,
          code == NVML_SUCCESS ? reading_of(percent, kPercent) : Reading::none(absence_of(code)));
  return code;
}

nvmlReturn_t ask_fan_rpm(Subject& subject) {
  if (subject.values.fans.empty()) return NVML_ERROR_NOT_SUPPORTED;
  const std::uint32_t fan = take_turn(subject.fan_for_rpm, subject.values.fans.size());
  nvmlFanSpeedInfo_t info{};
  info.version = nvmlFanSpeedInfo_v1;
  info.fan = fan;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetFanSpeedRPM == nullptr
                                ? NVML_ERROR_FUNCTION_NOT_FOUND
                                : subject.nvml.nvmlDeviceGetFanSpeedRPM(subject.device, &info);
  set_fan(subject, fan, Metric::kFanRpm, Metric::kFanSpeed,
          code == NVML_SUCCESS ? reading_of(info.speed) : Reading::none(absence_of(code)));
  return code;
}

// The next link, in turn, whose `metric` no field gives; none when all are given.
bool next_link(const Subject& subject, std::uint32_t& next, Metric metric, std::uint32_t& link) {
  const std::size_t count = subject.values.links.size();
  for (std::size_t tries = 0; tries < count; ++tries) {
    link = take_turn(next, count);
    if (!subject.fields.gives(metric, link)) return true;
  }
  return false;
}

nvmlReturn_t ask_link_state(Subject& subject) {
  std::uint32_t link = 0;
  if (subject.nvml.nvmlDeviceGetNvLinkState == nullptr ||
      !next_link(subject, subject.link_for_state, Metric::kLinkState, link)) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  nvmlEnableState_t state{};
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetNvLinkState(subject.device, link, &state);
  subject.values.links[link][model::column(Metric::kLinkState)] =
      code == NVML_SUCCESS ? reading_of(state) : Reading::none(absence_of(code));
  return code;
}

template <nvmlNvLinkErrorCounter_t kCounter, Metric kMetric, std::uint32_t Subject::* kTurn>
nvmlReturn_t ask_link_errors(Subject& subject) {
  std::uint32_t link = 0;
  if (subject.nvml.nvmlDeviceGetNvLinkErrorCounter == nullptr ||
      !next_link(subject, subject.*kTurn, kMetric, link)) {
    return NVML_ERROR_NOT_SUPPORTED;
  }
  unsigned long long errors = 0;
  const nvmlReturn_t code =
      subject.nvml.nvmlDeviceGetNvLinkErrorCounter(subject.device, link, kCounter, &errors);
  subject.values.links[link][model::column(kMetric)] =
      code == NVML_SUCCESS ? reading_of(errors) : Reading::none(absence_of(code));
  return code;
}

// Row kVirtualizationMode: NVML's numbers, but for 4, which is a host with SR-IOV there.
nvmlReturn_t ask_virtualization_mode(Subject& subject) {
  constexpr std::int64_t kHostWithSriov = 4;
  const Functions& nvml = subject.nvml;
  if (nvml.nvmlDeviceGetVirtualizationMode == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlGpuVirtualizationMode_t mode{};
  const nvmlReturn_t code = nvml.nvmlDeviceGetVirtualizationMode(subject.device, &mode);
  if (code != NVML_SUCCESS) return code;
  Reading& reading = subject.values.at(Metric::kVirtualizationMode);
  reading = Reading::of(std::min<std::int64_t>(mode, NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU));
  if (mode < NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU) return code;
  nvmlHostVgpuMode_t host{};
  if (nvml.nvmlDeviceGetHostVgpuMode != nullptr &&
      nvml.nvmlDeviceGetHostVgpuMode(subject.device, &host) == NVML_SUCCESS &&
      host == NVML_HOST_VGPU_MODE_SRIOV) {
    reading = Reading::of(kHostWithSriov);
  }
  return code;
}

bool is_vgpu_host(const Subject& subject) {
  const Reading& mode = subject.values.at(Metric::kVirtualizationMode);
  return mode.present() && mode.value >= NVML_GPU_VIRTUALIZATION_MODE_HOST_VGPU;
}
bool is_vgpu_guest(const Subject& subject) {
  const Reading& mode = subject.values.at(Metric::kVirtualizationMode);
  return mode == Reading::of(NVML_GPU_VIRTUALIZATION_MODE_VGPU);
}

nvmlReturn_t ask_vgpu_instances(Subject& subject) {
  if (!is_vgpu_host(subject)) return NVML_ERROR_NOT_SUPPORTED;
  if (subject.nvml.nvmlDeviceGetActiveVgpus == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  // How many is told without room for any; NVML has no other way to ask.
  unsigned int count = 0;
  const nvmlReturn_t code = subject.nvml.nvmlDeviceGetActiveVgpus(subject.device, &count, nullptr);
  if (code != NVML_SUCCESS && code != NVML_ERROR_INSUFFICIENT_SIZE) return code;
  subject.values.at(Metric::kVgpuInstances) = reading_of(count);
  return NVML_SUCCESS;
}

// A guest is licensed when any feature that is switched on is.
nvmlReturn_t ask_vgpu_license(Subject& subject) {
  if (!is_vgpu_guest(subject)) return NVML_ERROR_NOT_SUPPORTED;
  const auto function = subject.nvml.nvmlDeviceGetGridLicensableFeatures_v4;
  if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
  nvmlGridLicensableFeatures_t features{};
  const nvmlReturn_t code = function(subject.device, &features);
  if (code != NVML_SUCCESS) return code;
  if (features.isGridLicenseSupported == 0) return NVML_ERROR_NOT_SUPPORTED;
  const std::size_t count =
      std::min<std::size_t>(features.licensableFeaturesCount, NVML_GRID_LICENSE_FEATURE_MAX_COUNT);
  const bool licensed =
      std::any_of(features.gridLicensableFeatures, features.gridLicensableFeatures + count,
                  [](const auto& feature) { return feature.featureState != 0; });
  subject.values.at(Metric::kVgpuLicense) = Reading::of(licensed ? 1 : 0);
  return code;
}

using F = Functions;
using When = Query::When;
using Each = Query::Each;

constexpr auto kAskEncoder =
    engine<&F::nvmlDeviceGetEncoderUtilization, Metric::kEncoderUtilization>;
constexpr auto kAskDecoder =
    engine<&F::nvmlDeviceGetDecoderUtilization, Metric::kDecoderUtilization>;

// clang-format off
constexpr std::array kQueries{
    Query{ask_samples<&Subject::utilization, Metric::kGpuUtilization, ask_utilization>, {Metric::kGpuUtilization}, kEveryTick},
    Query{ask_utilization, {Metric::kGpuUtilization, Metric::kMemoryUtilization}, kEveryTick, When::kUnlessBefore},
    Query{ask_memory_utilization, {Metric::kMemoryUtilization}, seconds{2}, When::kWithNewer},
    Query{ask_memory_v2, {Metric::kMemoryUsed, Metric::kMemoryFree, Metric::kMemoryTotal,
                          Metric::kMemoryReserved, Metric::kMemoryUsagePercent}, kEveryTick},
    Query{ask_memory_v1, {Metric::kMemoryUsed, Metric::kMemoryFree, Metric::kMemoryTotal,
                          Metric::kMemoryReserved, Metric::kMemoryUsagePercent}, kEveryTick, When::kUnlessBefore},
    Query{ask_host_memory, {Metric::kMemoryUsed, Metric::kMemoryFree, Metric::kMemoryTotal,
                            Metric::kMemoryReserved, Metric::kMemoryUsagePercent}, kEveryTick, When::kUnlessBefore},
    Query{ask_temperature_v, {Metric::kTemperature}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetTemperature, NVML_TEMPERATURE_GPU, Metric::kTemperature, kCelsius>,
          {Metric::kTemperature}, kEveryTick, When::kUnlessBefore},
    Query{one_of<&F::nvmlDeviceGetClockInfo, NVML_CLOCK_SM, Metric::kSmClock>, {Metric::kSmClock}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetClockInfo, NVML_CLOCK_MEM, Metric::kMemoryClock>, {Metric::kMemoryClock}, seconds{2}},
    Query{ask_clock_events<&F::nvmlDeviceGetCurrentClocksEventReasons>, kClockEvents, kEveryTick},
    Query{ask_clock_events<&F::nvmlDeviceGetCurrentClocksThrottleReasons>, kClockEvents, kEveryTick, When::kUnlessBefore},
    Query{ask_performance_state, {Metric::kPerformanceState}, seconds{2}},
    Query{one<&F::nvmlDeviceGetPowerUsage, Metric::kPower>, {Metric::kPower}, kEveryTick, When::kUnlessField},
    Query{one<&F::nvmlDeviceGetTotalEnergyConsumption, Metric::kEnergy>, {Metric::kEnergy}, seconds{2}, When::kUnlessField},
    Query{ask_samples<&Subject::encoder, Metric::kEncoderUtilization, kAskEncoder>, {Metric::kEncoderUtilization}, seconds{4}},
    Query{kAskEncoder, {Metric::kEncoderUtilization}, seconds{2}, When::kUnlessBefore},
    Query{ask_samples<&Subject::decoder, Metric::kDecoderUtilization, kAskDecoder>, {Metric::kDecoderUtilization}, seconds{4}},
    Query{kAskDecoder, {Metric::kDecoderUtilization}, seconds{2}, When::kUnlessBefore},
    Query{ask_spread<&Subject::power, Metric::kPower>, {}, seconds{2}},
    Query{ask_spread<&Subject::sm_clock, Metric::kSmClock>, {}, seconds{8}},
    Query{ask_processes<ProcessList::kCompute>, {}, seconds{5}},
    Query{ask_processes<ProcessList::kGraphics>, {}, seconds{10}},
    Query{ask_processes<ProcessList::kMps>, {}, seconds{30}},
    Query{ask_fan_percent, {Metric::kFanSpeedPercent}, seconds{6}, When::kAlways, Each::kFan},
    Query{ask_fan_rpm, {Metric::kFanSpeed}, seconds{6}, When::kAlways, Each::kFan},
    Query{ask_temperature_margin, {Metric::kTemperatureMargin}, seconds{10}},
    Query{one_of<&F::nvmlDeviceGetClockInfo, NVML_CLOCK_GRAPHICS, Metric::kGraphicsClock>, {Metric::kGraphicsClock}, seconds{10}},
    Query{one_of<&F::nvmlDeviceGetClockInfo, NVML_CLOCK_VIDEO, Metric::kVideoClock>, {Metric::kVideoClock}, seconds{10}},
    Query{engine<&F::nvmlDeviceGetJpgUtilization, Metric::kJpegUtilization>, {Metric::kJpegUtilization}, seconds{20}},
    Query{engine<&F::nvmlDeviceGetOfaUtilization, Metric::kOfaUtilization>, {Metric::kOfaUtilization}, seconds{20}},
    Query{ask_ecc_total<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC, Metric::kEccCorrectedVolatile>,
          {Metric::kEccCorrectedVolatile}, seconds{10}, When::kUnlessField},
    Query{ask_ecc_total<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, Metric::kEccUncorrectedVolatile>,
          {Metric::kEccUncorrectedVolatile}, seconds{10}, When::kUnlessField},
    Query{ask_ecc_total<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_AGGREGATE_ECC, Metric::kEccCorrectedAggregate>,
          {Metric::kEccCorrectedAggregate}, seconds{30}, When::kUnlessField},
    Query{ask_ecc_total<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_AGGREGATE_ECC, Metric::kEccUncorrectedAggregate>,
          {Metric::kEccUncorrectedAggregate}, seconds{30}, When::kUnlessField},
    Query{ask_remapped_rows, {Metric::kRemappedRowsCorrectable, Metric::kRemappedRowsUncorrectable,
                              Metric::kRemappedRowsPending, Metric::kRemappedRowsFailure}, seconds{10}, When::kUnlessField},
    Query{one<&F::nvmlDeviceGetPcieReplayCounter, Metric::kPcieReplays>, {Metric::kPcieReplays}, seconds{10}, When::kUnlessField},
    Query{ask_ecc_mode, {Metric::kEccMode}, seconds{60}, When::kUnlessField},
    Query{one<&F::nvmlDeviceGetPowerManagementLimit, Metric::kPowerLimit>, {Metric::kPowerLimit}, seconds{30}},
    Query{one<&F::nvmlDeviceGetEnforcedPowerLimit, Metric::kPowerLimitEnforced>, {Metric::kPowerLimitEnforced}, seconds{30}},
    Query{one<&F::nvmlDeviceGetCurrPcieLinkGeneration, Metric::kPcieGeneration>, {Metric::kPcieGeneration}, seconds{30}},
    Query{one<&F::nvmlDeviceGetCurrPcieLinkWidth, Metric::kPcieWidth>, {Metric::kPcieWidth}, seconds{30}},
    Query{ask_bar1, {Metric::kBar1Used, Metric::kBar1Free, Metric::kBar1Total}, seconds{30}},
    Query{ask_mig_mode, {Metric::kMigMode}, seconds{30}},
    Query{ask_virtualization_mode, {Metric::kVirtualizationMode}, seconds{60}},
    Query{ask_vgpu_instances, {Metric::kVgpuInstances}, seconds{10}},
    Query{ask_vgpu_license, {Metric::kVgpuLicense}, seconds{60}},
    Query{ask_link_state, {}, seconds{15}, When::kAlways, Each::kLink},
    Query{ask_link_errors<NVML_NVLINK_ERROR_DL_CRC_FLIT, Metric::kLinkCrcFlitErrors, &Subject::link_for_flit>,
          {}, seconds{15}, When::kAlways, Each::kLink},
    Query{ask_link_errors<NVML_NVLINK_ERROR_DL_CRC_DATA, Metric::kLinkCrcDataErrors, &Subject::link_for_data>,
          {}, seconds{15}, When::kAlways, Each::kLink},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_SRAM, Metric::kEccSramCorrectedVolatile>,
          {Metric::kEccSramCorrectedVolatile}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_AGGREGATE_ECC, NVML_MEMORY_LOCATION_SRAM, Metric::kEccSramCorrectedAggregate>,
          {Metric::kEccSramCorrectedAggregate}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_SRAM, Metric::kEccSramUncorrectedVolatile>,
          {Metric::kEccSramUncorrectedVolatile}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_AGGREGATE_ECC, NVML_MEMORY_LOCATION_SRAM, Metric::kEccSramUncorrectedAggregate>,
          {Metric::kEccSramUncorrectedAggregate}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_DRAM, Metric::kEccDramCorrectedVolatile>,
          {Metric::kEccDramCorrectedVolatile}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_CORRECTED, NVML_AGGREGATE_ECC, NVML_MEMORY_LOCATION_DRAM, Metric::kEccDramCorrectedAggregate>,
          {Metric::kEccDramCorrectedAggregate}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, NVML_MEMORY_LOCATION_DRAM, Metric::kEccDramUncorrectedVolatile>,
          {Metric::kEccDramUncorrectedVolatile}, seconds{60}},
    Query{ask_ecc<NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_AGGREGATE_ECC, NVML_MEMORY_LOCATION_DRAM, Metric::kEccDramUncorrectedAggregate>,
          {Metric::kEccDramUncorrectedAggregate}, seconds{60}},
    Query{ask_remap_histogram, {Metric::kRemapBanksMax, Metric::kRemapBanksHigh, Metric::kRemapBanksPartial,
                                Metric::kRemapBanksLow, Metric::kRemapBanksNone}, seconds{60}},
    Query{one_of<&F::nvmlDeviceGetApplicationsClock, NVML_CLOCK_SM, Metric::kSmClockApplication>, {Metric::kSmClockApplication}, seconds{60}},
    Query{one_of<&F::nvmlDeviceGetApplicationsClock, NVML_CLOCK_MEM, Metric::kMemoryClockApplication>, {Metric::kMemoryClockApplication}, seconds{60}},
    Query{one<&F::nvmlDeviceGetPersistenceMode, Metric::kPersistenceMode>, {Metric::kPersistenceMode}, seconds{60}},
    Query{one<&F::nvmlDeviceGetComputeMode, Metric::kComputeMode>, {Metric::kComputeMode}, seconds{60}},
    Query{one<&F::nvmlDeviceGetDisplayActive, Metric::kDisplayActive>, {Metric::kDisplayActive}, seconds{60}},
};

constexpr std::array kQueriesAtOpen{
    Query{one_of<&F::nvmlDeviceGetTemperatureThreshold, NVML_TEMPERATURE_THRESHOLD_SHUTDOWN, Metric::kTemperatureShutdown, kCelsius>,
          {Metric::kTemperatureShutdown}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetTemperatureThreshold, NVML_TEMPERATURE_THRESHOLD_SLOWDOWN, Metric::kTemperatureSlowdown, kCelsius>,
          {Metric::kTemperatureSlowdown}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetTemperatureThreshold, NVML_TEMPERATURE_THRESHOLD_GPU_MAX, Metric::kTemperatureMax, kCelsius>,
          {Metric::kTemperatureMax}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetTemperatureThreshold, NVML_TEMPERATURE_THRESHOLD_MEM_MAX, Metric::kMemoryTemperatureMax, kCelsius>,
          {Metric::kMemoryTemperatureMax}, kEveryTick},
    Query{one<&F::nvmlDeviceGetPowerManagementDefaultLimit, Metric::kPowerLimitDefault>, {Metric::kPowerLimitDefault}, kEveryTick},
    Query{ask_power_limits, {Metric::kPowerLimitMin, Metric::kPowerLimitMax}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetMaxClockInfo, NVML_CLOCK_SM, Metric::kSmClockMax>, {Metric::kSmClockMax}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetMaxClockInfo, NVML_CLOCK_MEM, Metric::kMemoryClockMax>, {Metric::kMemoryClockMax}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetMaxClockInfo, NVML_CLOCK_GRAPHICS, Metric::kGraphicsClockMax>, {Metric::kGraphicsClockMax}, kEveryTick},
    Query{one_of<&F::nvmlDeviceGetMaxClockInfo, NVML_CLOCK_VIDEO, Metric::kVideoClockMax>, {Metric::kVideoClockMax}, kEveryTick},
    Query{one<&F::nvmlDeviceGetMaxPcieLinkGeneration, Metric::kPcieGenerationMax>, {Metric::kPcieGenerationMax}, kEveryTick},
    Query{one<&F::nvmlDeviceGetMaxPcieLinkWidth, Metric::kPcieWidthMax>, {Metric::kPcieWidthMax}, kEveryTick},
    Query{one<&F::nvmlDeviceGetMinorNumber, Metric::kMinorNumber>, {Metric::kMinorNumber}, kEveryTick},
};
// clang-format on
static_assert(kQueries.size() <= kMaxQueries);

}  // namespace

std::span<const Query> queries() { return kQueries; }

std::span<const Query> queries_at_open() { return kQueriesAtOpen; }

}  // namespace gpuscope::device::nvml

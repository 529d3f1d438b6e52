#include "wire/earlier_agent.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/duration.h"
#include "model/health.h"
#include "model/naming.h"
#include "wire/json_members.h"

namespace gpuscope::wire {
namespace {

using base::ErrorKind;
using base::Result;
using model::Fact;
using model::Metric;

constexpr double kLargest = 9e18;  // below 2^63

Json parse(std::string_view text) { return Json::parse(text, nullptr, false); }

std::unexpected<base::Error> no_document(std::string_view what) {
  return base::fail(ErrorKind::kInvalidArgument,
                    "cannot read the answer: it is not a document of " + std::string(what));
}

model::Text known_text(const Json& value) {
  return value.is_string() ? model::Text::of(value.get<std::string>())
                           : model::Text::none(model::Absence::kNotYet);
}

void read_metrics(const Json& metrics, model::DeviceSample& device, model::Verdict& verdict) {
  device.mark_absent(model::Absence::kUnsupported, false);
  for (const model::Family& family : model::gpu_metric_naming().families) {
    const Json& value = member(metrics, std::string(family.json_key).c_str());
    if (!value.is_number()) continue;
    if (family.metric) {
      device.at(*family.metric) =
          reading_of(*family.metric, value.get<double>(), family.binary_shift);
      continue;
    }
    const double number = value.get<double>();
    if (number >= 0 && number <= static_cast<double>(model::Health::kUnknown)) {
      verdict.overall = verdict.gpu = static_cast<model::Health>(static_cast<int>(number));
    }
  }
}

}  // namespace

model::Reading reading_of(Metric metric, double value, std::uint8_t binary_shift) {
  const double scaled = std::ldexp(value * std::pow(10.0, model::info(metric).decimals),
                                   static_cast<int>(binary_shift));
  if (!(std::abs(scaled) < kLargest)) return model::Reading::none(model::Absence::kFailed);
  return model::Reading::of(std::llround(scaled));
}

Result<ListedGpus> parse_gpu_list(std::string_view text) {
  const Json document = parse(text);
  const Json& gpus = member(document, "gpus");
  if (!gpus.is_array() || gpus.size() > kMaxListedGpus) return no_document("/gpu/list");
  ListedGpus listed;
  for (const Json& gpu : gpus) {
    if (!member(gpu, "uuid").is_string()) return no_document("/gpu/list: a GPU has no uuid");
    model::GpuInfo& info = listed.inventory.gpus.emplace_back();
    info.fact(Fact::kUuid) = known_text(member(gpu, "uuid"));
    info.fact(Fact::kName) = known_text(member(gpu, "name"));
    info.fact(Fact::kSerial) = known_text(member(gpu, "serial"));
    info.fact(Fact::kVbios) = known_text(member(gpu, "vbios"));
    info.fact(Fact::kDriverVersion) = known_text(member(gpu, "driver"));
    model::DeviceSample& device = listed.at.emplace_back();
    device.mark_absent(model::Absence::kUnsupported, false);
    for (const auto& [name, metric] : {std::pair{"minor", Metric::kMinorNumber},
                                       std::pair{"pciegen", Metric::kPcieGenerationMax},
                                       std::pair{"pciewidth", Metric::kPcieWidthMax},
                                       std::pair{"plimit", Metric::kPowerLimit}}) {
      const Json& value = member(gpu, name);
      if (value.is_number()) device.at(metric) = reading_of(metric, value.get<double>(), 0);
    }
  }
  return listed;
}

Result<void> parse_metrics(std::string_view text, const ListedGpus& gpus, base::WallTime now,
                           model::Snapshot& out) {
  const Json document = parse(text);
  const Json& answered = member(document, "gpus");
  if (!answered.is_array()) return no_document("/gpu/metrics/json");
  const Json& stamp = member(document, "timestamp");
  const auto time =
      stamp.is_string() ? base::parse_time(stamp.get_ref<const std::string&>()) : std::nullopt;
  out.time = time.value_or(now);
  out.devices.resize(gpus.inventory.gpus.size());
  out.verdicts.assign(out.devices.size(), model::Verdict{});
  for (model::DeviceSample& device : out.devices) device.mark_absent(model::Absence::kGone, false);
  for (const Json& gpu : answered) {
    const Json& uuid = member(gpu, "uuid");
    if (!uuid.is_string()) return no_document("/gpu/metrics/json: a GPU has no uuid");
    const auto found = std::ranges::find(gpus.inventory.gpus, uuid.get_ref<const std::string&>(),
                                         [](const model::GpuInfo& info) { return info.uuid(); });
    if (found == gpus.inventory.gpus.end()) {
      return base::fail(ErrorKind::kNotFound, "cannot find a GPU of the answer in the list");
    }
    const auto index = static_cast<std::size_t>(found - gpus.inventory.gpus.begin());
    read_metrics(member(gpu, "metrics"), out.devices[index], out.verdicts[index]);
    for (const Metric metric : {Metric::kMinorNumber, Metric::kPcieGenerationMax,
                                Metric::kPcieWidthMax, Metric::kPowerLimit}) {
      out.devices[index].at(metric) = gpus.at[index].at(metric);
    }
  }
  return {};
}

}  // namespace gpuscope::wire

#include "device/smi/listing.h"

#include <optional>

#include "base/text.h"
#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

// The next line, taken off the front.
// "… (UUID: GPU-…)": the UUID, and what stands before it.
struct WithUuid {
  std::string_view before;
  std::string_view uuid;
};
std::optional<WithUuid> split_uuid(std::string_view line) {
  constexpr std::string_view kMark = "(UUID: ";
  const std::size_t at = line.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view uuid = line.substr(at + kMark.size());
  const std::size_t end = uuid.find(')');
  if (end == std::string_view::npos) return std::nullopt;
  return WithUuid{trimmed(line.substr(0, at)), trimmed(uuid.substr(0, end))};
}

// "GPU 0: NVIDIA H100".
std::optional<ListedGpu> parse_gpu(const WithUuid& parts) {
  constexpr std::string_view kStart = "GPU ";
  if (!parts.before.starts_with(kStart)) return std::nullopt;
  const std::size_t colon = parts.before.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto index = parse_number(parts.before.substr(kStart.size(), colon - kStart.size()));
  if (!index || *index < 0) return std::nullopt;
  return ListedGpu{
      *index, std::string(trimmed(parts.before.substr(colon + 1))), std::string(parts.uuid), {}};
}

// "MIG 1g.10gb     Device  2:".
std::optional<ListedMig> parse_mig(const WithUuid& parts) {
  constexpr std::string_view kStart = "MIG ";
  constexpr std::string_view kDevice = "Device";
  std::string_view text = parts.before;
  if (!text.starts_with(kStart) || !text.ends_with(':')) return std::nullopt;
  text = text.substr(kStart.size(), text.size() - kStart.size() - 1);
  const std::size_t device = text.rfind(kDevice);
  if (device == std::string_view::npos) return std::nullopt;
  const auto index = parse_number(text.substr(device + kDevice.size()));
  if (!index || *index < 0) return std::nullopt;
  return ListedMig{*index, std::string(trimmed(text.substr(0, device))), std::string(parts.uuid)};
}

}  // namespace

std::vector<ListedGpu> parse_listing(std::string_view text) {
  std::vector<ListedGpu> gpus;
  while (!text.empty()) {
    const auto parts = split_uuid(base::take_part(text, '\n'));
    if (!parts) continue;
    if (auto gpu = parse_gpu(*parts)) {
      gpus.push_back(std::move(*gpu));
    } else if (auto mig = parse_mig(*parts); mig && !gpus.empty()) {
      gpus.back().mig.push_back(std::move(*mig));
    }
  }
  return gpus;
}

}  // namespace gpuscope::device::smi

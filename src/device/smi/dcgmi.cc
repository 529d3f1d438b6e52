#include "device/smi/dcgmi.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.h"
#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

using Json = nlohmann::json;
using model::Health;
using model::SourceVerdict;

// dcgmi's tables are this wide inside a cell; longer messages go on in the next chunk.
constexpr std::size_t kChunkWidth = 54;
constexpr int kDeepest = 16;
constexpr std::size_t kLongestText = 4096;

// "| 0      | Name: NVIDIA L4    |" as its two cells.
std::optional<std::pair<std::string_view, std::string_view>> cells_of(std::string_view line) {
  line = trimmed(line);
  if (line.size() < 2 || line.front() != '|' || line.back() != '|') return std::nullopt;
  line = line.substr(1, line.size() - 2);
  const std::size_t bar = line.find('|');
  if (bar == std::string_view::npos) return std::nullopt;
  return std::pair(trimmed(line.substr(0, bar)), trimmed(line.substr(bar + 1)));
}

// The value of "Key: value", or nothing.
std::optional<std::string_view> value_of(std::string_view cell, std::string_view key) {
  if (!cell.starts_with(key)) return std::nullopt;
  return trimmed(cell.substr(key.size()));
}

Health health_of(std::string_view word) {
  if (word == "Healthy") return Health::kHealthy;
  if (word == "Warning") return Health::kWarning;
  if (word == "Failure") return Health::kCritical;
  return Health::kUnknown;
}

Health value_in(const Json& node) {
  const auto found = node.is_object() ? node.find("value") : node.end();
  if (found == node.end() || !found->is_string()) return Health::kUnknown;
  return health_of(trimmed(found->get_ref<const std::string&>()));
}

const Json* member(const Json* node, const char* name) {
  if (node == nullptr || !node->is_object()) return nullptr;
  const auto found = node->find(name);
  return found == node->end() ? nullptr : &*found;
}

// Chunks are cut at blanks, which are then gone, but for words that are longer than a chunk.
std::string message_of(const Json& overflow) {
  if (overflow.is_string()) return overflow.get<std::string>().substr(0, kLongestText);
  std::string text;
  if (!overflow.is_array()) return text;
  bool within_word = true;  // nothing is missing before the first chunk
  for (const Json& chunk : overflow) {
    if (!chunk.is_string()) continue;
    const auto& piece = chunk.get_ref<const std::string&>();
    if (text.size() + piece.size() >= kLongestText) break;
    if (!within_word) text += ' ';
    text += piece;
    within_word = piece.ends_with(' ') || (piece.size() >= kChunkWidth && !piece.contains(' '));
  }
  return std::string(trimmed(text));
}

// Every message below a GPU: "Power system: Detected clocks event due to …; …".
void collect_messages(const Json& node, const std::string& system, int depth, std::string& text) {
  if (depth > kDeepest || !node.is_object() || text.size() >= kLongestText) return;
  if (const Json* overflow = member(&node, "overflow")) {
    const std::string message = message_of(*overflow);
    if (!message.empty()) {
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", system, message);
    }
  }
  const Json* children = member(&node, "children");
  if (children == nullptr || !children->is_object()) return;
  for (const auto& [name, child] : children->items()) {
    collect_messages(child, name, depth + 1, text);
  }
}

base::Result<DcgmHealth> no_report(std::string_view text) {
  constexpr std::size_t kShown = 200;
  std::string words(trimmed(text.substr(0, text.find('{'))).substr(0, kShown));
  std::ranges::replace_if(words, [](char c) { return c < ' ' || c > '~'; }, '?');
  return base::fail(base::ErrorKind::kUnavailable,
                    words.empty()
                        ? "cannot understand what dcgmi health wrote"
                        : fmt::format("cannot get a verdict from dcgmi health: {}", words));
}

}  // namespace

std::vector<DcgmGpu> parse_discovery(std::string_view text) {
  std::vector<DcgmGpu> gpus;
  bool in_table = false;  // that of GPUs
  while (!text.empty()) {
    const auto cells = cells_of(base::take_part(text, '\n'));
    if (!cells) continue;
    const auto& [id, value] = *cells;
    if (id.ends_with(" ID")) {
      in_table = id == "GPU ID";
      continue;
    }
    if (!in_table) continue;
    if (const auto number = parse_number(id); number && *number >= 0) {
      gpus.push_back({.id = *number, .bus_id = {}, .uuid = {}});
    }
    if (gpus.empty()) continue;
    if (const auto bus_id = value_of(value, "PCI Bus ID:")) {
      gpus.back().bus_id = normalized_bus_id(*bus_id);
    } else if (const auto uuid = value_of(value, "Device UUID:")) {
      if (uuid->starts_with("GPU-")) gpus.back().uuid = *uuid;
    }
  }
  return gpus;
}

SourceVerdict DcgmHealth::of(std::int64_t id) const {
  if (const auto found = gpus.find(id); found != gpus.end()) return found->second;
  if (overall == Health::kHealthy || !gpus.empty()) return {Health::kHealthy, {}};
  return {Health::kUnknown, "dcgmi health finds something wrong and names no GPU"};
}

base::Result<DcgmHealth> parse_health(std::string_view text) {
  const std::size_t begin = text.find('{');
  const std::size_t end = text.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return no_report(text);
  }
  const std::string_view document = text.substr(begin, end - begin + 1);
  const Json json = Json::parse(document.begin(), document.end(), nullptr, false);
  if (json.is_discarded()) return no_report(text);
  const Json* body = member(&json, "body");
  const Json* overall = member(body, "Overall Health");
  if (overall == nullptr) return no_report(text);
  DcgmHealth health;
  health.overall = value_in(*overall);
  const Json* gpus = member(member(body, "GPU"), "children");
  if (gpus == nullptr || !gpus->is_object()) return health;
  for (const auto& [name, gpu] : gpus->items()) {
    const auto id = parse_number(name);
    if (!id) continue;
    SourceVerdict verdict{value_in(gpu), {}};
    collect_messages(gpu, "GPU", 0, verdict.text);
    health.gpus.insert_or_assign(*id, std::move(verdict));
  }
  return health;
}

}  // namespace gpuscope::device::smi

#include "wire/json_path.h"

#include <charconv>
#include <cstddef>
#include <nlohmann/json.hpp>

namespace gpuscope::wire {
namespace {

// Keeps the keys in the order of the document.
using OrderedJson = nlohmann::ordered_json;

const OrderedJson* list_item(const OrderedJson& list, const std::string& step) {
  std::size_t index = 0;
  const char* end = step.data() + step.size();
  const auto parsed = std::from_chars(step.data(), end, index);
  if (parsed.ec != std::errc{} || parsed.ptr != end || index >= list.size()) return nullptr;
  return &list[index];
}

const OrderedJson* child(const OrderedJson& node, const std::string& step) {
  if (node.is_array()) return list_item(node, step);
  if (!node.is_object()) return nullptr;
  if (const auto found = node.find(step); found != node.end()) return &*found;
  const auto value = node.find("value");
  return value == node.end() ? nullptr : child(*value, step);
}

}  // namespace

std::optional<std::string> find_value(std::string_view document,
                                      std::span<const std::string> path) {
  const OrderedJson root = OrderedJson::parse(document, nullptr, /*allow_exceptions=*/false);
  const OrderedJson* node = &root;
  for (const std::string& step : path) {
    node = child(*node, step);
    if (node == nullptr) return std::nullopt;
  }
  if (node->is_discarded()) return std::nullopt;
  return node->dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace gpuscope::wire

// Finds one value inside a JSON document by the names that lead to it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gpuscope::wire {

// The value (as compact JSON) at `path`: a key for an object, a number from 0 for a list. A `value`
// step may be left out: where an object lacks a key but has `value`, the search goes on in there.
// Nullopt when nothing is there, or when `document` is not JSON. Thread-safe.
std::optional<std::string> find_value(std::string_view document, std::span<const std::string> path);

}  // namespace gpuscope::wire

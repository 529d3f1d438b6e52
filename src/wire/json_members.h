// Looking into documents that others wrote.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace gpuscope::wire {

using Json = nlohmann::json;

// A member, or null where there is none.
inline const Json& member(const Json& object, const char* name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// Empty for what is no text.
inline std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace gpuscope::wire

// Fields that several documents have.
#pragma once

#include <string_view>

#include "model/labels.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

inline void write_labels(JsonWriter& json, const model::Labels& labels) {
  json.begin_object();
  for (const auto& [name, value] : labels) json.key(name).string(value);
  json.end_object();
}
inline void write_labels(JsonWriter& json, std::string_view key, const model::Labels& labels) {
  json.key(key);
  write_labels(json, labels);
}

// An empty text is null.
inline void write_known(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key);
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

}  // namespace gpuscope::wire

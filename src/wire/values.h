// Readings and facts as JSON values: absent is null, bytes are whole MiB.
#pragma once

#include "model/naming.h"
#include "model/snapshot.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

inline constexpr int kBytesToMib = 20;  // as a power of two

// A present reading in the unit that JSON documents use: a metric of bytes becomes whole MiB.
inline void write_value(JsonWriter& json, model::Metric metric, std::int64_t value) {
  const model::MetricInfo& row = model::info(metric);
  if (row.unit == model::Unit::kBytes) {
    json.number(model::shift_rounded(value, kBytesToMib));
  } else {
    json.number(value, row.decimals);
  }
}

inline void write_or_null(JsonWriter& json, model::Metric metric, const model::Reading& reading) {
  if (reading.present()) {
    write_value(json, metric, reading.value);
  } else {
    json.null();
  }
}

inline void write_text_or_null(JsonWriter& json, const model::Text& text) {
  if (text.present()) {
    json.string(text.value);
  } else {
    json.null();
  }
}

}  // namespace gpuscope::wire

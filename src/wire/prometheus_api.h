// The answers of Prometheus's HTTP API, in its JSON: docs/query.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/labelled_series.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

// A query's answer, written as it is said: series one after the other, then finish().
class QueryAnswer {
 public:
  // `type` is "vector" or "matrix". `out` outlives this object.
  QueryAnswer(std::string& out, std::string_view type);

  // Of a vector.
  void add(const model::Labels& labels, const model::LabelledSample& sample);
  // Of a matrix.
  void add(const model::Labels& labels, std::span<const model::LabelledSample> samples);
  void finish();

 private:
  void add_labels(const model::Labels& labels);
  JsonWriter json_;
};

void append_scalar_answer(std::string& out, const model::LabelledSample& sample);
void append_string_answer(std::string& out, std::int64_t time_ms, std::string_view text);

// {"status": "success", "data": ["…"]}, in the order given.
void append_names_answer(std::string& out, std::span<const std::string> names);
// Label sets. `truncated`: there are more.
void append_series_answer(std::string& out, std::span<const model::LabelsPtr> series,
                          bool truncated);
// What the families of /gpu/metric and /metrics are: all of them, or the one of this name; no more
// than `most`.
void append_metadata_answer(std::string& out, std::string_view name, std::size_t most);
// Which Prometheus it answers like, and who answers: this program's version.
void append_buildinfo_answer(std::string& out, std::string_view version);
// Nothing is there: an empty list.
void append_empty_answer(std::string& out);

// {"status": "error", "errorType": "bad_data", "error": "…"}, with our own key "detail" beside.
void append_query_error(std::string& out, std::string_view type, std::string_view detail);

}  // namespace gpuscope::wire

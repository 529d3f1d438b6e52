// JSON, appended to a string as it is said. No tree is built: a document costs its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gpuscope::wire {

// Writes one JSON value. The caller says things in order (a key, then its value); commas, line ends
// and indentation are the writer's. Deeper than 64 levels is not written for. Not thread-safe.
class JsonWriter {
 public:
  // `indent` blanks a level, one member a line; 0: everything on one line without blanks.
  // `out` outlives the writer.
  explicit JsonWriter(std::string& out, int indent = 0) : out_(out), indent_(indent) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  // `name` is escaped like any string.
  JsonWriter& key(std::string_view name);

  // Bytes that are not UTF-8 become U+FFFD: what is written is always valid JSON.
  JsonWriter& string(std::string_view text);
  // value / 10^decimals, shortest.
  JsonWriter& number(std::int64_t value, int decimals = 0);
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  // As a string, in the form of every time in every answer.
  JsonWriter& time(base::WallTime value);
  // Text that is JSON already.
  JsonWriter& raw(std::string_view json);

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  // What stands between the value before and the one to come.
  void separate();
  void new_line();
  void append_quoted(std::string_view text);

  std::string& out_;
  int indent_;
  int depth_ = 0;
  std::uint64_t has_members_ = 0;  // bit n: the container at depth n is not empty
  bool after_key_ = false;
};

}  // namespace gpuscope::wire

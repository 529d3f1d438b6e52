// dcgm-exporter's list of counters: which fields are served, and under what help.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gpuscope::wire {

struct Counter {
  std::string field;      // a name that model/naming knows, old or new
  bool is_label = false;  // a text for every series, not a family
  bool is_counter = false;
  std::string help;  // one line of UTF-8; empty: our own
};

struct CounterList {
  std::vector<Counter> counters;  // in the order of their lines, each field once
  // "FILE:LINE: what is wrong", for every line that is left out.
  std::vector<std::string> warnings;
};

// A longer file is no list of counters.
inline constexpr std::size_t kMaxCountersBytes = 1'048'576;

// Reads `FIELD, type, help` a line: `#` begins a comment line, blanks around each part do not
// count, a part may stand in double quotes (two of them are one), and a comma in an unquoted help
// is part of it. Types are gauge, counter and label; fields those of model::dcgm_families() and
// dcgm_label_fields(). `file` is its name for the warnings. Never fails: a line that makes no sense
// is left out, with a warning.
CounterList parse_counters(std::string_view text, std::string_view file);

}  // namespace gpuscope::wire

// Text inside the quotes of a label, as both exposition formats escape it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace gpuscope::wire {

// `\`, `"` and line ends escaped; a byte that is not UTF-8 becomes U+FFFD.
inline void append_escaped_label(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += base::kReplacement;
    } else if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

// `name="value"`, without a comma.
inline void append_label(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=\"");
  append_escaped_label(out, value);
  out += '"';
}

}  // namespace gpuscope::wire

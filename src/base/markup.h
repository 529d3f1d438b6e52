// Text inside HTML or XML.
#pragma once

#include <string>
#include <string_view>

namespace gpuscope::base {

// `text` as it stands between tags or in double quotes: `&`, `<`, `>` and `"` escaped.
inline std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace gpuscope::base

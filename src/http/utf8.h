// Text that leaves in JSON must be UTF-8, whatever bytes came in.
#pragma once

#include <cstddef>
#include <string_view>

namespace gpuscope::http {

// The length, 1 to 4, of the well-formed UTF-8 character at the start of `text` (RFC 3629: no
// overlong forms, no surrogates), or 0. `text` is not empty.
std::size_t utf8_char_length(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace gpuscope::http

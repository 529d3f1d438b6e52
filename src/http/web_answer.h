// What is common to the answers of web services.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gpuscope::http {

// Retry-After: seconds, or a date as HTTP has it; none where it is neither, 0 for one that is over.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text,
                                                           base::WallTime now);

// The front of what a server said, as one line of at most about 200 bytes of UTF-8: without control
// characters, and without a full stop at its end.
std::string one_line(std::string_view text);

}  // namespace gpuscope::http

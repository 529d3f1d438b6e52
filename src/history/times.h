// The times of a block's ticks as they stand in the file: docs/formats/history.md, "Values".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace gpuscope::history {

// µs since 1970, as are all times in the file.
inline std::int64_t micros(base::WallTime time) { return time.time_since_epoch().count(); }

std::string encode_times(const std::vector<std::int64_t>& times);
// Replaces `out` by so many. False when `bytes` do not hold them, or are damaged.
bool decode_times(std::string_view bytes, std::size_t ticks, std::vector<std::int64_t>& out);

}  // namespace gpuscope::history

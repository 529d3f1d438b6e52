// Sizes as people write them in settings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gpuscope::config {

// A number with one of the units B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (of
// 1024): "500MB", "2GiB", "1.5TiB". In bytes, rounded down; at most 2^53, which a double holds
// exactly. nullopt for anything else, such as a number without its unit.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace gpuscope::config

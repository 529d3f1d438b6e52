#include "config/size.h"

#include <array>
#include <charconv>
#include <string_view>
#include <system_error>
#include <utility>

namespace gpuscope::config {
namespace {

constexpr double kLargest = 9'007'199'254'740'992;  // 2^53
constexpr std::array<std::pair<std::string_view, double>, 9> kUnits{{{"B", 1},
                                                                     {"KB", 1e3},
                                                                     {"MB", 1e6},
                                                                     {"GB", 1e9},
                                                                     {"TB", 1e12},
                                                                     {"KiB", 0x1p10},
                                                                     {"MiB", 0x1p20},
                                                                     {"GiB", 0x1p30},
                                                                     {"TiB", 0x1p40}}};

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, bytes] : kUnits) {
    if (text != name) continue;
    const double size = number * bytes;
    return size <= kLargest ? std::optional(static_cast<std::uint64_t>(size)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace gpuscope::config

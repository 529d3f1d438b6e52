#include "device/nvml/host_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace gpuscope::device::nvml {
namespace {

// "MemTotal:       131072000 kB": the bytes of the line that begins with `key`.
std::optional<std::int64_t> find(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    std::int64_t kibibytes = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), kibibytes);
    constexpr std::int64_t kKibibyte = 1024;
    constexpr std::int64_t kMost = std::int64_t{1} << 50U;  // in kibibytes: no machine's
    const std::string_view unit(rest, static_cast<std::size_t>(line.data() + line.size() - rest));
    if (error != std::errc{} || unit != " kB" || kibibytes < 0 || kibibytes > kMost) {
      return std::nullopt;
    }
    return kibibytes * kKibibyte;
  }
  return std::nullopt;
}

}  // namespace

std::optional<HostMemory> parse_meminfo(std::string_view text) {
  const auto total = find(text, "MemTotal:");
  const auto available = find(text, "MemAvailable:");
  if (!total || !available || *available > *total) return std::nullopt;
  return HostMemory{.total = *total, .available = *available};
}

std::optional<HostMemory> read_host_memory(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::array<char, 4096> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
  const ssize_t length = read(file, text.data(), text.size());
  close(file);
  if (length <= 0) return std::nullopt;
  return parse_meminfo({text.data(), static_cast<std::size_t>(length)});
}

}  // namespace gpuscope::device::nvml

#include "api/process_stats.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/text.h"

namespace gpuscope::api {
namespace {

constexpr std::size_t kMostBytes = 1'048'576;
constexpr std::int64_t kMillisecondsPerSecond = 1000;

// Fields of /proc/PID/stat, counted from the one behind the name in parentheses (proc(5)).
enum StatField : std::size_t {
  kUserTime = 11,
  kSystemTime = 12,
  kThreads = 17,
  kStart = 19,
  kVirtual = 20,
  kResident = 21,
  kStatFields = 22
};

std::string_view next_word(std::string_view& text) {
  const std::size_t first = text.find_first_not_of(" \n");
  text.remove_prefix(first == text.npos ? text.size() : first);
  const std::string_view word = text.substr(0, text.find_first_of(" \n"));
  text.remove_prefix(word.size());
  return word;
}

// The first number behind `name` at the beginning of a line.
std::optional<std::int64_t> line_value(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    text.remove_prefix(at + name.size());
    return base::parse_number<std::int64_t>(next_word(text));
  }
  return std::nullopt;
}

void read_stat(const std::string& proc, wire::ProcessMetrics& stats) {
  const auto stat = base::read_file(proc + "/self/stat", kMostBytes);
  if (!stat) return;
  // The name may hold anything, parentheses too.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == stat->npos) return;
  std::string_view rest = std::string_view(*stat).substr(name_end + 1);
  std::array<std::optional<std::int64_t>, kStatFields> fields;
  for (auto& field : fields) field = base::parse_number<std::int64_t>(next_word(rest));

  const std::int64_t hertz = sysconf(_SC_CLK_TCK);
  const auto milliseconds = [hertz](std::int64_t ticks) {
    return std::chrono::milliseconds{ticks * kMillisecondsPerSecond / hertz};
  };
  const auto user = fields[kUserTime];
  const auto system = fields[kSystemTime];
  const auto started = fields[kStart];
  const auto pages = fields[kResident];
  if (hertz > 0 && user && system) stats.cpu = milliseconds(*user + *system);
  stats.threads = fields[kThreads];
  stats.virtual_bytes = fields[kVirtual];
  if (pages) stats.resident_bytes = *pages * sysconf(_SC_PAGESIZE);
  const auto machine = base::read_file(proc + "/stat", kMostBytes);
  const auto boot = machine ? line_value(*machine, "btime") : std::nullopt;
  if (hertz > 0 && boot && started) {
    stats.start = std::chrono::seconds{*boot} + milliseconds(*started);
  }
}

}  // namespace

wire::ProcessMetrics read_process_stats(const std::string& proc) {
  wire::ProcessMetrics stats;
  read_stat(proc, stats);
  std::error_code error;
  const std::filesystem::directory_iterator files(proc + "/self/fd", error);
  if (!error) stats.open_fds = std::distance(begin(files), end(files));
  const auto limits = base::read_file(proc + "/self/limits", kMostBytes);
  if (limits) stats.max_fds = line_value(*limits, "Max open files");
  return stats;
}

}  // namespace gpuscope::api

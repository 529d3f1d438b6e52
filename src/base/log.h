// The program's log: one line per event on standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpuscope::base {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t {
  kText,  // 2026-11-22T09:24:42.736284+00:00 info  message
  kJson,  // {"time": "…", "level": "info", "message": "…"}
};

// "debug", "info", "warning", "error"; "text", "json". Nullopt for any other word.
std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);

// Says what is logged from here on, and how. Without it: kInfo and above, as text. Thread-safe; a
// line that another thread writes meanwhile has the old form or the new one.
void configure_log(LogLevel least, LogFormat format);

// Writes one line, whatever the message holds: control characters are escaped, so that no GPU, file
// or peer can forge a line. Thread-safe. Never fails as seen from here.
void log(LogLevel level, std::string_view message);

// `text` with control characters, quotes and backslashes escaped as JSON wants it, without the
// quotes around it. Bytes above 127 stay as they are.
std::string escape_log_text(std::string_view text);

}  // namespace gpuscope::base

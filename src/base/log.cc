#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <memory>
#include <utility>

namespace gpuscope::base {
namespace {

struct LevelName {
  std::string_view name;
  LogLevel level;
  spdlog::level::level_enum theirs;
};

constexpr std::array<LevelName, 4> kLevels{{
    {"debug", LogLevel::kDebug, spdlog::level::debug},
    {"info", LogLevel::kInfo, spdlog::level::info},
    {"warning", LogLevel::kWarning, spdlog::level::warn},
    {"error", LogLevel::kError, spdlog::level::err},
}};

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%f+00:00 %-7l %v";
constexpr const char* kJsonPattern =
    R"({"time": "%Y-%m-%dT%H:%M:%S.%f+00:00", "level": "%l", "message": "%v"})";

spdlog::level::level_enum theirs(LogLevel level) {
  return kLevels.at(static_cast<std::size_t>(level)).theirs;
}

// The one logger. No registry: that would make a second one for standard output at start-up.
spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger fresh("gpuscope", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    fresh.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(kTextPattern, spdlog::pattern_time_type::utc));
    return fresh;
  }();
  return instance;
}

std::atomic<LogFormat>& current_format() {
  static std::atomic<LogFormat> format{LogFormat::kText};
  return format;
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (const LevelName& row : kLevels) {
    if (row.name == text) return row.level;
  }
  return std::nullopt;
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return std::nullopt;
}

void configure_log(LogLevel least, LogFormat format) {
  logger().set_level(theirs(least));
  current_format() = format;
  logger().set_formatter(std::make_unique<spdlog::pattern_formatter>(
      format == LogFormat::kJson ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc));
}

std::string escape_log_text(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

void log(LogLevel level, std::string_view message) {
  if (!logger().should_log(theirs(level))) return;
  const bool plain = current_format() == LogFormat::kText &&
                     message.find_first_of("\n\r\x1b\t") == std::string_view::npos;
  const std::string text = plain ? std::string(message) : escape_log_text(message);
  logger().log(theirs(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace gpuscope::base

// Server-sent events: the framing of a stream (HTML Living Standard, 9.2.6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gpuscope::wire {

inline constexpr std::string_view kEventStreamType = "text/event-stream";
// Makes a listener that lost its stream come back after two seconds.
inline constexpr std::string_view kRetry = "retry: 2000\n\n";
// Says nothing: keeps proxies from taking a quiet stream for a dead one.
inline constexpr std::string_view kHeartbeat = ": quiet\n\n";

// Appends "event: <name>", "id: <id>" and "data: <data>". `name` and `data` are one line each.
void append_event(std::string& out, std::string_view name, std::uint64_t id, std::string_view data);

}  // namespace gpuscope::wire

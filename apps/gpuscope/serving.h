// What every command that serves does about its process.
#pragma once

#include <cstdint>
#include <string>

namespace gpuscope::app {

// Has the memory that threads give back returned to the system.
void keep_memory_small();

// Where a server listens, as a URL.
std::string url_of(const std::string& host, std::uint16_t port);

}  // namespace gpuscope::app

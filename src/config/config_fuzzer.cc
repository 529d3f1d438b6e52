// Any bytes as a settings file: mistakes, but no crash, and every mistake with its place.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/agent_settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto settings =
      gpuscope::config::parse_settings(gpuscope::config::agent_settings_table(), "f", text);
  for (const std::string& mistake : settings.mistakes) {
    if (!mistake.starts_with("f:") || mistake.find('\n') != std::string::npos) std::abort();
  }
  return 0;
}

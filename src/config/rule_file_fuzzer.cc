// Any bytes as a rule file: mistakes, but no crash, every mistake on one line with its place, and
// what has none can be made into rules or says why not.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/rule_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto file = gpuscope::config::parse_rule_file("f", text);
  for (const auto& mistake : file.mistakes) {
    const std::string told = gpuscope::config::describe(mistake);
    if (!told.starts_with("f:") || told.find('\n') != std::string::npos) std::abort();
  }
  for (const auto& group : file.groups) {
    for (const auto& rule : group.rules) {
      if (rule.name.text.empty() || rule.expression.text.empty()) std::abort();
      if (rule.hold.count() < 0 || rule.keep_firing.count() < 0) std::abort();
    }
  }
  return 0;
}

#include "base/secret.h"

#include <string_view>

#include "base/file.h"

namespace gpuscope::base {

Result<std::string> read_secret(const Secret& secret) {
  constexpr std::size_t kMaxBytes = 65'536;
  if (secret.file.empty()) return secret.text;
  auto text = read_file(secret.file, kMaxBytes);
  if (!text) return text;
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text->find_first_not_of(kBlanks);
  if (begin == std::string::npos) return std::string();
  return text->substr(begin, text->find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace gpuscope::base

#include "base/secret.h"

#include "base/file.h"
#include "base/text.h"

namespace gpuscope::base {

Result<std::string> read_secret(const Secret& secret) {
  constexpr std::size_t kMaxBytes = 65'536;
  if (secret.file.empty()) return secret.text;
  auto text = read_file(secret.file, kMaxBytes);
  if (!text) return text;
  return std::string(trimmed(*text));
}

}  // namespace gpuscope::base

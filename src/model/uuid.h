// UUIDs of GPUs as people write them.
#pragma once

#include <string_view>

#include "base/text.h"

namespace gpuscope::model {

// Whether both name one GPU: without regard to case, and with or without "GPU-".
constexpr bool same_uuid(std::string_view one, std::string_view other) {
  constexpr std::string_view kPrefix = "GPU-";
  const auto bare = [&](std::string_view uuid) {
    const bool prefixed =
        uuid.size() > kPrefix.size() && base::same_word(uuid.substr(0, kPrefix.size()), kPrefix);
    return prefixed ? uuid.substr(kPrefix.size()) : uuid;
  };
  return base::same_word(bare(one), bare(other));
}

}  // namespace gpuscope::model

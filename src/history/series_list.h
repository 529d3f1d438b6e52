// Which series of a GPU ever had a value: docs/formats/history.md, "Series".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "history/chunk.h"

namespace gpuscope::history {

// By column, the last block in which it had one.
using SeriesList = std::map<ColumnKey, std::uint64_t>;

inline std::string encode_series(const SeriesList& series) {
  std::string out;
  for (const auto& [key, block] : series) {
    base::put_varint(out, key.metric);
    base::put_varint(out, key.instance);
    base::put_varint(out, block);
  }
  return out;
}

// What there is of it, up to where it is damaged.
inline SeriesList decode_series(std::string_view bytes) {
  SeriesList series;
  base::ByteReader in(bytes);
  while (in.ok() && !in.empty()) {
    ColumnKey key;
    key.metric = static_cast<std::uint32_t>(in.count(UINT32_MAX));
    key.instance = static_cast<std::uint32_t>(in.count(UINT32_MAX));
    const std::uint64_t block = in.varint();
    if (in.ok()) series[key] = block;
  }
  return series;
}

}  // namespace gpuscope::history

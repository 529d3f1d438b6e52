#include "config/size.h"

#include <gtest/gtest.h>

#include <utility>

namespace gpuscope::config {
namespace {

TEST(ParseSize, TakesANumberWithAUnit) {
  const std::pair<std::string_view, std::uint64_t> sizes[] = {
      {"0B", 0},
      {"17B", 17},
      {"3KB", 3000},
      {"500MB", 500'000'000},
      {"2GB", 2'000'000'000},
      {"1TB", 1'000'000'000'000},
      {"1KiB", 1024},
      {"1.5MiB", 1'572'864},
      {"2GiB", 2'147'483'648},
      {"8192TiB", std::uint64_t{1} << 53},
  };
  for (const auto& [text, bytes] : sizes) EXPECT_EQ(parse_size(text), bytes) << text;
}

TEST(ParseSize, TakesNothingElse) {
  for (const std::string_view text : {"", "2", "GiB", "2 GiB", "2gib", "2G", "-1B", "1e3B", "nanB",
                                      "infB", "2GiBx", "8193TiB", "0x1B", "+1B"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

}  // namespace
}  // namespace gpuscope::config

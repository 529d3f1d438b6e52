// An image as PNG: 8 bits a channel, red, green and blue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gpuscope::wire {

// Rows from the top, three bytes a pixel. Both sides are 1 to 16,384 long.
struct Image {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint8_t> pixels;
};

// The file's bytes; empty where there is no memory for them.
std::string encode_png(const Image& image);

}  // namespace gpuscope::wire

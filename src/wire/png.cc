#include "wire/png.h"

#include <zlib.h>

#include <cstddef>
#include <string_view>

namespace gpuscope::wire {
namespace {

void append_number(std::string& out, std::uint32_t number) {
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(number >> shift & 0xFFU);
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  append_number(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = out.size();
  out += type;
  out += data;
  append_number(
      out, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(out.data() + begin),
                                            static_cast<uInt>(out.size() - begin))));
}

}  // namespace

std::string encode_png(const Image& image) {
  constexpr std::size_t kChannels = 3;
  const std::size_t stride = image.width * kChannels;
  std::string rows;
  rows.reserve((stride + 1) * image.height);
  for (std::size_t row = 0; row < image.height; ++row) {
    const auto* const bytes = reinterpret_cast<const char*>(image.pixels.data() + row * stride);
    // Each row as a difference to the one above ("up"): most of a chart stays the same downwards.
    rows += '\2';
    for (std::size_t i = 0; i < stride; ++i) {
      const unsigned above = row == 0 ? 0U : image.pixels[(row - 1) * stride + i];
      rows += static_cast<char>(static_cast<unsigned char>(bytes[i]) - above);
    }
  }
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                reinterpret_cast<const Bytef*>(rows.data()), rows.size(),
                Z_BEST_COMPRESSION) != Z_OK) {
    return {};
  }
  packed.resize(size);
  std::string out = "\x89PNG\r\n\x1a\n";
  std::string head;
  append_number(head, image.width);
  append_number(head, image.height);
  head += std::string_view("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB, nothing interlaced
  append_chunk(out, "IHDR", head);
  append_chunk(out, "IDAT", packed);
  append_chunk(out, "IEND", {});
  return out;
}

}  // namespace gpuscope::wire

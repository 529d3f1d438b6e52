#include "wire/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace gpuscope::wire {
namespace {

std::string inflated(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, '\0');
  std::string in = packed;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, ComesBackWholeEveryTime) {
  Gzip gzip;
  std::string text;
  for (int i = 0; i < 2000; ++i)
    text += "gpu_power_watts{gpu_index=\"" + std::to_string(i) + "\"} 1\n";
  for (const std::string& in : {text, std::string{}, text, std::string("x")}) {
    std::string out;
    ASSERT_TRUE(gzip.append(in, out));
    EXPECT_EQ(inflated(out), in);
  }
}

TEST(Gzip, KeepsWhatIsThere) {
  Gzip gzip(1);
  std::string out = "before";
  ASSERT_TRUE(gzip.append("after", out));
  EXPECT_EQ(out.substr(0, 6), "before");
  EXPECT_EQ(inflated(out.substr(6)), "after");
}

}  // namespace
}  // namespace gpuscope::wire

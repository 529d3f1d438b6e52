#include "prom/write_request.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "prom/write_request_testing.h"

namespace gpuscope::prom {
namespace {

TEST(WriteRequest, HoldsSeriesWithTheirSamples) {
  const Labels labels{{"UUID", "GPU-1"}, {"__name__", "power"}, {"gpu", std::string(300, 'x')}};
  const std::array<Sample, 3> samples{Sample{1'795'339'482'736, 46.1}, Sample{0, -0.0},
                                      Sample{-1, std::numeric_limits<double>::infinity()}};
  WriteRequest request;
  request.add(encode_labels(labels), samples);
  request.add(encode_labels({{"__name__", "up"}}), std::span(samples).first(1));
  EXPECT_EQ(request.samples(), 4U);

  const auto read = read_request(request.compressed());
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].labels, labels);
  EXPECT_EQ(
      read[0].samples,
      (std::vector<ReadSample>{
          {1'795'339'482'736, 46.1}, {0, -0.0}, {-1, std::numeric_limits<double>::infinity()}}));
  EXPECT_EQ(read[1].label("__name__"), "up");
  EXPECT_EQ(read[1].samples, (std::vector<ReadSample>{{1'795'339'482'736, 46.1}}));

  request.clear();
  EXPECT_EQ(request.samples(), 0U);
  EXPECT_TRUE(read_request(request.compressed()).empty());
}

// As the definitions of Prometheus's messages say, byte by byte.
TEST(WriteRequest, IsTheBytesOfTheProtocol) {
  const std::string labels = encode_labels({{"a", "b"}});
  EXPECT_EQ(labels, std::string("\x0a\x06\x0a\x01"
                                "a\x12\x01"
                                "b",
                                8));
  WriteRequest request;
  const std::array<Sample, 1> samples{Sample{1, 1.0}};
  request.add(labels, samples);
  std::string bytes;
  ASSERT_TRUE(snappy::Uncompress(request.compressed().data(), request.compressed().size(), &bytes));
  EXPECT_EQ(bytes, "\x0a\x15" + labels +
                       std::string("\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x01", 13));
}

TEST(WriteRequest, KnowsTheMarkerOfStaleness) {
  EXPECT_EQ((ReadSample{0, stale_marker()}.bits()), 0x7ff0000000000002U);
}

}  // namespace
}  // namespace gpuscope::prom

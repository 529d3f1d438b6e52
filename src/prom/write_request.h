// The bytes of Prometheus's remote write, version 1.0: a WriteRequest as protobuf, compressed with
// snappy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "prom/exposition.h"

namespace gpuscope::prom {

struct Sample {
  std::int64_t time_ms = 0;  // since 1970
  double value = 0;
};

// The value that says: from here on the series is no more. One of many that are not a number, told
// by its bits.
double stale_marker();

// The labels of a TimeSeries, to be put in front of its samples again and again. In the order in
// which they are given: the protocol wants them sorted.
std::string encode_labels(const Labels& labels);

// Puts series into one request after the other.
class WriteRequest {
 public:
  void clear();
  // `labels` as encode_labels() gives them; samples in order of time.
  void add(std::string_view labels, std::span<const Sample> samples);

  std::size_t samples() const { return samples_; }
  std::size_t bytes() const { return bytes_.size(); }  // not compressed
  // What is sent; valid until the next call of a method.
  const std::string& compressed();

 private:
  std::string bytes_;
  std::string compressed_;
  std::string series_;
  std::size_t samples_ = 0;
};

}  // namespace gpuscope::prom

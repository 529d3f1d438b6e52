// Reads a WriteRequest without any protobuf library, so that our writing is held against something
// else than itself. For tests alone.
#pragma once

#include <snappy.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuscope::prom {

struct ReadSample {
  std::int64_t time_ms = 0;
  double value = 0;
  std::uint64_t bits() const { return std::bit_cast<std::uint64_t>(value); }
  // A marker of staleness is equal to itself here, and to no other NaN.
  friend bool operator==(const ReadSample& a, const ReadSample& b) {
    return a.time_ms == b.time_ms && a.bits() == b.bits();
  }
};

struct ReadSeries {
  std::vector<std::pair<std::string, std::string>> labels;  // in the order of the bytes
  std::vector<ReadSample> samples;

  friend bool operator==(const ReadSeries&, const ReadSeries&) = default;
  std::string label(std::string_view name) const {
    for (const auto& [key, value] : labels) {
      if (key == name) return value;
    }
    return "";
  }
};

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  bool next() {
    if (bytes_.empty()) return false;
    const std::uint64_t key = varint();
    field = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0:
        number = varint();
        break;
      case 1:
        if (bytes_.size() < 8) throw std::runtime_error("cut off");
        std::memcpy(&number, bytes_.data(), 8);
        bytes_.remove_prefix(8);
        break;
      case 2: {
        const std::uint64_t size = varint();
        if (size > bytes_.size()) throw std::runtime_error("cut off");
        text = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        break;
      }
      default:
        throw std::runtime_error("no such wire type");
    }
    return true;
  }
  int field = 0;
  std::uint64_t number = 0;
  std::string_view text;

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (bytes_.empty()) throw std::runtime_error("cut off");
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    throw std::runtime_error("too long a number");
  }
  std::string_view bytes_;
};

inline ReadSeries read_series(std::string_view bytes) {
  ReadSeries series;
  for (ProtoReader in(bytes); in.next();) {
    ProtoReader inner(in.text);
    if (in.field == 1) {
      std::pair<std::string, std::string> label;
      while (inner.next()) (inner.field == 1 ? label.first : label.second) = inner.text;
      series.labels.push_back(label);
    } else if (in.field == 2) {
      ReadSample sample;
      while (inner.next()) {
        if (inner.field == 1) sample.value = std::bit_cast<double>(inner.number);
        if (inner.field == 2) sample.time_ms = static_cast<std::int64_t>(inner.number);
      }
      series.samples.push_back(sample);
    } else {
      throw std::runtime_error("a field that a TimeSeries does not have");
    }
  }
  return series;
}

inline std::vector<ReadSeries> read_request(std::string_view compressed) {
  std::string bytes;
  if (!snappy::Uncompress(compressed.data(), compressed.size(), &bytes)) {
    throw std::runtime_error("not snappy");
  }
  std::vector<ReadSeries> all;
  for (ProtoReader in(bytes); in.next();) {
    if (in.field != 1) throw std::runtime_error("a field that a WriteRequest does not have");
    all.push_back(read_series(in.text));
  }
  return all;
}

}  // namespace gpuscope::prom

#include "prom/write_request.h"

#include <snappy.h>

#include <bit>
#include <protozero/pbf_writer.hpp>

namespace gpuscope::prom {
namespace {

// Numbers of fields, from Prometheus's prompb/remote.proto and types.proto.
constexpr protozero::pbf_tag_type kRequestTimeSeries = 1;
constexpr protozero::pbf_tag_type kSeriesLabels = 1;
constexpr protozero::pbf_tag_type kSeriesSamples = 2;
constexpr protozero::pbf_tag_type kLabelName = 1;
constexpr protozero::pbf_tag_type kLabelValue = 2;
constexpr protozero::pbf_tag_type kSampleValue = 1;
constexpr protozero::pbf_tag_type kSampleTime = 2;

// Prometheus's model/value: StaleNaN.
constexpr std::uint64_t kStaleBits = 0x7ff0'0000'0000'0002;

}  // namespace

double stale_marker() { return std::bit_cast<double>(kStaleBits); }

std::string encode_labels(const Labels& labels) {
  std::string out;
  protozero::pbf_writer series(out);
  for (const auto& [name, value] : labels) {
    protozero::pbf_writer label(series, kSeriesLabels);
    label.add_string(kLabelName, name);
    label.add_string(kLabelValue, value);
  }
  return out;
}

void WriteRequest::clear() {
  bytes_.clear();
  samples_ = 0;
}

void WriteRequest::add(std::string_view labels, std::span<const Sample> samples) {
  series_.assign(labels);
  protozero::pbf_writer series(series_);
  for (const Sample& sample : samples) {
    protozero::pbf_writer message(series, kSeriesSamples);
    message.add_double(kSampleValue, sample.value);
    message.add_int64(kSampleTime, sample.time_ms);
  }
  protozero::pbf_writer(bytes_).add_message(kRequestTimeSeries, series_);
  samples_ += samples.size();
}

const std::string& WriteRequest::compressed() {
  snappy::Compress(bytes_.data(), bytes_.size(), &compressed_);
  return compressed_;
}

}  // namespace gpuscope::prom

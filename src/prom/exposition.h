// The Prometheus text format, version 0.0.4, as our own pages have it: what they show is what is
// sent.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuscope::prom {

// A line with a sample: what comes before the blank in front of the value, and the value.
struct SampleLine {
  std::string_view series;  // `name` or `name{label="value",…}`, as it stands there
  double value = 0;
};

// Takes the next sample off the front of `text`, passing over comments and empty lines. None: there
// is no more, or what is there is no sample; then `text` is empty or not.
std::optional<SampleLine> next_sample(std::string_view& text);

// Labels by name, `__name__` among them; values without escapes, those that are empty left out.
using Labels = std::vector<std::pair<std::string, std::string>>;

// The parts of SampleLine::series, sorted by name. None where it is malformed or has a label twice.
std::optional<Labels> parse_series(std::string_view series);

}  // namespace gpuscope::prom

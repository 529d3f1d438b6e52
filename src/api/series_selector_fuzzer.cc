// Selectors and times of any bytes: never a crash, and an error that says something.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/series_selector.h"
#include "base/duration.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto selector = gpuscope::api::SeriesSelector::parse(text);
  if (selector) {
    selector->fits_name(text.substr(0, 16));
    selector->fits_labels([&](std::string_view label) { return label; });
  } else if (selector.error().message.empty()) {
    std::abort();
  }
  const gpuscope::base::WallTime now{std::chrono::hours{500'000}};
  const auto moment = gpuscope::base::parse_moment(text, now);
  if (moment && *moment < gpuscope::base::WallTime{}) std::abort();
  return 0;
}

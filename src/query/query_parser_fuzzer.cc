// Expressions and times of any bytes: never a crash, an error that says something, and what parses
// can be evaluated.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/duration.h"
#include "query/memory_series.h"
#include "query/query.h"

namespace {

const gpuscope::query::MemorySeries& series() {
  static const auto all = [] {
    gpuscope::query::MemorySeries made;
    made.add({{"__name__", "a"}, {"b", "1"}}, {{1000, 1}, {2000, 3}, {3000, 2}});
    made.add({{"__name__", "a"}, {"b", "2"}}, {{1000, -1}, {2500, 0.5}});
    made.add({{"__name__", "b"}, {"b", "1"}}, {{1500, 4}, {2000, gpuscope::model::stale_marker()}});
    return made;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Times stand beside expressions in every request.
  const gpuscope::base::WallTime now{std::chrono::hours{500'000}};
  const auto moment = gpuscope::base::parse_moment(text, now);
  if (moment && *moment < gpuscope::base::WallTime{}) std::abort();
  const auto expression = gpuscope::query::Expression::parse(text);
  if (!expression) {
    if (!expression.error().message.starts_with("cannot ")) std::abort();
    return 0;
  }
  const gpuscope::query::Limits limits{.samples = 10'000};
  const auto value = gpuscope::query::instant(series(), *expression, 3000, limits);
  const auto matrix = gpuscope::query::range(
      series(), *expression, {.start_ms = 0, .end_ms = 4000, .step_ms = 700}, limits);
  if (!value && value.error().message.empty()) std::abort();
  if (!matrix && matrix.error().message.empty()) std::abort();
  return 0;
}

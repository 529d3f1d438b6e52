// What was spent in the last hour, and whether there is room for more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "advise/options.h"
#include "base/clock.h"

namespace gpuscope::advise {

struct Spent {
  std::uint64_t requests = 0;
  std::uint64_t tokens = 0;
  double cost = 0;

  friend bool operator==(const Spent&, const Spent&) = default;
};

// Minutes of an hour by the wall clock, so that it means something after a restart. A clock that
// goes back frees nothing before its time. Not thread-safe.
class SpendMeter {
 public:
  explicit SpendMeter(SpendLimits limits) : limits_(limits) {}

  // Takes the request's cost off what is left, before it is sent; false: there is no room, nothing
  // is taken.
  bool reserve(const Spent& request, base::WallTime now);
  // When it is known what the request did cost.
  void settle(const Spent& reserved, const Spent& actual, base::WallTime now);
  Spent last_hour(base::WallTime now) const;

  // As text, to be kept; what restore() does not understand is nothing.
  std::string save() const;
  void restore(std::string_view text);

 private:
  static constexpr std::size_t kMinutes = 60;
  struct Minute {
    std::int64_t number = 0;  // since 1970
    Spent spent{};
  };
  Spent& minute(base::WallTime now);

  const SpendLimits limits_;
  std::array<Minute, kMinutes> minutes_{};  // by number modulo kMinutes
};

}  // namespace gpuscope::advise

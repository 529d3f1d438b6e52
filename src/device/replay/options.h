// How to replay a recording.
#pragma once

#include <optional>
#include <string>

namespace gpuscope::device::replay {

inline constexpr double kMinSpeed = 0.001;
inline constexpr double kMaxSpeed = 100'000;

struct Options {
  std::string path;
  // Recorded seconds a second, kMinSpeed to kMaxSpeed. None: every tick of the reader shows the
  // next recorded one, none left out, whatever time lay between them.
  std::optional<double> speed = 1.0;
  bool loop = false;      // begins again behind the last tick; else the last tick stays
  bool from_end = false;  // begins with the last tick
};

}  // namespace gpuscope::device::replay

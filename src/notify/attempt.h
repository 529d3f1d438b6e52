// What came of one attempt to deliver a message.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gpuscope::notify {

struct Attempt {
  enum class Outcome : std::uint8_t {
    kSent,     // the receiver's server took it
    kRefused,  // it never will: given up
    kLater,    // not now, this message: tried again
    kDown,     // nobody answers, or nobody is let in: the receiver as a whole is tried again later
    kCancelled,  // the agent ends
  };
  Outcome outcome = Outcome::kSent;
  std::string error{};                              // "cannot …"; empty where it was sent
  std::optional<std::chrono::milliseconds> wait{};  // how long the server asks to be left alone
  std::vector<std::string> steps{};  // what was said on both sides, for people, without secrets
};

}  // namespace gpuscope::notify

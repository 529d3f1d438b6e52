// What a remote-write endpoint's answers mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gpuscope::prom {

enum class Outcome : std::uint8_t {
  kTaken,
  kLater,  // the server, or the way to it, is not as it should be: the same again later
  kNever,  // it is these samples that the server does not want
  kShut,   // the door, and not the samples: the same again, seldom, until somebody sees to it
};

// By the HTTP status. 401, 403, 404, 405 and 407 are about the door and not about what is brought:
// a token that has run out must not cost a day. docs/remote-write.md says what the protocol wants.
Outcome judge(int status);

// "cannot write to ORIGIN: it answers STATUS: …", with a cure where one is known and the front of
// what the server said. `location` is that of a redirect.
std::string answer_error(std::string_view origin, int status, std::string_view location,
                         std::string_view body);

}  // namespace gpuscope::prom

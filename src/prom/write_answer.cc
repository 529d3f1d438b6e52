#include "prom/write_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "http/web_answer.h"

namespace gpuscope::prom {
namespace {

std::string_view cure(int status) {
  switch (status) {
    case 401:
    case 403:
      return "see to the user, password or token for remote write";
    case 404:
    case 405:
      return "see to the path in the URL; Prometheus takes it with "
             "--web.enable-remote-write-receiver";
    case 407:
      return "the proxy wants a password; it stands in the proxy's URL in the environment";
    default:
      return "";
  }
}

}  // namespace

Outcome judge(int status) {
  constexpr std::array kTheDoor{401, 403, 404, 405, 407};
  constexpr std::array kTooSlowOrTooMuch{408, 429};
  if (status >= 200 && status < 300) return Outcome::kTaken;
  if (status < 400 || status >= 500) return Outcome::kLater;
  if (std::ranges::find(kTheDoor, status) != kTheDoor.end()) return Outcome::kShut;
  const bool later = std::ranges::find(kTooSlowOrTooMuch, status) != kTooSlowOrTooMuch.end();
  return later ? Outcome::kLater : Outcome::kNever;
}

std::string answer_error(std::string_view origin, int status, std::string_view location,
                         std::string_view body) {
  std::string text = fmt::format("cannot write to {}: it answers {}", origin, status);
  if (status >= 300 && status < 400 && !location.empty()) {
    text += fmt::format(" and points to {}: name that as the URL", http::one_line(location));
  }
  if (const std::string said = http::one_line(body); !said.empty()) text += ": " + said;
  if (const std::string_view way = cure(status); !way.empty()) text += fmt::format("; {}", way);
  return text;
}

}  // namespace gpuscope::prom

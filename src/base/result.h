// Errors are values. Nothing in this program throws across a library's edge.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace gpuscope::base {

// What went wrong, coarse enough to decide on: an exit code, an HTTP status, whether to try again.
enum class ErrorKind : std::uint8_t {
  kInvalidArgument,   // the caller's words are off: show them, do not retry
  kNotFound,          // a file, a GPU, a metric that is not there
  kPermissionDenied,  // the operating system or the driver refused
  kUnavailable,       // not now: a driver not loaded, a server down; a retry may help
  kDeadlineExceeded,  // it did not answer in time
  kAlreadyExists,     // somebody else holds it
  kInternal,          // ours to mend
};

// The kind's name as it stands in logs, such as "invalid_argument".
std::string_view error_kind_name(ErrorKind kind);

// A failure. `message` starts with "cannot …", names the thing, and where a person can mend it says
// how. It never ends in a full stop, so that callers can extend it.
struct [[nodiscard]] Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

// For `return fail(ErrorKind::kNotFound, "cannot open …");`.
inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected<Error>(Error{kind, std::move(message)});
}

}  // namespace gpuscope::base

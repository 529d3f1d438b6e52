#include "base/result.h"

namespace gpuscope::base {

std::string_view error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return "invalid_argument";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kPermissionDenied:
      return "permission_denied";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorKind::kAlreadyExists:
      return "already_exists";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace gpuscope::base

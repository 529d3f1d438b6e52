#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gpuscope::base {
namespace {

constexpr mode_t kDirectoryMode = 0750;

std::unexpected<Error> cannot(std::string_view verb, const std::string& path, int number) {
  return fail(error_kind_of_errno(number),
              fmt::format("cannot {} {}: {}", verb, path, errno_text(number)));
}

// Makes one directory; true also when it is there.
bool make_directory(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) == 0) return true;
  const int why = errno;
  struct stat status{};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return true;
  errno = why;
  return false;
}

}  // namespace

ErrorKind error_kind_of_errno(int number) {
  switch (number) {
    case ENOENT:
      return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kPermissionDenied;
    case EEXIST:
    case EADDRINUSE:
    case EWOULDBLOCK:
      return ErrorKind::kAlreadyExists;
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ENAMETOOLONG:
      return ErrorKind::kInvalidArgument;
    case ETIMEDOUT:
      return ErrorKind::kDeadlineExceeded;
    default:
      return ErrorKind::kUnavailable;
  }
}

std::string errno_text(int number) { return std::generic_category().message(number); }

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return cannot("open", path, errno);
  std::string text;
  constexpr std::size_t kStep = 16'384;
  while (text.size() <= max_bytes) {
    const std::size_t had = text.size();
    text.resize(had + kStep);
    const ssize_t got = read(file, text.data() + had, kStep);
    const int why = errno;
    text.resize(had + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got == 0) break;
    if (got < 0 && why != EINTR) {
      close(file);
      return cannot("read", path, why);
    }
  }
  close(file);
  if (text.size() > max_bytes) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot read {}: it is longer than {} bytes", path, max_bytes));
  }
  return text;
}

Result<void> make_directories(const std::string& path) {
  if (path.empty()) {
    return fail(ErrorKind::kInvalidArgument, "cannot make a directory without a name");
  }
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (!make_directory(path.substr(0, end))) {
      return cannot("make the directory", path.substr(0, end), errno);
    }
    if (end == std::string::npos) return {};
  }
}

}  // namespace gpuscope::base

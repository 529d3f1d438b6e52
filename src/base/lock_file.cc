#include "base/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/file.h"

namespace gpuscope::base {
namespace {

// "process 4242", or what can be said when the holder wrote nothing readable.
std::string holder(int file) {
  std::array<char, 24> text{};
  const ssize_t size = pread(file, text.data(), text.size(), 0);
  long pid = 0;
  if (size <= 0 || std::from_chars(text.data(), text.data() + size, pid).ec != std::errc{} ||
      pid <= 0) {
    return "another process";
  }
  return fmt::format("process {}", pid);
}

}  // namespace

Result<LockFile> LockFile::acquire(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) {
    return fail(error_kind_of_errno(errno),
                fmt::format("cannot lock {}: {}", path, errno_text(errno)));
  }
  LockFile lock(file);
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return fail(error_kind_of_errno(errno),
                  fmt::format("cannot lock {}: {}", path, errno_text(errno)));
    }
    return fail(ErrorKind::kAlreadyExists,
                fmt::format("cannot lock {}: {} holds it", path, holder(file)));
  }
  const std::string pid = fmt::format("{}\n", getpid());
  // The id is for people only: the lock holds without it, on a full disk too.
  if (ftruncate(file, 0) == 0) static_cast<void>(!pwrite(file, pid.data(), pid.size(), 0));
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

LockFile::~LockFile() {
  if (file_ >= 0) close(file_);
}

}  // namespace gpuscope::base

// One process at a time: a file that is locked as long as its holder lives.
#pragma once

#include <string>

#include "base/result.h"

namespace gpuscope::base {

// Holds the lock (flock) until it is destroyed or the process ends in any way. Movable. The file
// stays; it holds the process id of whoever locked it last.
class LockFile {
 public:
  // Makes the file where it is not there. kAlreadyExists when somebody else holds it, with their
  // process id in the message, which goes on from "cannot lock PATH: ".
  static Result<LockFile> acquire(const std::string& path);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  ~LockFile();

 private:
  explicit LockFile(int file) : file_(file) {}

  int file_;  // -1: moved from
};

}  // namespace gpuscope::base

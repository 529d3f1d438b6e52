// Files and directories, with errors that say what is wrong and how to mend it.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace gpuscope::base {

// The whole file. kNotFound, kPermissionDenied; kInvalidArgument when it is a directory or longer
// than `max_bytes`.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

// Makes a directory and those above it, open to its owner and group alone; one that is there
// already is left as it is.
Result<void> make_directories(const std::string& path);

// The kind that an errno value stands for, and its text ("No such file or directory").
ErrorKind error_kind_of_errno(int number);
std::string errno_text(int number);

}  // namespace gpuscope::base

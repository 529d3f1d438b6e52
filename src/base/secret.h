// Texts that nobody should see: where they are, and how they are read.
#pragma once

#include <string>

#include "base/result.h"

namespace gpuscope::base {

// A text, or the file that has it. Neither: there is none.
struct Secret {
  std::string text{};
  std::string file{};

  bool is_given() const { return !text.empty() || !file.empty(); }
};

// What it is now, without blanks and line ends around it: a file is read each time, so that it may
// be replaced at any time. The errors of read_file().
Result<std::string> read_secret(const Secret& secret);

}  // namespace gpuscope::base

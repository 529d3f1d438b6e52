// The first of several sources that finds a GPU.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/source.h"

namespace gpuscope::device {

struct Candidate {
  std::string method;
  std::unique_ptr<model::Source> source;
};

// Tries its candidates in order at each open(), and reads from the one that opened. When none does,
// the error has the reason of each, and the kind of the first.
std::unique_ptr<model::Source> make_auto_source(std::vector<Candidate> candidates);

}  // namespace gpuscope::device

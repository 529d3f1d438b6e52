// What comes with the program beside it: stand-ins for the driver and its tools, and what lets SQL
// read the history.
#pragma once

#include <string>

namespace gpuscope::app {

// A paragraph for the help text that names those that are there, with their paths: as installed, in
// the portable folder or in the build's. Empty when there is none.
std::string companions_help();

}  // namespace gpuscope::app

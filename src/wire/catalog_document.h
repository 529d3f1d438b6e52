// The catalogue as a document: what every metric and fact is, for programs that read the others.
#pragma once

#include <string>

namespace gpuscope::wire {

// GET /api/v1/catalog, compact. The same as long as the program is.
void append_catalog(std::string& out);

}  // namespace gpuscope::wire

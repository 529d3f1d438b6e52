// The snapshot document: every reading of every entity of one tick, each a number in its unit or
// the reason that there is none. docs/formats/snapshot.md describes it.
#pragma once

#include <string>

#include "model/snapshot.h"

namespace gpuscope::wire {

// GET /api/v1/snapshot, compact, on one line. Allocates nothing when `out` has room.
void append_snapshot(std::string& out, const model::Snapshot& snapshot);

}  // namespace gpuscope::wire

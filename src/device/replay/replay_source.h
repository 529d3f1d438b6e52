// A recorded machine as a Source.
#pragma once

#include <memory>

#include "device/replay/options.h"
#include "model/source.h"

namespace gpuscope::device::replay {

// Its inventory is the recorded one, of the method "replay"; events get the time at which they
// would happen now. Where the recorded inventory changes it is lost(), and open() gives the new
// one. A recording that is damaged ends in front of the damage.
std::unique_ptr<model::Source> make_replay_source(const Options& options);

}  // namespace gpuscope::device::replay

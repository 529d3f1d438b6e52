// What NVIDIA's catalogue of XID errors asks for at once, by number.
#pragma once

#include <cstdint>

namespace gpuscope::health {

// In rising order of what it takes.
enum class XidAction : std::uint8_t {
  kNone,         // nothing, or what other rules see better: 154 (the recovery action changed)
  kRestartApp,   // the job's own fault, or its loss alone
  kCheckCables,  // auxiliary power is not connected
  kUpdate,       // software or firmware does not fit the card
  kSupport,      // NVIDIA's support, with a log
  kCheckNvlink,  // the NVLink workflow
  kResetGpu,
  kRestartMachine,
};

// Source: the immediate actions of NVIDIA's XID catalogue. A number that is not in it asks for
// support there.
XidAction xid_action(std::uint64_t xid);

}  // namespace gpuscope::health

// What `dcgmi discovery -l` and `dcgmi health -c -j` write.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/health.h"

namespace gpuscope::device::smi {

// A GPU as DCGM knows it.
struct DcgmGpu {
  std::int64_t id = 0;  // DCGM's own number, which is not nvidia-smi's index
  std::string bus_id;   // as normalized_bus_id() has it; empty when unknown
  std::string uuid;     // empty when unknown
};

// The GPUs of the table; text around it and tables of other things are skipped. Thread-safe.
std::vector<DcgmGpu> parse_discovery(std::string_view text);

struct DcgmHealth {
  model::Health overall = model::Health::kUnknown;
  std::map<std::int64_t, model::SourceVerdict> gpus;  // by DCGM's number; the healthy ones may lack

  // What it says of one GPU. One that is not named is healthy, where others are or where all is
  // well.
  model::SourceVerdict of(std::int64_t id) const;
};

// Text before the document is skipped. An error, kUnavailable, for what is no report, with the
// words that dcgmi wrote instead ("Health watches not enabled"): that is not healthy. Thread-safe.
base::Result<DcgmHealth> parse_health(std::string_view text);

}  // namespace gpuscope::device::smi

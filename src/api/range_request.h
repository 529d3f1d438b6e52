// What a request to /api/v1/range asks for.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/server.h"
#include "model/series.h"

namespace gpuscope::api {

struct RangeRequest {
  std::vector<model::Metric> metrics;  // at least one, none twice
  std::vector<std::string> gpus;       // UUIDs as they were asked for; empty: every GPU
  model::TimeRange range;              // never empty
  std::size_t points = 0;              // from 1 on
  bool csv = false;
};

// Checks everything that can be checked without the history; kInvalidArgument says what is wrong,
// by the parameter's name. `interval`: no part of the range is shorter.
base::Result<RangeRequest> parse_range_request(const http::Request& request, base::WallTime now,
                                               std::chrono::microseconds interval);

}  // namespace gpuscope::api

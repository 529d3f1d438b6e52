// `nvidia-smi --query-gpu=…`: which fields there are, and one line per GPU.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "machine.h"

namespace gpuscope::tools {

// What --help-query-gpu writes.
std::string query_help();

class GpuQuery {
 public:
  // The error is what the tool says of a field that it does not know.
  static std::expected<GpuQuery, std::string> parse(std::string_view fields, bool units);

  std::string header() const;
  // With a line break.
  std::string line(const Machine& machine, std::size_t gpu) const;

 private:
  std::vector<std::size_t> fields_;  // of the table
  bool units_ = true;
};

}  // namespace gpuscope::tools

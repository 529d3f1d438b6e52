// The document of `nvidia-smi -q -x`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "machine.h"

namespace gpuscope::tools {

enum class Schema : std::uint8_t {
  kV12,  // as drivers 535 to 565 wrote it
  kV13,  // as drivers from 580 on do
};

std::string smi_document(const Machine& machine, std::span<const std::size_t> gpus, Schema schema);

}  // namespace gpuscope::tools

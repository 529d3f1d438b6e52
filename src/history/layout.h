// Which columns a device has, by the numbers that the file's table of metrics gives them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/catalog.h"

namespace gpuscope::history {

// Behind the catalogue's metrics of a GPU stands one of our own: its health, 0 to 4.
inline constexpr std::string_view kHealthKey = "health_status";

// Processes are not kept: they come and go.
inline constexpr std::array kKeptEntities{model::Entity::kGpu, model::Entity::kFan,
                                          model::Entity::kLink, model::Entity::kMigInstance};

// The columns of each entity, in the order of their rows.
struct Layout {
  std::array<std::vector<std::uint32_t>, model::kEntityCount> metrics;

  const std::vector<std::uint32_t>& of(model::Entity entity) const {
    return metrics[static_cast<std::size_t>(entity)];
  }
  std::vector<std::uint32_t>& of(model::Entity entity) {
    return metrics[static_cast<std::size_t>(entity)];
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

// The GPU itself, or one of its fans, links or MIG instances. Instances: the fan's or link's place,
// or 65536 × the GPU instance's id + the compute instance's id.
struct PartKey {
  model::Entity entity = model::Entity::kGpu;
  std::uint32_t instance = 0;
  friend bool operator==(const PartKey&, const PartKey&) = default;
};

inline constexpr unsigned kInstanceBits = 16;
constexpr std::uint32_t mig_instance(std::uint32_t gpu_instance, std::uint32_t compute_instance) {
  return gpu_instance << kInstanceBits | compute_instance;
}

// A chunk's number: its block's, and its GPU's in the lowest bits.
inline constexpr unsigned kGpuBits = 16;
inline constexpr std::size_t kMaxGpus = std::size_t{1} << kGpuBits;
constexpr std::int64_t chunk_id(std::int64_t block, std::int64_t gpu) {
  return block << kGpuBits | gpu;
}

}  // namespace gpuscope::history

// A folder, and a machine whose every tick follows from its number, for tests of the history.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/series.h"
#include "model/snapshot.h"

namespace gpuscope::history {

// Removed with all that is in it.
class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "gpuscope-history-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9U;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

inline constexpr base::WallTime kTestStart{std::chrono::seconds{1'780'000'000}};

// The readings of a GPU's row at a time, and nothing else, follow from the GPU and the time.
inline model::Reading test_reading(std::size_t gpu, model::Metric metric, base::WallTime time) {
  using model::Absence;
  using model::Reading;
  const auto id = static_cast<std::uint64_t>(metric);
  const auto micros = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const std::uint64_t dice = mixed(micros * 151 + id + gpu * 7919);
  const std::uint64_t span = micros / 60'000'000;
  if (model::info(metric).cadence == model::Cadence::kOnce)
    return Reading::of(static_cast<std::int64_t>(id));
  switch (id % 5) {
    case 0:
      return Reading::none(Absence::kUnsupported);
    case 1:
      return Reading::of(static_cast<std::int64_t>(dice % 700'000));
    case 2:
      return dice % 40 == 0 ? Reading::none(Absence::kFailed)
                            : Reading::of(static_cast<std::int64_t>(100 * (span % 100)));
    case 3:
      return Reading::of(static_cast<std::int64_t>(micros * (gpu + 1)));
    default:
      return mixed(span + id) % 3 == 0 ? Reading::none(Absence::kGone)
                                       : Reading::of(-static_cast<std::int64_t>(dice % 3));
  }
}

inline std::shared_ptr<model::Inventory> test_inventory(std::size_t gpus) {
  auto inventory = std::make_shared<model::Inventory>();
  inventory->gpus.resize(gpus);
  for (std::size_t i = 0; i < gpus; ++i) {
    inventory->gpus[i].fact(model::Fact::kUuid) = model::Text::of("GPU-" + std::to_string(i));
    inventory->gpus[i].fact(model::Fact::kName) =
        model::Text::of("Card \"" + std::to_string(i) + "\"");
  }
  return inventory;
}

inline std::shared_ptr<model::Snapshot> test_tick(
    const std::shared_ptr<model::Inventory>& inventory, base::WallTime time) {
  auto snapshot = std::make_shared<model::Snapshot>();
  snapshot->time = time;
  snapshot->inventory = inventory;
  snapshot->devices.resize(inventory->gpus.size());
  snapshot->verdicts.resize(inventory->gpus.size());
  for (std::size_t i = 0; i < inventory->gpus.size(); ++i) {
    for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
      snapshot->devices[i].at(row.id) = test_reading(i, row.id, time);
    }
    snapshot->verdicts[i].overall = model::Health::kHealthy;
  }
  return snapshot;
}

}  // namespace gpuscope::history

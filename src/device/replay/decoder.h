// The records of a recording to ticks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "device/replay/bytes.h"
#include "model/catalog.h"
#include "model/snapshot.h"

namespace gpuscope::device::replay {

// One tick as it was recorded.
struct RecordedTick {
  base::WallTime time{};
  std::uint64_t sequence = 0;
  // As recorded, the method that read it included. The same object as long as nothing in it
  // changed.
  std::shared_ptr<const model::Inventory> inventory;
  std::vector<model::DeviceSample> devices;  // by GPU
};

// Whether two inventories say the same of the same devices; `recorded` does not count.
bool same_inventory(const model::Inventory& a, const model::Inventory& b);

// Takes any bytes: what is not a recording is told, and nothing is taken over its limit. Not
// thread-safe.
class Decoder {
 public:
  enum class Step : std::uint8_t { kTick, kEnd, kBroken };

  // The records of the next frame. `raw` outlives what next() reads of it.
  void feed(std::string_view raw) { in_ = ByteReader(raw); }
  // To the next tick of the frame. Once broken, it stays so.
  Step next();

  const RecordedTick& tick() const { return tick_; }

 private:
  using Columns = std::vector<std::optional<std::size_t>>;  // by recorded column: ours

  void read_session();
  void read_inventory();
  void read_tick();
  void read_device(model::DeviceSample& device);
  void read_row(const Columns& columns, model::Reading* row);
  template <typename Row>
  void read_list(std::vector<Row>& list, std::size_t limit, const Columns& columns);
  void read_identity(model::MigInstance& instance);
  void read_identity(model::Process& process);
  void read_processes(model::DeviceSample& device);
  void read_verdict(model::DeviceSample& device);
  void read_events(model::DeviceSample& device);
  void read_further(model::DeviceSample& device);
  void read_spreads(model::DeviceSample& device);
  base::WallTime read_time(base::WallTime from);
  const Columns& columns(model::Entity entity) const {
    return columns_[static_cast<std::size_t>(entity)];
  }

  ByteReader in_;
  bool broken_ = false;
  bool in_session_ = false;
  bool tick_is_next_ = false;  // behind an inventory: otherwise a few bytes could make much work
  std::array<Columns, model::kEntityCount> columns_;
  std::vector<std::optional<model::Fact>> facts_;  // by recorded fact
  std::size_t rows_ = 0;                           // of the lists read in this tick
  RecordedTick tick_;
};

}  // namespace gpuscope::device::replay

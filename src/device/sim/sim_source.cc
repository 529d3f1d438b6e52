#include "device/sim/sim_source.h"

#include <utility>
#include <vector>

#include "device/sim/machine.h"

namespace gpuscope::device::sim {
namespace {

class SimSource final : public model::Source {
 public:
  explicit SimSource(const Options& options) : machine_(options), last_(machine_.size()) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override {
    auto inventory = std::make_shared<model::Inventory>();
    inventory->method = "sim";
    inventory->simulated = true;
    inventory->rules = machine_.rules();
    inventory->gpus.reserve(machine_.size());
    for (std::size_t i = 0; i < machine_.size(); ++i) inventory->gpus.push_back(machine_.info(i));
    return inventory;
  }

  bool devices_may_block() const override { return false; }

  void read(std::size_t device, base::WallTime tick, model::DeviceSample& out) override {
    machine_.read(device, tick, out);
    base::WallTime& last = last_[device];
    out.events.clear();
    if (last != base::WallTime{}) machine_.events(device, last, tick, out.events);
    last = tick;
    fill_peers(device, tick, out);
  }

  bool lost() const override { return false; }

 private:
  // No real machine has more GPUs that reach each other.
  static constexpr std::size_t kMostPeers = 64;

  void fill_peers(std::size_t device, base::WallTime tick, model::DeviceSample& out) const {
    const std::size_t count = machine_.size();
    if (count < 2 || count > kMostPeers || machine_.lost(device, tick)) return;
    out.peers.assign(count, model::PeerLink::kNotKnownYet);
    for (std::size_t other = 0; other < count; ++other) {
      if (other == device || machine_.lost(other, tick)) continue;
      out.peers[other] = machine_.link_between(device, other, tick);
    }
  }

  Machine machine_;
  std::vector<base::WallTime> last_;  // when each GPU was read; the epoch: never
};

}  // namespace

std::unique_ptr<model::Source> make_sim_source(const Options& options) {
  return std::make_unique<SimSource>(options);
}

}  // namespace gpuscope::device::sim

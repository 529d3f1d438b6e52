#include "device/nvml/peer_table.h"

#include <utility>

#include "base/mutex.h"
#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {

using model::PeerLink;

// Held by the table and by its thread.
class PeerTable::Shared {
 public:
  Shared(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices)
      : session_(std::move(session)), devices_(std::move(devices)), links_(devices_.size()) {}

  bool worth_asking() const {
    return devices_.size() > 1 && devices_.size() <= kMostDevices &&
           session_->nvml().nvmlDeviceGetP2PStatus != nullptr;
  }

  void serve(SideThread::Life& life) {
    while (!life.stopping()) {
      for (std::size_t i = 0; i < devices_.size() && !life.stopping(); ++i) ask(i, life);
      life.pause(kPeriod);
    }
  }

  void copy(std::size_t device, std::vector<PeerLink>& out) {
    const base::MutexLock lock(mutex_);
    out = links_[device];
  }

 private:
  void ask(std::size_t device, SideThread::Life& life) {
    std::vector<PeerLink> links(devices_.size(), PeerLink::kNotKnownYet);
    bool any = false;
    for (std::size_t other = 0; other < devices_.size(); ++other) {
      if (other == device || life.stopping()) continue;
      links[other] = link_between(devices_[device], devices_[other]);
      any |= links[other] != PeerLink::kNotKnownYet;
    }
    if (!any) links.clear();
    const base::MutexLock lock(mutex_);
    links_[device] = std::move(links);
  }

  PeerLink link_between(nvmlDevice_t one, nvmlDevice_t other) const {
    nvmlGpuP2PStatus_t status{};
    if (one == nullptr || other == nullptr ||
        session_->nvml().nvmlDeviceGetP2PStatus(one, other, NVML_P2P_CAPS_INDEX_NVLINK, &status) !=
            NVML_SUCCESS) {
      return PeerLink::kNotKnownYet;
    }
    return status < NVML_P2P_STATUS_UNKNOWN ? static_cast<PeerLink>(status) : PeerLink::kUnknown;
  }

  const std::shared_ptr<const Session> session_;
  const std::vector<nvmlDevice_t> devices_;
  base::Mutex mutex_;
  std::vector<std::vector<PeerLink>> links_ GUARDED_BY(mutex_);  // by device
};

PeerTable::PeerTable(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices)
    : shared_(std::make_shared<Shared>(std::move(session), std::move(devices))) {}

void PeerTable::start() {
  if (!shared_->worth_asking()) return;
  thread_.start("nvml-peers", "ask how GPUs reach each other",
                [shared = shared_](SideThread::Life& life) { shared->serve(life); });
}

void PeerTable::copy(std::size_t device, std::vector<PeerLink>& out) const {
  shared_->copy(device, out);
}

}  // namespace gpuscope::device::nvml

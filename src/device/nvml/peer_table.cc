#include "device/nvml/peer_table.h"

#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
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

  // The thread's life.
  void serve() {
    while (!stopping()) {
      for (std::size_t i = 0; i < devices_.size() && !stopping(); ++i) ask(i);
      base::MutexLock lock(mutex_);
      if (!stopping_) changed_.wait_for(lock, kPeriod);
    }
    const base::MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  // Waits for the thread's end, but not for a call that never ends: then false.
  bool stop() {
    constexpr std::chrono::seconds kPatience{1};
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    while (!ended_ && changed_.wait_for(lock, kPatience) == std::cv_status::no_timeout) {
    }
    return ended_;
  }

  void copy(std::size_t device, std::vector<PeerLink>& out) {
    const base::MutexLock lock(mutex_);
    out = links_[device];
  }

 private:
  void ask(std::size_t device) {
    std::vector<PeerLink> links(devices_.size(), PeerLink::kNotKnownYet);
    bool any = false;
    for (std::size_t other = 0; other < devices_.size(); ++other) {
      if (other == device || stopping()) continue;
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

  bool stopping() {
    const base::MutexLock lock(mutex_);
    return stopping_;
  }

  const std::shared_ptr<const Session> session_;
  const std::vector<nvmlDevice_t> devices_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::vector<PeerLink>> links_ GUARDED_BY(mutex_);  // by device
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
};

PeerTable::PeerTable(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices)
    : shared_(std::make_shared<Shared>(std::move(session), std::move(devices))) {}

PeerTable::~PeerTable() { stop(); }

void PeerTable::stop() {
  const base::MutexLock lock(mutex_);
  started_ = true;
  if (!thread_.joinable()) return;
  if (shared_->stop()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void PeerTable::start() {
  const base::MutexLock lock(mutex_);
  if (std::exchange(started_, true) || !shared_->worth_asking()) return;
  try {
    thread_ = std::thread([shared = shared_] { shared->serve(); });
  } catch (const std::system_error& error) {
    base::log(
        base::LogLevel::kWarning,
        std::string("cannot ask how GPUs reach each other: no thread for it: ") + error.what());
  }
}

void PeerTable::copy(std::size_t device, std::vector<PeerLink>& out) const {
  shared_->copy(device, out);
}

}  // namespace gpuscope::device::nvml

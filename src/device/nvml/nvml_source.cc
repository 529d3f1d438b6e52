#include "device/nvml/nvml_source.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "base/mutex.h"
#include "device/nvml/device.h"
#include "device/nvml/errors.h"
#include "device/nvml/event_watch.h"
#include "device/nvml/host_engine.h"
#include "device/nvml/library.h"
#include "device/nvml/peer_table.h"

namespace gpuscope::device::nvml {
namespace {

using base::ErrorKind;
using model::Absence;

using Devices = std::vector<std::shared_ptr<Device>>;

// What outlives the source for as long as some call into NVML has not come back.
class Opening {
 public:
  explicit Opening(std::size_t devices) : done_(devices, false), left_(devices) {}

  // Asks for everything to be opened again.
  void reopen() { reopen_.store(true, std::memory_order_relaxed); }
  bool wanted() const { return reopen_.load(std::memory_order_relaxed); }

  void finish(std::size_t device) {
    const base::MutexLock lock(mutex_);
    done_[device] = true;
    --left_;
    // Too late for open(), which has listed this GPU without its facts.
    if (closed_) reopen();
    changed_.notify_all();
  }

  // Waits until every device has finished or `deadline` has come; says which have.
  std::vector<bool> wait(const base::Clock& clock, base::SteadyTime deadline) {
    constexpr std::chrono::milliseconds kLookAtClock{20};
    base::MutexLock lock(mutex_);
    while (left_ > 0 && clock.steady_now() < deadline) changed_.wait_for(lock, kLookAtClock);
    closed_ = true;
    return done_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<bool> done_ GUARDED_BY(mutex_);
  std::size_t left_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::atomic<bool> reopen_{false};
};

// How many GPUs NVML sees.
base::Result<unsigned int> count_devices(const Session& session, const Options& options) {
  const Functions& nvml = session.nvml();
  auto* function =
      nvml.nvmlDeviceGetCount_v2 != nullptr ? nvml.nvmlDeviceGetCount_v2 : nvml.nvmlDeviceGetCount;
  unsigned int count = 0;
  const nvmlReturn_t code = function == nullptr ? NVML_ERROR_FUNCTION_NOT_FOUND : function(&count);
  if (code != NVML_SUCCESS) return std::unexpected(init_error(code, options.library));
  if (count == 0) {
    return base::fail(ErrorKind::kNotFound,
                      fmt::format("cannot find any NVIDIA GPU: the driver is loaded ({}) and lists "
                                  "none; see the kernel log for lines of NVRM",
                                  options.library));
  }
  return count;
}

// Identifies all devices at once, a thread for each, so that one that hangs is left behind.
std::vector<bool> identify(const Devices& devices, const std::shared_ptr<Opening>& opening,
                           const base::Clock& clock, const Options& options) {
  std::vector<std::thread> threads;
  threads.reserve(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    threads.emplace_back([device = devices[i], opening, i] {
      device->identify();
      opening->finish(i);
    });
  }
  std::vector<bool> done = opening->wait(clock, clock.steady_now() + options.open_deadline);
  for (std::size_t i = 0; i < threads.size(); ++i) {
    if (done[i]) {
      threads[i].join();
    } else {
      threads[i].detach();
    }
  }
  return done;
}

// DCGM may hold counters that are read here too.
void mention_host_engine(const std::string& root) {
  const std::optional<int> pid = find_host_engine(root);
  if (!pid) return;
  base::log(
      base::LogLevel::kInfo,
      fmt::format("a DCGM host engine runs here (nv-hostengine, pid {}) and may read the same "
                  "profiling counters; where activity metrics are missing or odd, set gpm to "
                  "off or stop it",
                  *pid));
}

class NvmlSource final : public model::Source {
 public:
  NvmlSource(const Options& options, const base::Clock& clock) : options_(options), clock_(clock) {}
  ~NvmlSource() override { set_opening({}); }
  NvmlSource(const NvmlSource&) = delete;
  NvmlSource& operator=(const NvmlSource&) = delete;

  base::Result<std::shared_ptr<const model::Inventory>> open() override;
  bool devices_may_block() const override { return true; }
  void read(std::size_t device, base::WallTime tick, model::DeviceSample& out) override;
  bool lost() const override {
    const base::MutexLock lock(mutex_);
    return shared_.opening != nullptr && shared_.opening->wanted();
  }

 private:
  struct Shared {
    std::shared_ptr<Opening> opening;
    std::shared_ptr<EventWatch> events;
    std::shared_ptr<PeerTable> peers;
  };
  Shared opening() const {
    const base::MutexLock lock(mutex_);
    return shared_;
  }
  void set_opening(Shared opening) {
    {
      const base::MutexLock lock(mutex_);
      std::swap(shared_, opening);
    }
    // Outside the lock: their threads take a while. A read that hangs may hold on to the objects.
    if (opening.events != nullptr) opening.events->stop();
    if (opening.peers != nullptr) opening.peers->stop();
  }

  const Options options_;
  const base::Clock& clock_;
  Devices devices_;  // changes only in open(), when no read() starts
  mutable base::Mutex mutex_;
  Shared shared_ GUARDED_BY(mutex_);
  std::atomic<std::size_t> reads_{0};  // since open()
};

base::Result<std::shared_ptr<const model::Inventory>> NvmlSource::open() {
  // The last holder of the old session shuts it down: here, or a stuck call when it comes back.
  devices_.clear();
  set_opening({});
  auto session = Session::open(options_);
  if (!session) return std::unexpected(session.error());
  const auto count = count_devices(**session, options_);
  if (!count) return std::unexpected(count.error());

  Devices found;
  for (unsigned int i = 0; i < *count; ++i) {
    found.push_back(std::make_shared<Device>(*session, i, options_));
  }
  auto opening = std::make_shared<Opening>(found.size());
  const std::vector<bool> done = identify(found, opening, clock_, options_);

  auto inventory = std::make_shared<model::Inventory>();
  std::vector<EventWatch::Watched> watched;
  std::vector<nvmlDevice_t> handles;
  bool gpm = false;
  inventory->method = "nvml";
  inventory->simulated = (*session)->simulated();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!done[i]) {
      inventory->gpus.emplace_back().facts.fill(model::Text::none(Absence::kTimedOut));
    } else if (found[i]->handle_code() == NVML_ERROR_NO_PERMISSION) {
      continue;  // another container's
    } else {
      inventory->gpus.push_back(found[i]->info());
    }
    const bool usable = done[i] && found[i]->handle_code() == NVML_SUCCESS;
    watched.push_back(usable ? EventWatch::Watched{found[i]->handle(), !found[i]->times_clocks()}
                             : EventWatch::Watched{});
    handles.push_back(watched.back().device);
    gpm |= usable && found[i]->gives_gpm();
    devices_.push_back(std::move(found[i]));
  }
  if (devices_.empty()) {
    return base::fail(ErrorKind::kPermissionDenied,
                      "cannot use any NVIDIA GPU: no permission for those that are there; allow "
                      "this user, or this container, to use /dev/nvidia*");
  }
  if (gpm) mention_host_engine(options_.root);
  reads_ = 0;
  set_opening({std::move(opening), std::make_shared<EventWatch>(*session, std::move(watched)),
               std::make_shared<PeerTable>(*session, std::move(handles))});
  return inventory;
}

void NvmlSource::read(std::size_t index, base::WallTime tick, model::DeviceSample& out) {
  // Copies: this call may never come back, and then the source goes without it.
  const std::shared_ptr<Device> device = devices_[index];
  const auto [opening, events, peers] = this->opening();
  // Who reads once, to print it, needs no threads beside.
  if (reads_.fetch_add(1, std::memory_order_relaxed) == devices_.size()) {
    events->start();
    peers->start();
  }
  if (!device->ready()) {
    out.mark_absent(Absence::kTimedOut, true);
    out.events.clear();
    return;
  }
  if (device->read(tick, out) == Device::Outcome::kReopen) opening->reopen();
  events->take(index, tick, out.events);
  if (out.at(model::Metric::kTemperature).absence != Absence::kGone) peers->copy(index, out.peers);
}

}  // namespace

std::unique_ptr<model::Source> make_nvml_source(const Options& options, const base::Clock& clock) {
  return std::make_unique<NvmlSource>(options, clock);
}

}  // namespace gpuscope::device::nvml

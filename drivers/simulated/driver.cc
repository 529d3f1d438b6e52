#include "driver.h"

#include <fmt/format.h>

#include <cstdint>
#include <thread>
#include <utility>

#include "latency.h"

namespace gpuscope::simulated {
namespace {

// Handles are numbers that look like addresses and are none: kBase + kStride × (index + 1) + MIG.
constexpr std::uintptr_t kBase = 0x5347'0000'0000;
constexpr std::uintptr_t kStride = 16;

// How often a call that is kept waiting looks whether it may go on.
constexpr Milliseconds kWaitStep{2};

}  // namespace

nvmlDevice_t make_handle(const Handle& handle) {
  const std::uintptr_t mig = handle.mig ? *handle.mig + 1 : 0;
  return reinterpret_cast<nvmlDevice_t>(kBase + kStride * (handle.gpu + 1) + mig);  // NOLINT
}

std::optional<Handle> read_handle(nvmlDevice_t device) {
  const auto value = reinterpret_cast<std::uintptr_t>(device);
  if (value < kBase + kStride) return std::nullopt;
  const std::uintptr_t mig = (value - kBase) % kStride;
  Handle handle{.gpu = (value - kBase) / kStride - 1, .mig = std::nullopt};
  if (mig != 0) handle.mig = mig - 1;
  return handle;
}

Driver& Driver::instance() {
  static auto* const driver = new Driver;
  return *driver;
}

base::Result<std::shared_ptr<Session>> Driver::prepare() {
  if (session_ != nullptr) return session_;
  base::Result<Settings> settings = Settings::from_environment();
  if (!settings) return std::unexpected(std::move(settings.error()));
  // A driver that refuses at first and is asked again is still the same one: its times go on.
  if (faults_ == nullptr || faults_->rules() != settings->faults ||
      faults_->file() != settings->faults_file) {
    base::Result<std::unique_ptr<Faults>> faults =
        Faults::start(settings->faults, settings->faults_file);
    if (!faults) return std::unexpected(std::move(faults.error()));
    faults_ = std::move(*faults);
  }
  if (!settings->calls_file.empty()) {
    if (base::Result<void> mapped = calls_.map(settings->calls_file); !mapped) {
      return std::unexpected(std::move(mapped.error()));
    }
  }
  return std::make_shared<Session>(*settings, faults_);
}

nvmlReturn_t Driver::init(const char* function) {
  base::Result<std::shared_ptr<Session>> session;
  {
    const base::MutexLock lock(mutex_);
    session = prepare();
  }
  if (!session) {
    fmt::print(stderr, "gpuscope simulated driver: {}\n", session.error().message);
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  // Unlocked: an nvmlInit that hangs holds up nobody else.
  const nvmlReturn_t code =
      suffer_faults(**session, {.function = function, .gpu = {}, .init = true});
  if (code != NVML_SUCCESS) return code;
  const base::MutexLock lock(mutex_);
  if (session_ == nullptr) session_ = std::move(*session);
  ++users_;
  return NVML_SUCCESS;
}

nvmlReturn_t Driver::shutdown() {
  const base::MutexLock lock(mutex_);
  if (users_ == 0) return NVML_ERROR_UNINITIALIZED;
  if (--users_ == 0) {
    session_->closed.store(true, std::memory_order_relaxed);
    session_.reset();
  }
  return NVML_SUCCESS;
}

std::shared_ptr<Session> Driver::session() {
  const base::MutexLock lock(mutex_);
  return session_;
}

nvmlReturn_t suffer_faults(Session& session, const CallSite& call) {
  Outcome outcome = session.faults->at(call);
  spend(outcome.delay);
  const bool waited = outcome.blocked;
  while (outcome.blocked && !session.closed.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(kWaitStep);
    outcome = session.faults->at(call);
  }
  // What a call that was stuck comes back with is what holds when it does.
  if (waited && session.closed.load(std::memory_order_relaxed)) return NVML_ERROR_UNINITIALIZED;
  return outcome.error;
}

Entry::Entry(const char* function)
    : function_(function),
      row_(Driver::instance().calls().row(function)),
      latency_(published_latency(function)) {}

std::shared_ptr<Session> Entry::enter() const {
  Driver& driver = Driver::instance();
  driver.calls().count(row_);
  return driver.session();
}

nvmlReturn_t Entry::suffer(Session& session, std::optional<std::size_t> gpu) const {
  if (session.published_latency) spend(latency_);
  const nvmlReturn_t code =
      suffer_faults(session, {.function = function_, .gpu = gpu, .init = false});
  if (code != NVML_SUCCESS) return code;
  return gpu && session.gpus[*gpu]->lost() ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
}

nvmlReturn_t Entry::init() const {
  Driver& driver = Driver::instance();
  driver.calls().count(row_);
  const nvmlReturn_t code = driver.init(function_);
  if (code != NVML_SUCCESS) return code;
  const std::shared_ptr<Session> session = driver.session();
  if (session != nullptr && session->published_latency) spend(latency_);
  return NVML_SUCCESS;
}

nvmlReturn_t Entry::shutdown() const {
  Driver& driver = Driver::instance();
  driver.calls().count(row_);
  return driver.shutdown();
}

}  // namespace gpuscope::simulated

// The driver as a whole, and the way in that every NVML function takes.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>

#include "base/mutex.h"
#include "call_table.h"
#include "device/nvml/abi.h"
#include "session.h"

namespace gpuscope::simulated {

// What a handle stands for: a GPU, or one MIG instance of it.
struct Handle {
  std::size_t gpu = 0;
  std::optional<std::size_t> mig;
};
nvmlDevice_t make_handle(const Handle& handle);
// Empty for what make_handle() never gave. Nothing is dereferenced.
std::optional<Handle> read_handle(nvmlDevice_t device);

// Counts initialisations. Thread-safe; lives as long as the process, since a thread may still be
// inside a call when the program ends.
class Driver {
 public:
  static Driver& instance();

  // The first one reads the environment and builds the machine; says what is wrong on stderr.
  // `function` is which of the nvmlInit family was called.
  nvmlReturn_t init(const char* function) EXCLUDES(mutex_);
  nvmlReturn_t shutdown() EXCLUDES(mutex_);
  // Null outside nvmlInit … nvmlShutdown. Calls under way keep theirs.
  std::shared_ptr<Session> session() EXCLUDES(mutex_);
  CallTable& calls() { return calls_; }

 private:
  Driver() = default;
  // The session there is, or a new one.
  base::Result<std::shared_ptr<Session>> prepare() REQUIRES(mutex_);

  base::Mutex mutex_;
  int users_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Session> session_ GUARDED_BY(mutex_);
  std::shared_ptr<Faults> faults_ GUARDED_BY(mutex_);  // outlives sessions of the same settings
  CallTable calls_;
};

// One NVML function's way in: `static const Entry entry{__func__};`. Checks, in the order of the
// real library: initialised, handle valid, then faults, then a GPU that is lost; counts the call
// and takes as long as it is told to. Thread-safe.
class Entry {
 public:
  explicit Entry(const char* function);

  // A function that is about no GPU. `body(session)` gives its result.
  template <typename Body>
  nvmlReturn_t system(Body body) const {
    const std::shared_ptr<Session> session = enter();
    if (session == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (const nvmlReturn_t code = suffer(*session, std::nullopt); code != NVML_SUCCESS) return code;
    return guarded([&] { return body(*session); });
  }

  // A function of a GPU. `body(gpu)` gives its result. MIG handles are refused.
  template <typename Body>
  nvmlReturn_t device(nvmlDevice_t device, Body body) const {
    return any_device(device, [&](Session&, Gpu& gpu, const std::optional<std::size_t>& mig) {
      return mig ? NVML_ERROR_INVALID_ARGUMENT : body(gpu);
    });
  }

  // A function of a GPU or a MIG instance: `body(session, gpu, mig)`.
  template <typename Body>
  nvmlReturn_t any_device(nvmlDevice_t device, Body body) const {
    const std::shared_ptr<Session> session = enter();
    if (session == nullptr) return NVML_ERROR_UNINITIALIZED;
    const std::optional<Handle> handle = read_handle(device);
    if (!handle || handle->gpu >= session->gpus.size()) return NVML_ERROR_INVALID_ARGUMENT;
    if (const nvmlReturn_t code = suffer(*session, handle->gpu); code != NVML_SUCCESS) return code;
    return guarded([&] { return body(*session, *session->gpus[handle->gpu], handle->mig); });
  }

  // A search for a GPU: `find(session)` gives its index, if there is one, else the answer is
  // `missing`.
  template <typename Find>
  nvmlReturn_t search(nvmlDevice_t* device, nvmlReturn_t missing, Find find) const {
    const std::shared_ptr<Session> session = enter();
    if (session == nullptr) return NVML_ERROR_UNINITIALIZED;
    if (device == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const std::optional<std::size_t> gpu = find(*session);
    if (const nvmlReturn_t code = suffer(*session, gpu); code != NVML_SUCCESS) return code;
    if (!gpu) return missing;
    *device = make_handle({.gpu = *gpu, .mig = std::nullopt});
    return NVML_SUCCESS;
  }

  // A function that no simulated GPU has.
  nvmlReturn_t unsupported() const {
    return system([](Session&) { return NVML_ERROR_NOT_SUPPORTED; });
  }

  // nvmlInit and its kin, and nvmlShutdown.
  nvmlReturn_t init() const;
  nvmlReturn_t shutdown() const;

 private:
  std::shared_ptr<Session> enter() const;
  nvmlReturn_t suffer(Session& session, std::optional<std::size_t> gpu) const;

  template <typename Body>
  static nvmlReturn_t guarded(Body body) {
    try {
      return body();
    } catch (const std::bad_alloc&) {
      return NVML_ERROR_MEMORY;
    }
  }

  const char* function_;
  std::size_t row_;
  std::chrono::nanoseconds latency_;
};

// What the driver's own faults make of a call or a field: waits, and gives the error if there is
// one.
nvmlReturn_t suffer_faults(Session& session, const CallSite& call);

}  // namespace gpuscope::simulated

// What the tests of the source over the fake library share.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "device/nvml/fake/fake_nvml.h"
#include "device/nvml/nvml_source.h"

namespace gpuscope::device::nvml {

inline constexpr base::WallTime kStart{std::chrono::seconds{1'780'000'000}};

inline FakeNvml& renew(const char* library) {
  void* handle = dlopen(library, RTLD_NOW);
  EXPECT_NE(handle, nullptr) << dlerror();
  return *reinterpret_cast<FakeNvmlFunction>(dlsym(handle, kFakeNvmlFunction))(true);
}

// What whoever collects counts and works out.
inline bool collected(const model::MetricInfo& row) {
  return row.json_path == "xid" || row.json_path == "busy" ||
         row.id == model::Metric::kNvlinkTxRate || row.id == model::Metric::kNvlinkRxRate;
}

inline nvmlProcessInfo_t process(unsigned int pid, unsigned long long memory) {
  nvmlProcessInfo_t info{};
  info.pid = pid;
  info.usedGpuMemory = memory;
  return info;
}

// A machine whose kernel driver is there, and the fake library.
class NvmlSourceTest : public ::testing::Test {
 protected:
  explicit NvmlSourceTest(const char* library = FAKE_NVML) : fake_(renew(library)) {
    std::filesystem::create_directories(root_ / "proc/driver/nvidia");
    std::ofstream(root_ / "proc/driver/nvidia/version") << "NVRM version: fake\n";
    options_.library = library;
    options_.root = root_.string();
  }
  ~NvmlSourceTest() override { source_.reset(); }

  base::Result<std::shared_ptr<const model::Inventory>> open() {
    if (source_ == nullptr) source_ = make_nvml_source(options_, clock_);
    return source_->open();
  }

  // One tick of the first device.
  const model::DeviceSample& tick(std::chrono::microseconds apart = std::chrono::seconds{1}) {
    time_ += apart;
    source_->read(0, time_, sample_);
    return sample_;
  }

  // How many calls a tick waited for: what threads beside it ask for is not among them.
  int calls_of_tick(std::chrono::microseconds apart = std::chrono::seconds{1}) {
    const int before = fake_.count_mine();
    tick(apart);
    return fake_.count_mine() - before;
  }

  FakeNvml& fake_;
  base::FakeClock clock_;
  Options options_;
  const base::TemporaryFolder folder_;
  const std::filesystem::path root_ = folder_.path();
  std::unique_ptr<model::Source> source_;
  base::WallTime time_ = kStart;
  model::DeviceSample sample_;
  // For answers that change: the source's threads ask until it is destroyed, after a test's own
  // variables.
  std::atomic<bool> lost_{false};
  std::atomic<int> code_{NVML_SUCCESS};
};

}  // namespace gpuscope::device::nvml

// The built library, loaded as any NVML program loads it. The environment is read anew at the first
// nvmlInit after the last nvmlShutdown, so that each test has its own.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "device/nvml/abi.h"

namespace gpuscope::simulated {

inline void* library() {
  static void* const loaded = dlopen(SIMULATED_DRIVER, RTLD_NOW | RTLD_LOCAL);
  return loaded;
}

// The exported function of the same name as the declared one.
template <typename Function>
Function* find(const char* name, Function* /*declared*/) {
  return reinterpret_cast<Function*>(dlsym(library(), name));
}
#define NVML(function) (*find<decltype(function)>(#function, nullptr))

class DriverTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(library(), nullptr) << dlerror();
    set("GPUSCOPE_SIM_TIME", "2026-11-22T10:00:00Z");
  }
  void TearDown() override {
    if (library() == nullptr) return;
    while (NVML(nvmlShutdown)() == NVML_SUCCESS) {
    }
    for (const std::string& name : set_) unsetenv(name.c_str());
    for (const std::string& path : files_) std::filesystem::remove(path);
  }

  void set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  static void unset(const std::string& name) { unsetenv(name.c_str()); }
  std::string temporary_file(const std::string& name) {
    files_.push_back(testing::TempDir() + "gpuscope-" + std::to_string(getpid()) + "-" + name);
    return files_.back();
  }
  void init() { ASSERT_EQ(NVML(nvmlInit_v2)(), NVML_SUCCESS); }
  nvmlDevice_t device(unsigned int index) {
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(NVML(nvmlDeviceGetHandleByIndex_v2)(index, &device), NVML_SUCCESS);
    return device;
  }
  nvmlReturn_t power(nvmlDevice_t device) {
    unsigned int milliwatts = 0;
    return NVML(nvmlDeviceGetPowerUsage)(device, &milliwatts);
  }

 private:
  std::vector<std::string> set_;
  std::vector<std::string> files_;
};

}  // namespace gpuscope::simulated

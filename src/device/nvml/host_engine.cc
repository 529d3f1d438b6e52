#include "device/nvml/host_engine.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace gpuscope::device::nvml {

std::optional<int> find_host_engine(const std::string& root) {
  std::error_code error;
  std::filesystem::directory_iterator at(std::filesystem::path(root) / "proc", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    int pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc{} || end != name.data() + name.size()) continue;
    std::ifstream file(at->path() / "comm");
    std::string command;
    if (std::getline(file, command) && command == "nv-hostengine") return pid;
  }
  return std::nullopt;
}

}  // namespace gpuscope::device::nvml

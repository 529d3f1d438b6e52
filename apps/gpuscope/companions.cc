#include "companions.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

namespace gpuscope::app {
namespace {

namespace fs = std::filesystem;

struct Companion {
  std::string_view what;
  std::string_view path;  // below the folder of such things
  std::string_view use;   // {} is the path, or its folder
  bool folder = false;
};

constexpr std::array kCompanions{
    Companion{"a driver without a GPU", "simulated/libnvidia-ml.so.1",
              "LD_LIBRARY_PATH={} ANY_NVML_PROGRAM", true},
    Companion{"its nvidia-smi and dcgmi", "simulated-tools/nvidia-smi",
              "PATH={}:$PATH gpuscope query --bash --all", true},
    Companion{"SQL on every tick", "gpuscope_history.so", "sqlite3, then: .load {}"},
};

// Where they may stand, from the program's own folder: installed, portable, built (there the driver
// has no folder of its own).
constexpr std::array<std::string_view, 3> kFolders{"../" GPUSCOPE_LIBDIR "/gpuscope",
                                                   "../lib/gpuscope", "../lib"};

std::optional<fs::path> find_companion(const fs::path& program, const Companion& companion) {
  const fs::path relative(companion.path);
  for (const std::string_view folder : kFolders) {
    for (const fs::path& below : {relative, relative.filename()}) {
      std::error_code error;
      fs::path path = (program.parent_path() / folder / below).lexically_normal();
      if (fs::exists(path, error)) return path;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string companions_help() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  std::string text;
  for (const Companion& companion : kCompanions) {
    const auto path = error ? std::nullopt : find_companion(program, companion);
    if (!path) continue;
    const std::string shown = companion.folder ? path->parent_path().string() : path->string();
    text += text.empty() ? "Beside it:\n" : "";
    text += fmt::format("  {:<26}  {}\n", companion.what,
                        fmt::format(fmt::runtime(companion.use), shown));
  }
  return text;
}

}  // namespace gpuscope::app

// A recording's file, however it was cut or damaged: reading it ends, and takes no more than the
// format's limits allow.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "device/replay/recording_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gpuscope::device::replay::RecordingReader;
  static const int file = memfd_create("recording", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (file < 0 || ftruncate(file, 0) != 0 ||
      pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const auto reader = RecordingReader::open(path);
  if (!reader) return 0;
  for (int ticks = 0; ticks < 1000 && (*reader)->next(); ++ticks) {
  }
  return 0;
}

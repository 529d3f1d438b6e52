// A chunk, however damaged: reading it ends, and takes no more than the format's limits allow. With
// its checksums mended, what is behind them has to stand the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "history/checksum.h"
#include "history/chunk.h"
#include "history/times.h"

namespace {

using namespace gpuscope;
using namespace gpuscope::history;

constexpr std::size_t kLookedAt = 64;  // columns
constexpr std::size_t kTicks = 20'000;

void decode_all(const std::string& chunk, bool mend) {
  const auto directory = parse_directory(chunk);
  if (!directory || directory->ticks > kTicks) return;
  const Fetch fetch = [&](std::size_t offset,
                          std::size_t length) -> base::Result<std::string_view> {
    if (offset > chunk.size() || length > chunk.size() - offset) {
      return base::fail(base::ErrorKind::kInvalidArgument, "cannot read so far");
    }
    return std::string_view(chunk).substr(offset, length);
  };
  std::size_t looked_at = 0;
  Directory mended = *directory;
  ColumnData column;
  for (ColumnEntry& entry : mended.entries) {
    if (++looked_at > kLookedAt) break;
    const auto bytes = fetch(entry.offset, entry.runs_bytes + entry.value_bytes);
    if (mend && bytes) entry.checksum = checksum(*bytes);
    if (!decode_column(mended, entry, fetch, column)) continue;
    std::size_t ticks = 0;
    std::size_t present = 0;
    for (const Run& run : column.runs) {
      ticks += run.ticks;
      if (run.absence == model::Absence::kPresent) present += run.ticks;
    }
    if (ticks != mended.ticks || present != column.values.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string chunk(reinterpret_cast<const char*>(data), size);
  decode_all(chunk, false);
  std::vector<std::int64_t> times;
  decode_times(chunk, kTicks / 10, times);
  const auto place = checksum_place(chunk);
  const auto length = directory_bytes(chunk);
  if (!place || !length || *length > chunk.size()) return 0;
  const std::string_view all(chunk);
  std::string seal;
  put_checksum(seal,
               checksum(all.substr(*place + kChecksumBytes, *length - *place - kChecksumBytes),
                        checksum(all.substr(0, *place))));
  chunk.replace(*place, kChecksumBytes, seal);
  decode_all(chunk, true);
  return 0;
}

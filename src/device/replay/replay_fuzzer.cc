// The records of a recording, as a frame holds them: whatever they are, reading them ends, within
// the format's limits; and what was read is written and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "device/replay/decoder.h"
#include "device/replay/encoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  using device::replay::Decoder;
  Decoder decoder;
  Decoder again;
  device::replay::Encoder encoder;
  decoder.feed({reinterpret_cast<const char*>(data), size});
  model::Snapshot snapshot;
  std::string records;
  while (decoder.next() == Decoder::Step::kTick) {
    snapshot.time = decoder.tick().time;
    snapshot.sequence = decoder.tick().sequence;
    snapshot.inventory = decoder.tick().inventory;
    snapshot.devices = decoder.tick().devices;
    if (snapshot.devices.size() > 64) return 0;  // allowed, and slow
    records.clear();
    if (!encoder.append(snapshot, records)) std::abort();
    again.feed(records);
    if (again.next() != Decoder::Step::kTick) std::abort();
    if (again.tick().time != snapshot.time || again.tick().sequence != snapshot.sequence ||
        !device::replay::same_inventory(*again.tick().inventory, *snapshot.inventory)) {
      std::abort();
    }
    for (std::size_t i = 0; i < snapshot.devices.size(); ++i) {
      const auto& one = snapshot.devices[i];
      const auto& two = again.tick().devices[i];
      if (one.gpu != two.gpu || one.fans != two.fans || one.links != two.links ||
          one.events != two.events || one.processes.size() != two.processes.size() ||
          one.mig_instances.size() != two.mig_instances.size()) {
        std::abort();
      }
    }
    if (again.next() != Decoder::Step::kEnd) std::abort();
  }
  return 0;
}

// The head of a tail and a row of it, however damaged: a varint length of the head, the head, and
// the rest as ticks. Reading them ends, and takes no more than the format's limits allow.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "history/checksum.h"
#include "history/tail.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope::history;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  gpuscope::base::ByteReader in(all);
  const std::string_view first = in.text(size);
  const std::string_view rest = all.substr(all.size() - in.left());
  BlockHead head;
  if (!decode_head(first, head)) {
    // The same with its checksum mended.
    std::string mended(first.substr(0, first.size() - std::min(first.size(), kChecksumBytes)));
    put_checksum(mended, checksum(mended));
    if (!decode_head(mended, head)) return 0;
    BlockHead again;
    if (!decode_head(encode_head(head), again) || again.gpus != head.gpus) std::abort();
  }
  TailDecoder decoder(head);
  decoder.feed_ticks(rest);
  for (int ticks = 0; ticks < 1000 && decoder.next(); ++ticks) {
    for (const Machine::Gpu& gpu : decoder.machine().gpus) {
      std::size_t columns = 0;
      for (const PartKey& part : gpu.parts) columns += head.layout.of(part.entity).size();
      if (columns != gpu.readings.size()) std::abort();
    }
  }
  TailDecoder whole(head);
  whole.feed(rest);
  while (whole.next()) {
  }
  return 0;
}

#include "device/replay/recording_reader.h"

#include <fmt/format.h>

#include <utility>

namespace gpuscope::device::replay {

base::Result<std::unique_ptr<RecordingReader>> RecordingReader::open(const std::string& path) {
  auto frames = FrameReader::open(path);
  if (!frames) return std::unexpected(std::move(frames.error()));
  std::unique_ptr<RecordingReader> reader(new RecordingReader(std::move(*frames)));
  if (!reader->next()) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot use the recording {}: there is no whole tick in it{}",
                                  path, reader->is_damaged() ? "; it is damaged or cut off" : ""));
  }
  return reader;
}

bool RecordingReader::next() {
  while (!broken_) {
    switch (decoder_.next()) {
      case Decoder::Step::kTick:
        return true;
      case Decoder::Step::kBroken:
        broken_ = true;
        return false;
      case Decoder::Step::kEnd:
        break;
    }
    const std::string_view records = frames_.next();
    if (records.empty()) return false;
    decoder_.feed(records);
  }
  return false;
}

}  // namespace gpuscope::device::replay

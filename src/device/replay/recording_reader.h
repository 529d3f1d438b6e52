// A recording, tick by tick.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "device/replay/decoder.h"
#include "device/replay/recording_file.h"

namespace gpuscope::device::replay {

// Not thread-safe. Reads the file as it goes: what is written to it meanwhile is seen.
class RecordingReader {
 public:
  // kInvalidArgument for what is no recording, a newer one, or one without a single whole tick. The
  // first tick is read then.
  static base::Result<std::unique_ptr<RecordingReader>> open(const std::string& path);

  const RecordedTick& tick() const { return decoder_.tick(); }
  // To the next tick. False at the end, with tick() as it was unless is_damaged().
  bool next();
  // Something stands in the file that cannot be read, be it half a frame at its end: the recording
  // ends in front of it.
  bool is_damaged() const { return broken_ || frames_.is_cut_off(); }

 private:
  explicit RecordingReader(FrameReader frames) : frames_(std::move(frames)) {}

  FrameReader frames_;
  Decoder decoder_;
  bool broken_ = false;
};

}  // namespace gpuscope::device::replay

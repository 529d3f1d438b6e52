// What was sent, in a small file of its own: docs/remote-write.md, "Where it stands".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "model/tick_reader.h"

namespace gpuscope::prom {

struct SendPosition {
  model::TickPosition sent;  // all ticks before it were sent, or given up
  // The newest tick that was sent: nothing older is sent after it.
  std::optional<base::WallTime> newest;
  // The ticks up to here are, or were, on their way in one batch: sent again, it must be the same
  // one, since a server takes all of it as known then.
  std::optional<model::TickPosition> sending;
  friend bool operator==(const SendPosition&, const SendPosition&) = default;
};

std::string encode_position(const SendPosition& position);
// None for what encode_position() did not write.
std::optional<SendPosition> parse_position(std::string_view text);

// One thread uses it.
class PositionFile {
 public:
  // Makes the file where there is none.
  static base::Result<PositionFile> open(const std::string& path);
  PositionFile(PositionFile&& other) noexcept;
  PositionFile& operator=(PositionFile&&) = delete;
  ~PositionFile();

  // None: nothing was ever written. kInvalidArgument: it is damaged.
  base::Result<std::optional<SendPosition>> read() const;
  // In place, in one sector. With `durable` it outlives a power cut, else a crash of the process.
  base::Result<void> write(const SendPosition& position, bool durable);

 private:
  PositionFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::unexpected<base::Error> failure(std::string_view doing) const;

  std::string path_;
  int file_;
};

}  // namespace gpuscope::prom

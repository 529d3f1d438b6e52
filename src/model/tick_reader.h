// The port through which everything that was kept is read again, tick by tick, in the order in
// which it was kept: what the history's file offers to whoever sends it elsewhere.
#pragma once

#include <compare>
#include <cstdint>

#include "base/result.h"
#include "model/snapshot.h"

namespace gpuscope::model {

// Behind so many ticks of a block; blocks are numbered, rising. Everything kept before is behind
// it.
struct TickPosition {
  std::uint64_t block = 0;
  std::uint64_t tick = 0;
  friend auto operator<=>(const TickPosition&, const TickPosition&) = default;
};

// Not thread-safe. Errors are kUnavailable when what holds the ticks does not answer, and
// kInvalidArgument when it is damaged or of somebody else; the reader may be asked again.
class TickReader {
 public:
  virtual ~TickReader() = default;

  // Behind the last tick that is durable.
  virtual base::Result<TickPosition> end() = 0;
  // Goes on from there. Where nothing is kept of `position` any more, with what was kept next.
  virtual void seek(TickPosition position) = 0;
  // The next durable tick, or null: there is none yet. Valid until the next call of a method. The
  // inventory is the same object as long as nothing in it changes. A snapshot has what is kept and
  // no more: no processes, no trends, no findings, no events, and of a verdict `overall` alone.
  // What is damaged is passed over, as an error, once.
  virtual base::Result<const Snapshot*> next() = 0;
  // Behind the last tick that next() gave, or where seek() went.
  virtual TickPosition position() const = 0;
  // Ticks that are durable and were not read yet.
  virtual base::Result<std::uint64_t> left() = 0;
  // Ticks that were known to left(), or should have come next, and were removed before they were
  // read, since the reader was made.
  virtual std::uint64_t lost() const = 0;
};

}  // namespace gpuscope::model

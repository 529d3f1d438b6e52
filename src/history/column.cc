#include "history/column.h"

#include <algorithm>

namespace gpuscope::history {

void OpenColumn::begin_moving(std::int64_t value) {
  moving_ = std::make_unique<BlockEncoder>();
  for (std::uint32_t i = 0; i < present_; ++i) moving_->append(first_);
  moving_->append(value);
}

void OpenColumn::decode(ColumnData& out, std::size_t first_tick) const {
  out.runs = earlier_;
  if (run_.ticks > 0) out.runs.push_back(run_);
  out.values.clear();
  if (moving_) {
    std::size_t tick = 0;
    std::size_t from = 0;  // values before that tick
    for (const Run& run : out.runs) {
      if (tick >= first_tick) break;
      const std::size_t before = std::min<std::size_t>(run.ticks, first_tick - tick);
      if (run.absence == model::Absence::kPresent) from += before;
      tick += run.ticks;
    }
    moving_->decode(out.values, from);
  } else {
    out.values.assign(present_, first_);
  }
}

std::size_t OpenColumn::memory() const {
  return sizeof *this + earlier_.capacity() * sizeof(Run) + (moving_ ? moving_->memory() : 0);
}

}  // namespace gpuscope::history

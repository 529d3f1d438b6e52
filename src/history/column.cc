#include "history/column.h"

namespace gpuscope::history {

void OpenColumn::begin_moving(std::int64_t value) {
  moving_ = std::make_unique<BlockEncoder>();
  for (std::uint32_t i = 0; i < present_; ++i) moving_->append(first_);
  moving_->append(value);
}

void OpenColumn::decode(ColumnData& out) const {
  out.runs = earlier_;
  if (run_.ticks > 0) out.runs.push_back(run_);
  out.values.clear();
  if (moving_) {
    moving_->decode(out.values);
  } else {
    out.values.assign(present_, first_);
  }
}

std::size_t OpenColumn::memory() const {
  return sizeof *this + earlier_.capacity() * sizeof(Run) + (moving_ ? moving_->memory() : 0);
}

}  // namespace gpuscope::history

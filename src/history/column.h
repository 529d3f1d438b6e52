// One metric of one device over the ticks of a block: numbers, and the reasons where there are
// none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "history/values_codec.h"
#include "model/reading.h"

namespace gpuscope::history {

// So many ticks in a row have a value (kPresent), or none for one reason.
struct Run {
  std::uint32_t ticks = 0;
  model::Absence absence = model::Absence::kNotYet;
  friend bool operator==(const Run&, const Run&) = default;
};

// A column as one can work with it. The runs' lengths add up to the ticks; `values` are those of
// the present ticks alone.
struct ColumnData {
  std::vector<Run> runs;
  std::vector<std::int64_t> values;

  void clear() {
    runs.clear();
    values.clear();
  }
  // Calls visit(tick, values) for each run of present ones, in order: the first is of that tick.
  template <typename Visit>
  void for_each_run(Visit visit) const {
    std::size_t tick = 0;
    std::size_t next = 0;
    for (const Run& run : runs) {
      if (run.absence == model::Absence::kPresent) {
        visit(tick, std::span(values).subspan(next, run.ticks));
        next += run.ticks;
      }
      tick += run.ticks;
    }
  }
  // Calls visit(tick, reading) for these ticks, which are in order.
  template <typename Visit>
  void for_each_of(std::span<const std::uint32_t> ticks, Visit visit) const {
    auto run = runs.begin();
    std::size_t begin = 0;   // of the run
    std::size_t before = 0;  // values before it
    for (const std::uint32_t tick : ticks) {
      for (; run != runs.end() && tick >= begin + run->ticks; ++run) {
        begin += run->ticks;
        if (run->absence == model::Absence::kPresent) before += run->ticks;
      }
      if (run == runs.end()) return;
      visit(tick, run->absence == model::Absence::kPresent
                      ? model::Reading::of(values[before + tick - begin])
                      : model::Reading::none(run->absence));
    }
  }
  // Calls visit(tick, reading) for every tick.
  template <typename Visit>
  void for_each(Visit visit) const {
    std::size_t tick = 0;
    std::size_t next = 0;
    for (const Run& run : runs) {
      for (std::uint32_t i = 0; i < run.ticks; ++i) {
        visit(tick++, run.absence == model::Absence::kPresent ? model::Reading::of(values[next++])
                                                              : model::Reading::none(run.absence));
      }
    }
  }
};

// A column that still grows: a few bytes while nothing changes, about a byte a tick when it does.
class OpenColumn {
 public:
  void append(const model::Reading& reading) {
    if (reading.absence != run_.absence || run_.ticks == 0) begin_run(reading.absence);
    ++run_.ticks;
    if (reading.present()) append_value(reading.value);
  }
  // So many ticks of one reason.
  void append_absent(model::Absence why, std::uint32_t ticks) {
    if (ticks == 0) return;
    if (why != run_.absence || run_.ticks == 0) begin_run(why);
    run_.ticks += ticks;
  }
  bool has_values() const { return present_ > 0; }
  // The values of ticks before `first_tick` may be any.
  void decode(ColumnData& out, std::size_t first_tick = 0) const;
  std::size_t memory() const;

 private:
  void begin_run(model::Absence absence) {
    if (run_.ticks > 0) earlier_.push_back(run_);
    run_ = {0, absence};
  }
  void append_value(std::int64_t value) {
    if (moving_) {
      moving_->append(value);
    } else if (present_ == 0) {
      first_ = value;
    } else if (value != first_) {
      begin_moving(value);
    }
    ++present_;
  }
  void begin_moving(std::int64_t value);

  Run run_;
  std::uint32_t present_ = 0;
  std::int64_t first_ = 0;  // and all others, unless moving_
  std::vector<Run> earlier_;
  std::unique_ptr<BlockEncoder> moving_;
};

}  // namespace gpuscope::history

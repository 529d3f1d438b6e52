#include "device/smi/board.h"

#include <utility>

#include "model/trend.h"

namespace gpuscope::device::smi {

using base::MutexLock;
using model::Absence;
using model::Metric;
using model::Reading;

namespace {

// Bit N is set where kClockEventIdle + N is; nothing while one of them is not known.
std::optional<std::uint64_t> clock_events_of(const model::DeviceSample& sample) {
  std::uint64_t bits = 0;
  bool known = false;
  for (std::size_t i = 0; i < model::kClockEventCount; ++i) {
    const auto metric = static_cast<Metric>(static_cast<std::size_t>(Metric::kClockEventIdle) + i);
    const Reading& reading = sample.at(metric);
    if (!reading.present() && reading.absence != Absence::kUnsupported) return std::nullopt;
    known = known || reading.present();
    if (reading.present() && reading.value != 0) bits |= std::uint64_t{1} << i;
  }
  if (!known) return std::nullopt;
  return bits;
}

}  // namespace

Board::Board(const base::Clock& clock, std::size_t gpus, std::span<const model::Metric> row_metrics,
             Age row_limit)
    : clock_(clock), row_metrics_(row_metrics.begin(), row_metrics.end()), row_limit_(row_limit) {
  slots_.reserve(gpus);
  for (std::size_t i = 0; i < gpus; ++i) slots_.push_back(std::make_unique<Slot>());
}

void Board::put_report(std::size_t gpu, model::DeviceSample sample, Age limit) {
  Slot& slot = *slots_[gpu];
  const MutexLock lock(slot.mutex);
  sample.source_verdict = std::move(slot.report.source_verdict);
  std::swap(slot.report, sample);
  slot.report_at = clock_.steady_now();
  slot.report_limit = limit;
  slot.gone = false;
}

void Board::put_gone(std::size_t gpu, Age limit) {
  Slot& slot = *slots_[gpu];
  const MutexLock lock(slot.mutex);
  slot.report.mark_absent(Absence::kGone, /*keep_once=*/true);
  slot.report_at = clock_.steady_now();
  slot.report_limit = limit;
  slot.gone = true;
  slot.has_row = false;
}

void Board::put_row(std::size_t gpu, const model::GpuRow& row) {
  Slot& slot = *slots_[gpu];
  const MutexLock lock(slot.mutex);
  slot.row = row;
  slot.row_at = clock_.steady_now();
  slot.has_row = true;
}

void Board::put_verdict(std::size_t gpu, std::optional<model::SourceVerdict> verdict, Age limit) {
  Slot& slot = *slots_[gpu];
  const MutexLock lock(slot.mutex);
  if (slot.gone) return;
  // With the report, so that read() copies it into the room that is there.
  std::swap(slot.report.source_verdict, verdict);
  slot.verdict_until = clock_.steady_now() + limit;
}

void Board::read(std::size_t gpu, base::WallTime tick, model::DeviceSample& out) {
  Slot& slot = *slots_[gpu];
  const base::SteadyTime now = clock_.steady_now();
  const MutexLock lock(slot.mutex);
  out = slot.report;
  out.events.clear();
  if (slot.gone) {
    slot.clock_events.reset();
    return;
  }
  const bool report_counts = now - slot.report_at <= slot.report_limit;
  if (!report_counts) out.mark_absent(Absence::kTimedOut, /*keep_once=*/true);
  overlay_row(slot, now, report_counts, out);
  if (now > slot.verdict_until) out.source_verdict.reset();
  notice_clock_events(slot, tick, out);
}

void Board::overlay_row(Slot& slot, base::SteadyTime now, bool report_counts,
                        model::DeviceSample& out) {
  if (!slot.has_row) return;
  const bool counts = now - slot.row_at <= row_limit_;
  if (counts && slot.row[model::column(Metric::kTemperature)].absence == Absence::kGone) {
    out.mark_absent(Absence::kGone, /*keep_once=*/true);
    return;
  }
  // A loop that hangs is not to be replaced by what was read before it did.
  if (!counts && slot.row_at <= slot.report_at) return;
  for (const Metric metric : row_metrics_) {
    const Reading& reading = slot.row[model::column(metric)];
    Reading& shown = out.at(metric);
    if (!counts) {
      if (reading.absence != Absence::kUnsupported) shown = Reading::none(Absence::kTimedOut);
    } else if (reading.absence != Absence::kUnsupported || !report_counts) {
      shown = reading;
    }
  }
}

void Board::notice_clock_events(Slot& slot, base::WallTime tick, model::DeviceSample& out) {
  const auto events = clock_events_of(out);
  if (events && slot.clock_events && *events != *slot.clock_events) {
    out.events.push_back({model::EventKind::kClockEvents, *events, tick});
  }
  if (events) slot.clock_events = events;
}

void Board::set_trouble(Part part, std::optional<base::Error> error) {
  const MutexLock lock(trouble_mutex_);
  trouble_[static_cast<std::size_t>(part)] = std::move(error);
}

bool Board::in_trouble(Part part) const {
  const MutexLock lock(trouble_mutex_);
  return trouble_[static_cast<std::size_t>(part)].has_value();
}

std::optional<base::Error> Board::trouble() const {
  const MutexLock lock(trouble_mutex_);
  for (const auto& error : trouble_) {
    if (error) return error;
  }
  return std::nullopt;
}

}  // namespace gpuscope::device::smi

#include "prom/tick_batch.h"

#include <algorithm>
#include <utility>

#include "model/naming.h"

namespace gpuscope::prom {

TickBatch::TickBatch(wire::MetricsOptions metrics, Labels labels)
    : labels_(std::move(labels)),
      gpu_metric_(model::gpu_metric_naming()),
      metrics_(std::make_unique<wire::MetricsText>(std::move(metrics))) {}

TickBatch::~TickBatch() = default;

void TickBatch::change(wire::MetricsOptions metrics) {
  metrics_ = std::make_unique<wire::MetricsText>(std::move(metrics));
  changed_ = true;
}

// A label that is renamed and empty is none: then another line says the same series.
bool TickBatch::goes_on(const Entry& entry) const {
  return std::ranges::any_of(
      present_, [&](const Entry* other) { return other->second.labels == entry.second.labels; });
}

void TickBatch::add(const model::Snapshot& tick) {
  take(tick, true);
  ++ticks_;
}

void TickBatch::begin_behind(const model::Snapshot& tick) { take(tick, false); }

// Null where the line is malformed; ours are not.
TickBatch::Entry* TickBatch::find(std::string_view line) {
  Known& known = known_[simulated_ ? 1 : 0];
  if (const auto found = known.find(line); found != known.end()) return &*found;
  auto labels = parse_series(line);
  if (!labels) return nullptr;
  const auto add_label = [&](const std::string& name, const std::string& value) {
    const bool has = std::ranges::any_of(*labels, [&](const auto& l) { return l.first == name; });
    if (!has && !value.empty()) labels->emplace_back(name, value);
  };
  for (const auto& [name, value] : labels_) add_label(name, value);
  if (simulated_) add_label("simulated", "true");
  std::ranges::sort(*labels);
  return &*known.emplace(std::string(line), Series{.labels = encode_labels(*labels)}).first;
}

void TickBatch::put(Entry& entry, Sample sample) {
  Series& series = entry.second;
  if (!series.listed) batch_.push_back(&entry);
  series.listed = true;
  series.samples.push_back(sample);
  ++samples_;
}

void TickBatch::take(const model::Snapshot& tick, bool send) {
  using std::chrono::floor;
  const std::int64_t time = floor<std::chrono::milliseconds>(tick.time).time_since_epoch().count();
  const bool simulated = tick.inventory && tick.inventory->simulated;
  page_.clear();
  gpu_metric_.append(tick, {}, page_);
  metrics_->append_kept(tick, page_);
  ++tick_;
  std::swap(before_, present_);
  present_.clear();
  const bool comparable = simulated == simulated_;
  simulated_ = simulated;
  std::string_view rest = page_;
  while (const auto line = next_sample(rest)) {
    // Nearly always the series that stood here in the tick before.
    const std::size_t place = present_.size();
    const bool same = comparable && place < before_.size() && before_[place]->first == line->series;
    Entry* const entry = same ? before_[place] : find(line->series);
    if (entry == nullptr || entry->second.tick == tick_) continue;
    entry->second.tick = tick_;
    present_.push_back(entry);
    if (send) put(*entry, {time, line->value});
  }
  for (Entry* entry : before_) {
    if (!send || entry->second.tick == tick_ || (changed_ && goes_on(*entry))) continue;
    put(*entry, {time, stale_marker()});
  }
  changed_ = false;
}

bool TickBatch::next_request(std::size_t& from, std::size_t max_bytes,
                             WriteRequest& request) const {
  request.clear();
  while (from < batch_.size() && request.bytes() < max_bytes) {
    const Series& series = batch_[from++]->second;
    request.add(series.labels, series.samples);
  }
  return request.samples() > 0;
}

void TickBatch::clear() {
  for (Entry* entry : batch_) {
    entry->second.samples.clear();
    entry->second.listed = false;
  }
  batch_.clear();
  before_.clear();
  samples_ = 0;
  ticks_ = 0;
  for (Known& known : known_) {
    std::erase_if(known, [&](const auto& entry) { return entry.second.tick != tick_; });
  }
}

}  // namespace gpuscope::prom

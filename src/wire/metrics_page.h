// One page of /metrics in the making: for metrics_text.cc alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "wire/label_value.h"
#include "wire/metrics_header.h"
#include "wire/metrics_labels.h"
#include "wire/metrics_text.h"

namespace gpuscope::wire {

inline constexpr std::size_t kNoColumn = std::numeric_limits<std::size_t>::max();

struct MetricsText::Family {
  std::array<std::string, 2> headers;  // by MetricsFormat
  std::string name;                    // padded with zeros for copy_chunks()
  std::size_t name_length = 0;
  bool ours = false;  // labels of ours, and not DCGM's
  model::FamilySource source = model::FamilySource::kReading;
  model::Entity entity = model::Entity::kGpu;
  std::size_t column = 0;  // of `entity`; of a window: its place among kMovingMetrics
  std::size_t of_instance = kNoColumn;
  std::size_t link = 0;  // of a lane
  int binary_shift = 0;
  int decimals = 0;
  std::int64_t factor = 1;

  std::string_view sample_name() const { return {name.data(), name_length}; }
  std::int64_t scaled(std::int64_t value) const {
    return model::shift_rounded(value, binary_shift) * factor;
  }
};

// One page in the making.
class MetricsText::Page {
 public:
  Page(const model::Snapshot& snapshot, const MetricsLabels& labels, MetricsFormat format,
       std::string& out)
      : snapshot_(snapshot), labels_(labels), format_(format), out_(out) {}

  void write(const Family& family);
  void write_extras(const AgentMetrics& agent);
  void write_kept_extras();

 private:
  // The samples of a family that has one per GPU. `reading_of(gpu)` is in the catalogue's unit.
  template <typename ReadingOf>
  void per_gpu(const Family& family, ReadingOf reading_of);
  template <typename Value>
  void per_window(const Family& family, Value value);
  void per_instance_or_gpu(const Family& family);
  void per_fan(const Family& family);
  void per_link(const Family& family);
  void per_instance(const Family& family);
  void per_process(const Family& family);
  void link_sums(const Family& family);
  void link_bandwidth(const Family& family);
  void lane_bandwidth(const Family& family);
  void clock_events(const Family& family);
  void xid_last(const Family& family);
  void xids_recent(const Family& family);
  void clocks_recent(const Family& family);
  void peer_links(const Family& family);
  void health_watches(const Family& family);

  void xid_totals();
  void clock_totals();
  void health();
  void findings();
  void absences();
  void infos();
  void presence(std::span<const model::AbsentGpu> absent);

  // A line in parts: name, "{", an identity; then further labels; then the end and the value.
  std::string& begin(std::string_view name, const std::string& identity) {
    return out_.append(name).append("{").append(identity);
  }
  void label(std::string_view name, std::string_view value) {
    out_ += ',';
    append_label(out_, name, value);
  }
  void label(std::string_view name, std::uint64_t value) {
    out_.append(",").append(name).append("=\"");
    base::append_decimal(out_, static_cast<std::int64_t>(value), 0);
    out_ += '"';
  }
  void end(std::int64_t value, int decimals = 0) {
    out_.append(labels_.end());
    base::append_decimal(out_, value, decimals);
    out_ += '\n';
  }
  void end(const Family& family, std::int64_t value) { end(family.scaled(value), family.decimals); }
  const std::string& tail(const Family& family, std::size_t gpu) const {
    return family.ours ? labels_.own_tail() : labels_.dcgm_tail(gpu);
  }
  void header(std::string_view name, std::string_view help, bool is_counter) {
    append_metrics_header(out_, name, help, is_counter, format_);
  }
  void instance_labels(const model::MigInstance& instance) {
    label("GPU_I_PROFILE", instance.profile);
    label("GPU_I_ID", instance.gpu_instance_id);
  }
  std::size_t gpus() const { return snapshot_.devices.size(); }
  bool followed() const { return snapshot_.trends.size() == gpus(); }

  const model::Snapshot& snapshot_;
  const MetricsLabels& labels_;
  const MetricsFormat format_;
  std::string& out_;
};

}  // namespace gpuscope::wire

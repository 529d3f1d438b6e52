#include "wire/metrics_text.h"

#include <algorithm>
#include <utility>

#include "model/trend.h"
#include "wire/metrics_header.h"
#include "wire/metrics_labels.h"
#include "wire/metrics_page.h"

namespace gpuscope::wire {

using model::FamilySource;

namespace {

std::size_t place_among_moving(model::Metric metric) {
  const auto* const place = std::ranges::find(model::kMovingMetrics, metric);
  return static_cast<std::size_t>(place - model::kMovingMetrics.begin());
}

}  // namespace

MetricsText::MetricsText(MetricsOptions options) : options_(std::move(options)) {
  add_dcgm_families();
  for (const model::MetricsFamily& row : model::gpuscope_families()) {
    add_families(row, row.name, nullptr);
  }
  std::vector<TextLabel> labels;
  const auto add_label = [&](const model::LabelField& field, std::string_view asked) {
    const bool renamed = options_.names == model::DcgmNames::kNew && !field.new_name.empty();
    const std::string_view name = renamed ? field.new_name : asked;
    if (std::ranges::find(labels, name, &TextLabel::name) != labels.end()) return;
    labels.push_back({std::string(name), field.fact});
  };
  for (const model::LabelField& field : model::dcgm_label_fields()) {
    if (!options_.counters && field.fact == model::kDefaultLabelField) add_label(field, field.name);
  }
  if (options_.counters) {
    for (const Counter& counter : options_.counters->counters) {
      for (const model::LabelField& field : model::dcgm_label_fields()) {
        const bool named = field.name == counter.field || field.new_name == counter.field;
        if (counter.is_label && named) add_label(field, counter.field);
      }
    }
  }
  labels_ = std::make_unique<MetricsLabels>(options_.hostname_label, options_.hostname,
                                            std::move(labels));
}

MetricsText::~MetricsText() = default;

void MetricsText::add_dcgm_families() {
  if (!options_.counters) {
    for (const model::MetricsFamily& row : model::dcgm_families()) {
      if (row.tier != model::Tier::kOnRequest) add_families(row, row.name, nullptr);
    }
    return;
  }
  for (const Counter& counter : options_.counters->counters) {
    if (counter.is_label) continue;
    for (const model::MetricsFamily& row : model::dcgm_families()) {
      if (row.name == counter.field || row.new_name == counter.field) {
        add_families(row, counter.field, &counter);
      }
    }
  }
}

// Under the names that the options say: as `asked`, or DCGM's new one, or both.
void MetricsText::add_families(const model::MetricsFamily& row, std::string_view asked,
                               const Counter* counter) {
  Family family;
  family.ours = row.name.starts_with("gpuscope_");
  family.source = row.source;
  const model::MetricInfo& info = model::info(row.metric);
  family.entity = info.entity;
  const bool is_window = row.source == FamilySource::kWindowMin ||
                         row.source == FamilySource::kWindowMean ||
                         row.source == FamilySource::kWindowMax;
  family.column = is_window ? place_among_moving(row.metric) : model::column(row.metric);
  family.link = row.link;
  if (row.of_instance) family.of_instance = model::column(*row.of_instance);
  if (row.source == FamilySource::kReading || is_window) {
    family.binary_shift = row.binary_shift;
    family.decimals = (row.binary_shift == 0 ? info.decimals : 0) + row.decimal_shift;
    for (; family.decimals < 0; ++family.decimals) family.factor *= 10;
  }
  const bool is_counter =
      counter != nullptr ? counter->is_counter : row.kind == model::Kind::kCounter;
  const bool own_help = counter == nullptr || counter->help.empty();
  const std::string_view help = own_help ? row.help : std::string_view(counter->help);

  std::vector<std::string_view> names{asked};
  if (!row.new_name.empty() && options_.names == model::DcgmNames::kNew) names = {row.new_name};
  if (!row.new_name.empty() && options_.names == model::DcgmNames::kBoth) {
    names = {row.name, row.new_name};
  }
  for (const std::string_view name : names) {
    // A list of counters may have asked for it by both of its names.
    if (std::ranges::find(families_, name, &Family::sample_name) != families_.end()) continue;
    for (const MetricsFormat format : {MetricsFormat::kPrometheus, MetricsFormat::kOpenMetrics}) {
      std::string& header = family.headers[static_cast<std::size_t>(format)];
      header.clear();
      append_metrics_header(header, name, help, is_counter, format);
    }
    family.name = name;
    family.name.resize(whole_chunks(name.size()), '\0');
    family.name_length = name.size();
    families_.push_back(family);
  }
}

void MetricsText::prepare(const model::Snapshot& snapshot) {
  if (inventory_ && inventory_ == snapshot.inventory && prepared_ == snapshot.devices.size())
    return;
  inventory_ = snapshot.inventory;
  prepared_ = snapshot.devices.size();
  labels_->build(inventory_ ? *inventory_ : model::Inventory{}, prepared_);
  expected_ = 0;
  for (const Family& family : families_) {
    const LabelSlots& labels = family.ours ? labels_->own() : labels_->dcgm();
    expected_ += family.headers[0].size() + prepared_ * (family.name_length + labels.stride());
  }
}

void MetricsText::append(const model::Snapshot* snapshot, const AgentMetrics& agent,
                         MetricsFormat format, std::string& out) {
  const std::size_t begin = out.size();
  if (snapshot != nullptr) {
    prepare(*snapshot);
    // At once: a page of thousands of GPUs would be copied again and again while it grows.
    out.reserve(begin + expected_);
    Page page(*snapshot, *labels_, format, out);
    for (const Family& family : families_) page.write(family);
    page.write_extras(agent);
  } else {
    const model::Snapshot nothing;
    Page(nothing, *labels_, format, out).write_extras(agent);
  }
  append_agent_metrics(out, agent, format);
  if (format == MetricsFormat::kOpenMetrics) out.append("# EOF\n");
  expected_ = std::max(expected_, out.size() - begin);
}

void MetricsText::append_kept(const model::Snapshot& snapshot, std::string& out) {
  const std::size_t begin = out.size();
  prepare(snapshot);
  out.reserve(begin + expected_);
  Page page(snapshot, *labels_, MetricsFormat::kPrometheus, out);
  for (const Family& family : families_) {
    // What each watch says follows from findings, which are not kept.
    if (family.source != FamilySource::kHealthWatches) page.write(family);
  }
  page.write_kept_extras();
  expected_ = std::max(expected_, out.size() - begin);
}

}  // namespace gpuscope::wire

#include "wire/metrics_labels.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/decimal.h"
#include "wire/label_value.h"

namespace gpuscope::wire {

using model::Fact;

void LabelSlots::assign(std::span<const std::string> texts) {
  stride_ = 0;
  for (const std::string& text : texts) stride_ = std::max(stride_, whole_chunks(text.size()));
  text_.assign(stride_ * texts.size(), '\0');
  lengths_.clear();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::memcpy(text_.data() + i * stride_, texts[i].data(), texts[i].size());
    lengths_.push_back(static_cast<std::uint32_t>(texts[i].size()));
  }
}

MetricsLabels::MetricsLabels(std::string_view hostname_label, std::string_view hostname,
                             std::vector<TextLabel> text_labels)
    : text_labels_(std::move(text_labels)), own_tail_(",") {
  append_label(own_tail_, hostname_label, hostname);
}

void MetricsLabels::append_identity(std::string& out, std::size_t index, const model::GpuInfo& info,
                                    bool of_link) {
  const auto number = static_cast<std::int64_t>(index);
  out.append("gpu=\"");
  base::append_decimal(out, number, 0);
  out.append("\",");
  append_label(out, of_link ? "gpu_uuid" : "UUID", info.uuid());
  out += ',';
  append_label(out, "pci_bus_id", info.fact(Fact::kPciBusId).value);
  out.append(",device=\"nvidia");
  base::append_decimal(out, number, 0);
  out.append("\",");
  append_label(out, of_link ? "model_name" : "modelName", info.name());
}

void MetricsLabels::build(const model::Inventory& inventory, std::size_t devices) {
  end_ = inventory.simulated ? ",simulated=\"true\"} " : "} ";
  gpus_.assign(devices, {});
  std::vector<std::string> dcgm(devices);
  std::vector<std::string> own(devices);
  for (std::size_t i = 0; i < devices; ++i) {
    const model::GpuInfo info = i < inventory.gpus.size() ? inventory.gpus[i] : model::GpuInfo{};
    Gpu& gpu = gpus_[i];
    append_identity(gpu.identity, i, info);
    append_identity(gpu.link_identity, i, info, true);
    gpu.tail = own_tail_;
    for (const TextLabel& label : text_labels_) {
      gpu.tail += ',';
      append_label(gpu.tail, label.name, info.fact(label.fact).value);
    }
    for (const model::FactInfo& row : model::facts()) {
      const bool shown =
          row.id == Fact::kName || row.id == Fact::kUuid || row.id == Fact::kPciBusId;
      if (shown || !info.fact(row.id).present()) continue;
      gpu.facts += ',';
      append_label(gpu.facts, row.key, info.fact(row.id).value);
    }
    dcgm[i].append("{").append(gpu.identity).append(gpu.tail).append(end_);
    own[i].append("{").append(gpu.identity).append(own_tail_).append(end_);
  }
  dcgm_.assign(dcgm);
  own_.assign(own);
}

}  // namespace gpuscope::wire

#include "prom/usage_join.h"

#include <cmath>
#include <utility>

namespace gpuscope::prom {
namespace {

using base::MutexLock;

// What the labels of a series say of whose it is. Where a scrape found a label of its own name, it
// kept the exporter's as exported_…: that is the one that tells of the workload.
struct Known {
  std::string_view uuid;
  std::string_view mig_instance;
  std::string_view pod;
  std::string_view exported_pod;
  std::string_view name_space;
  std::string_view exported_namespace;
  std::string_view hostname;
  std::string_view node;
  std::string_view model;
};

Known known(const LabelViews& labels) {
  Known found;
  for (const auto& [name, value] : labels) {
    if (name == "UUID" || name == "gpu_uuid") found.uuid = value;
    if (name == "GPU_I_ID") found.mig_instance = value;
    if (name == "pod") found.pod = value;
    if (name == "exported_pod") found.exported_pod = value;
    if (name == "namespace") found.name_space = value;
    if (name == "exported_namespace") found.exported_namespace = value;
    if (name == "Hostname" || name == "hostname") found.hostname = value;
    if (name == "kubernetes_node") found.node = value;
    if (name == "modelName" || name == "model_name") found.model = value;
  }
  if (!found.exported_pod.empty()) found.pod = found.exported_pod;
  if (!found.exported_namespace.empty()) found.name_space = found.exported_namespace;
  if (found.hostname.empty()) found.hostname = found.node;
  return found;
}

}  // namespace

UsageJoin::Attempt& UsageJoin::attempt(AttemptId id) {
  if (attempts_.size() <= id) attempts_.resize(id + 1);
  return attempts_[id];
}

UsageJoin::Gpu& UsageJoin::find(const LabelViews& labels) {
  constexpr char kBetween = '\x1f';
  const Known is = known(labels);
  key_.assign(is.uuid);
  for (const std::string_view part : {is.mig_instance, is.name_space, is.pod}) {
    key_ += kBetween;
    key_ += part;
  }
  const auto [at, fresh] = by_key_.try_emplace(key_, static_cast<std::uint32_t>(gpus_.size()));
  if (fresh) {
    gpus_.emplace_back().identity = {.gpu_id = std::string(is.uuid),
                                     .pod = std::string(is.pod),
                                     .name_space = std::string(is.name_space),
                                     .hostname = {},
                                     .model_name = {},
                                     .mig_instance = std::string(is.mig_instance)};
  }
  Gpu& gpu = gpus_[at->second];
  if (gpu.identity.hostname.empty()) gpu.identity.hostname = is.hostname;
  if (gpu.identity.model_name.empty()) gpu.identity.model_name = is.model;
  return gpu;
}

void UsageJoin::add(model::UsageMetric metric, AttemptId id, const LabelViews& labels,
                    double value) {
  const MutexLock lock(mutex_);
  Gpu& gpu = find(labels);
  if (gpu.identity.gpu_id.empty()) {
    ++nameless_;
    return;
  }
  if (metric == model::UsageMetric::kGpuUtil) gpu.active = id;
  if (!std::isfinite(value)) {
    attempt(id).has_no_numbers = true;
    return;
  }
  Cell& cell = gpu.cells[static_cast<std::size_t>(metric)];
  if (cell.attempt != id) cell = {.attempt = id};
  cell.sum += value;
  if (++cell.count > 1) ++duplicates_;
}

bool UsageJoin::succeed(AttemptId id) {
  const MutexLock lock(mutex_);
  attempt(id).succeeded = true;
  return attempt(id).has_no_numbers;
}

std::size_t UsageJoin::nameless() const {
  const MutexLock lock(mutex_);
  return nameless_;
}

std::size_t UsageJoin::size() const {
  const MutexLock lock(mutex_);
  return gpus_.size();
}

model::UsageAnswer UsageJoin::take() {
  const MutexLock lock(mutex_);
  by_key_ = {};
  model::UsageAnswer answer;
  answer.duplicates = duplicates_;
  answer.gpus.reserve(gpus_.size());
  for (Gpu& gpu : gpus_) {
    if (gpu.active == 0 || !attempt(gpu.active).succeeded) continue;
    model::GpuUsage& usage = answer.gpus.emplace_back();
    usage.gpu = std::move(gpu.identity);
    for (std::size_t i = 0; i < model::kUsageMetricCount; ++i) {
      const Cell& cell = gpu.cells[i];
      if (cell.count == 0 || !attempt(cell.attempt).succeeded) continue;
      usage.means[static_cast<model::UsageMetric>(i)] = cell.sum / cell.count;
    }
  }
  gpus_ = {};
  return answer;
}

}  // namespace gpuscope::prom

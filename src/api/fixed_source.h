// For tests.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "model/source.h"

namespace gpuscope::api {

// GPUs whose values stand still, or an error that open() gives.
class FixedSource final : public model::Source {
 public:
  explicit FixedSource(std::size_t gpus, std::optional<base::Error> error = std::nullopt)
      : gpus_(gpus), error_(std::move(error)) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override {
    if (error_) return std::unexpected(*error_);
    auto inventory = std::make_shared<model::Inventory>();
    inventory->method = "sim";
    inventory->simulated = true;
    inventory->gpus.resize(gpus_);
    for (std::size_t gpu = 0; gpu < gpus_; ++gpu) {
      inventory->gpus[gpu].fact(model::Fact::kUuid) =
          model::Text::of("GPU-aaaa-000" + std::to_string(gpu));
      inventory->gpus[gpu].fact(model::Fact::kName) = model::Text::of("SIM");
    }
    return inventory;
  }
  bool devices_may_block() const override { return false; }
  void read(std::size_t device, base::WallTime /*tick*/, model::DeviceSample& out) override {
    out.mark_absent(model::Absence::kUnsupported, false);
    out.at(model::Metric::kTemperature) = model::Reading::of(461);
    out.at(model::Metric::kSmClock) = model::Reading::of(2100 + static_cast<int>(device));
    out.processes_absence = model::Absence::kPresent;
    out.processes.resize(1);
    out.processes[0].pid = 4242;
  }
  bool lost() const override { return false; }

 private:
  const std::size_t gpus_;
  const std::optional<base::Error> error_;
};

}  // namespace gpuscope::api

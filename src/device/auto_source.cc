#include "device/auto_source.h"

#include <atomic>
#include <optional>
#include <utility>

namespace gpuscope::device {
namespace {

class AutoSource final : public model::Source {
 public:
  explicit AutoSource(std::vector<Candidate> candidates) : candidates_(std::move(candidates)) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override {
    opened_ = nullptr;
    base::Error error{base::ErrorKind::kUnavailable, "cannot find any GPU"};
    const char* separator = ": ";
    for (const Candidate& candidate : candidates_) {
      if (interrupted_) break;
      auto inventory = candidate.source->open();
      if (inventory) {
        opened_ = candidate.source.get();
        return inventory;
      }
      if (&candidate == &candidates_.front()) error.kind = inventory.error().kind;
      error.message += separator + candidate.method + ": " + inventory.error().message;
      separator = "; ";
    }
    return std::unexpected(std::move(error));
  }

  // Asked also before open(): some candidate's devices may block.
  bool devices_may_block() const override {
    const model::Source* opened = opened_;
    if (opened != nullptr) return opened->devices_may_block();
    for (const Candidate& candidate : candidates_) {
      if (candidate.source->devices_may_block()) return true;
    }
    return false;
  }

  void read(std::size_t device, base::WallTime tick, model::DeviceSample& out) override {
    opened_.load()->read(device, tick, out);
  }

  bool lost() const override {
    const model::Source* opened = opened_;
    return opened != nullptr && opened->lost();
  }

  void interrupt() override {
    interrupted_ = true;
    for (const Candidate& candidate : candidates_) candidate.source->interrupt();
  }

  std::optional<base::Error> trouble() const override {
    const model::Source* opened = opened_;
    return opened == nullptr ? std::nullopt : opened->trouble();
  }

 private:
  const std::vector<Candidate> candidates_;
  std::atomic<bool> interrupted_{false};
  std::atomic<model::Source*> opened_{nullptr};  // of candidates_; null when none opened
};

}  // namespace

std::unique_ptr<model::Source> make_auto_source(std::vector<Candidate> candidates) {
  return std::make_unique<AutoSource>(std::move(candidates));
}

}  // namespace gpuscope::device

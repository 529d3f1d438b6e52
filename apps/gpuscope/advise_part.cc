#include "advise_part.h"

#include <utility>

#include "advise/metrics.h"

namespace gpuscope::app {

base::Result<std::unique_ptr<AdvisePart>> AdvisePart::create(
    base::Clock& clock, const advise::Options& opinions, const act::Options& control,
    model::StateStore& store, std::unique_ptr<model::EvidenceReader> details) {
  std::unique_ptr<advise::ChatAdviser> chat;
  // Also where AI is off: it may be turned on while the program runs.
  if (!opinions.chat.url.empty()) {
    auto made = advise::ChatAdviser::create(clock, opinions.chat, &store);
    if (!made) return std::unexpected(std::move(made.error()));
    chat = std::move(*made);
  }
  std::unique_ptr<act::Controller> controller;
  if (control.enabled) {
    auto made = act::Controller::create(clock, control, store);
    if (!made) return std::unexpected(std::move(made.error()));
    controller = std::move(*made);
  }
  return std::unique_ptr<AdvisePart>(new AdvisePart(clock, opinions.ask, std::move(chat),
                                                    std::move(controller), std::move(details)));
}

AdvisePart::AdvisePart(base::Clock& clock, advise::Ask ask,
                       std::unique_ptr<advise::ChatAdviser> chat,
                       std::unique_ptr<act::Controller> controller,
                       std::unique_ptr<model::EvidenceReader> details)
    : details_(std::move(details)),
      chat_(std::move(chat)),
      controller_(std::move(controller)),
      consultant_(clock, ask, chat_.get(), details_.get()) {}

void AdvisePart::act(std::span<const model::GpuUse> gpus, double threshold) {
  if (controller_ != nullptr) controller_->run(gpus, threshold);
}

void AdvisePart::cancel() {
  consultant_.stop();
  if (controller_ != nullptr) controller_->stop();
}

void AdvisePart::append_metrics(wire::MetricsFormat format, std::string& out) const {
  if (chat_ != nullptr) advise::append_metrics(chat_->status(), format, out);
  if (controller_ != nullptr) act::append_metrics(controller_->status(), format, out);
}

base::Result<std::string> AdvisePart::actions() const {
  constexpr std::size_t kShown = 200;
  if (controller_ == nullptr) {
    return base::fail(base::ErrorKind::kNotFound,
                      "cannot show actions: control is off; CONTROL_API_ENABLED turns it on");
  }
  auto actions = controller_->actions(kShown);
  if (!actions) return std::unexpected(std::move(actions.error()));
  return act::control_document(controller_->status(), *actions);
}

}  // namespace gpuscope::app

#include "notify/notifier.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/thread.h"
#include "notify/message_text.h"

namespace gpuscope::notify {
namespace {

std::vector<std::string> names(const Options& options) {
  std::vector<std::string> all;
  for (const Receiver& receiver : options.receivers) all.push_back(receiver.name);
  return all;
}

}  // namespace

Notifier::Notifier(base::Clock& clock, const Options& options, model::StateStore& store,
                   const Surroundings& surroundings)
    : clock_(clock),
      surroundings_(surroundings),
      queue_(clock, store, options.retry, names(options)) {}

Notifier::~Notifier() { stop(); }

base::Result<std::unique_ptr<Notifier>> Notifier::start(base::Clock& clock, const Options& options,
                                                        model::StateStore& store,
                                                        const Surroundings& surroundings) {
  std::unique_ptr<Notifier> notifier(new Notifier(clock, options, store, surroundings));
  if (auto started = notifier->start_lines(options); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return notifier;
}

base::Result<void> Notifier::start_lines(const Options& options) {
  for (const Receiver& receiver : options.receivers) {
    auto sender = make_sender(receiver, clock_, surroundings_);
    if (!sender) return std::unexpected(std::move(sender.error()));
    auto line = std::make_unique<Line>();
    line->receiver = receiver;
    line->server = (*sender)->server();
    line->sender = std::move(*sender);
    lines_.push_back(std::move(line));
  }
  for (const auto& line : lines_) {
    auto started = base::start_thread(line->thread, "to " + line->receiver.name,
                                      [this, &line = *line] { serve(line); });
    if (!started) return started;
  }
  return {};
}

void Notifier::serve(Line& line) {
  while (const auto delivery = queue_.next(line.receiver.name)) {
    queue_.finish(delivery->key, line.sender->send(*delivery));
  }
}

base::Result<void> Notifier::take(const model::AlertNotification& message) {
  if (message.alerts.empty()) {
    return base::fail(base::ErrorKind::kInvalidArgument, "cannot send a message without alerts");
  }
  std::vector<DeliveryQueue::Target> targets;
  for (const auto& line : lines_) {
    for (std::string& to : addresses(line->receiver, message.receiver)) {
      targets.push_back({line->receiver.name, std::move(to)});
    }
  }
  if (targets.empty()) return {};
  const bool simulated = surroundings_.simulated && surroundings_.simulated(message);
  return queue_.add(message, targets, message_subject(message, simulated));
}

std::vector<model::ReceiverStatus> Notifier::statuses() const {
  std::vector<model::ReceiverStatus> all;
  for (const auto& line : lines_) {
    model::ReceiverStatus status = queue_.status(line->receiver.name);
    status.server = line->server;
    status.severities = fmt::format("{}", fmt::join(line->receiver.severities, ", "));
    all.push_back(std::move(status));
  }
  return all;
}

void Notifier::stop() {
  queue_.stop();  // first, so that nothing new is begun only to be cancelled
  for (const auto& line : lines_) line->sender->cancel();
  for (const auto& line : lines_) {
    if (line->thread.joinable()) line->thread.join();
  }
}

}  // namespace gpuscope::notify

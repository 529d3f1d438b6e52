// Delivers messages: takes each once, keeps it until it is sent or given up, tries again.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/delivery.h"
#include "model/state_store.h"
#include "notify/delivery_queue.h"
#include "notify/options.h"
#include "notify/sender.h"

namespace gpuscope::notify {

// Each receiver has a thread of its own: one that hangs holds nobody up. Thread-safe, but for
// stop().
class Notifier {
 public:
  // Takes up what an earlier process left in the store. Clock and store outlive it.
  static base::Result<std::unique_ptr<Notifier>> start(base::Clock& clock, const Options& options,
                                                       model::StateStore& store,
                                                       const Surroundings& surroundings);
  ~Notifier();  // stops

  // Takes a message for the receivers of its severity; one whose id was taken already, for those
  // that do not have it. An error: it is not durable, and will be sent nevertheless; hand it over
  // again until it is. Waits for the disk.
  base::Result<void> take(const model::AlertNotification& message);

  // These wait for nothing.
  std::vector<model::ReceiverStatus> statuses() const;
  DeliveryQueue::View view(std::size_t most) const { return queue_.view(most); }

  // Ends what is under way, and joins the threads. What is not sent waits in the store. Idempotent.
  void stop();

 private:
  struct Line {
    Receiver receiver;
    std::unique_ptr<Sender> sender;
    std::string server;
    std::thread thread;
  };
  Notifier(base::Clock& clock, const Options& options, model::StateStore& store,
           const Surroundings& surroundings);
  base::Result<void> start_lines(const Options& options);
  void serve(Line& line);

  base::Clock& clock_;
  const Surroundings surroundings_;
  DeliveryQueue queue_;
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace gpuscope::notify

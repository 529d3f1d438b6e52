// GET /api/v1/notifications: what was sent, what waits, what failed, and how receivers are doing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/delivery.h"

namespace gpuscope::wire {

// All of it at one moment.
struct Notifications {
  std::vector<model::ReceiverStatus> receivers;
  std::vector<model::Delivery> deliveries;  // newest first; their messages may be null
  std::string store_error;                  // why nothing can be kept now; empty: it can
  bool durable = true;                      // what waits outlives the agent
};

void append_notifications(std::string& out, const Notifications& notifications);

}  // namespace gpuscope::wire

// One message on its way to one receiver, and how receivers are doing. notify/ delivers, wire/ and
// api/ show it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/alert_status.h"

namespace gpuscope::model {

enum class DeliveryState : std::uint8_t {
  kQueued,   // waits: to be tried for the first time, or again
  kSending,  // an attempt is under way
  kSent,     // the receiver's server took it
  kFailed,   // given up: refused for good, or tried for too long
};
// "queued", "sending", "sent", "failed".
constexpr std::string_view delivery_state_name(DeliveryState state) {
  switch (state) {
    case DeliveryState::kQueued:
      return "queued";
    case DeliveryState::kSending:
      return "sending";
    case DeliveryState::kSent:
      return "sent";
    case DeliveryState::kFailed:
      break;
  }
  return "failed";
}

struct Delivery {
  std::string key;        // 20 digits that rise in the order in which messages came; unique
  std::string id;         // of the AlertNotification
  std::string group_key;  // of it, too
  std::string receiver;   // the receiver's name: "email", "webhook"
  std::string to;         // its address there; empty where it has one alone
  std::string thread;     // the id of the message that opened the group's thread; its own: this one
  std::string subject;    // the message in one line
  bool firing = true;     // whether anything in it fires
  DeliveryState state = DeliveryState::kQueued;
  std::uint32_t attempts = 0;               // begun so far
  std::string error;                        // of the last attempt that failed; empty: none did
  bool uncertain = false;                   // the agent ended while an attempt was under way
  base::WallTime created{};                 // when the message was taken
  std::optional<base::WallTime> attempted;  // when the last attempt began
  std::optional<base::WallTime> done;       // when it was sent or given up
  // All that is to be said; null once it is sent or given up.
  std::shared_ptr<const AlertNotification> message;

  bool is_done() const { return state == DeliveryState::kSent || state == DeliveryState::kFailed; }
};

// How one receiver is doing. Counts are since the agent was started.
struct ReceiverStatus {
  std::string name{};        // "email"
  std::string server{};      // "smtp://mail.example.org:587", "https://hooks.example.org"
  std::string severities{};  // "info, warning, critical, emergency"
  std::string error{};       // why the last attempt failed; empty: it did not, or there was none
  std::uint64_t queued = 0;
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;   // given up
  std::uint64_t retries = 0;  // attempts that failed and are made again
  std::optional<base::WallTime> last_sent{};
};

}  // namespace gpuscope::model

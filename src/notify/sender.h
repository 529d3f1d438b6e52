// One receiver: how a message becomes what its server takes, and what came of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/web_client.h"
#include "model/delivery.h"
#include "model/series.h"
#include "notify/attempt.h"
#include "notify/options.h"

namespace gpuscope::notify {

// What messages say beside their alerts. The functions are called on threads of notify's.
struct Surroundings {
  std::string host{};          // where the agent runs
  std::string external_url{};  // of the agent; empty: not known
  // Whether the GPUs that a message is about are not real; empty: they are.
  std::function<bool(const model::AlertNotification&)> simulated{};
  // Where charts come from; empty, or null: there are none.
  std::function<std::unique_ptr<model::SeriesReader>()> open_series{};
};

class Sender {
 public:
  virtual ~Sender() = default;
  // One attempt, to its end, within the receiver's deadlines. One thread at a time.
  virtual Attempt send(const model::Delivery& delivery) = 0;
  // Ends what is under way, at once, and refuses more. Any thread.
  virtual void cancel() = 0;
  // "smtp://mail.example.org:587", "https://hooks.example.org": without secrets.
  virtual std::string server() const = 0;
};

// The clock outlives it.
base::Result<std::unique_ptr<Sender>> make_sender(const Receiver& receiver, base::Clock& clock,
                                                  const Surroundings& surroundings);

// Where a message of this severity goes: each of the receiver's addresses, or "" where it has none
// but its own; none where it is not told of it.
std::vector<std::string> addresses(const Receiver& receiver, std::string_view severity);

// `Name: value` lines and a bearer token, as a request's headers.
base::Result<std::vector<std::pair<std::string, std::string>>> request_headers(
    const base::Secret& lines, const base::Secret& token);

// What a web server's answer, or that there is none, means for what was sent to `server`.
Attempt judge_answer(const base::Result<http::WebResponse>& answer, const std::string& server,
                     base::WallTime now);

}  // namespace gpuscope::notify

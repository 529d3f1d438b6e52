// Sends every tick to all who listen, encoded once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "http/server.h"
#include "model/sample_sink.h"

namespace gpuscope::api {

// Where the server's listeners of ticks listen, and what an event is called.
inline constexpr std::uint32_t kTickTopic = 1;
inline constexpr std::string_view kTickEvent = "tick";

// Encodes on a thread of its own, and not at all while nobody listens. Where it is too slow, ticks
// are left out, never queued. Thread-safe, but for stop().
class LiveStream final : public model::SampleSink {
 public:
  // A stream that was quiet for so long gets a comment.
  static constexpr std::chrono::seconds kHeartbeat{15};

  // Clock and server outlive it.
  static base::Result<std::unique_ptr<LiveStream>> start(base::Clock& clock, http::Server& server);
  ~LiveStream() override;  // stops

  void take(std::shared_ptr<const model::Snapshot> snapshot) override;
  // Joins the thread. Idempotent.
  void stop();

 private:
  class Impl;
  explicit LiveStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::api

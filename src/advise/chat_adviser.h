// Second opinions of a chat model.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "advise/options.h"
#include "advise/spend_meter.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/opinion.h"
#include "model/state_store.h"

namespace gpuscope::advise {

// Upper bounds of the buckets of ChatStatus::latency, in seconds; one more bucket is behind them.
inline constexpr std::array<double, 8> kLatencyBounds{0.25, 0.5, 1, 2.5, 5, 10, 20, 30};

// Since the start of the process, but for `last_hour`.
struct ChatStatus {
  std::uint64_t requests = 0;         // that were sent
  std::uint64_t failed_requests = 0;  // of them, without a usable document: network, status, form
  std::uint64_t retries = 0;          // requests that were a second or later attempt
  std::uint64_t opinions = 0;         // that were read
  std::uint64_t unreadable = 0;       // GPUs for whom every attempt was answered badly
  std::uint64_t unreachable = 0;      // GPUs for whom no attempt was answered
  std::uint64_t over_limit = 0;       // GPUs that there was no room for
  std::uint64_t reused = 0;           // opinions that were kept from before
  std::uint64_t prompt_tokens = 0;    // as the server counts, else as estimated
  std::uint64_t answer_tokens = 0;
  double cost = 0;
  std::array<std::uint64_t, kLatencyBounds.size() + 1> latency{};  // requests, by seconds
  double latency_seconds = 0;                                      // of all together
  base::Error last_error{};                                        // also when it is over
  std::optional<base::WallTime> last_error_at{};
  std::optional<base::WallTime> last_success_at{};
  std::size_t kept = 0;  // opinions in the cache
  Spent last_hour{};
};

// The state kinds under which it keeps things: what was said and answered, and what was spent.
inline constexpr std::string_view kExchangeKind = "ai_exchange";
inline constexpr std::string_view kSpentKind = "ai_spent";
inline constexpr std::size_t kExchangesKept = 500;

// Asks for several GPUs at a time, checks every answer, and keeps opinions whose evidence has not
// changed. What it sends and gets is kept for audit, without the key. The key and other secrets are
// in no log and no error. advise() is for one caller at a time, others wait; status() and stop()
// for any thread.
class ChatAdviser final : public model::Advisor {
 public:
  // `clock` and `store` outlive it; `store` may be null: then nothing outlives the process.
  // kInvalidArgument: options that cannot be used.
  static base::Result<std::unique_ptr<ChatAdviser>> create(base::Clock& clock, ChatOptions options,
                                                           model::StateStore* store);
  ~ChatAdviser() override;

  // A GPU whose answers could all not be read has an opinion: suspicious, confidence 0, why.
  std::vector<model::Advice> advise(std::span<const model::UseEvidence> gpus) override;
  void stop() override;
  ChatStatus status() const;

 private:
  class Impl;
  explicit ChatAdviser(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::advise

// One source, sampled by a thread of its own: opened until it succeeds, read at every tick, opened
// again when its driver went away.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "collect/collector.h"
#include "model/sample_sink.h"
#include "model/source.h"

namespace gpuscope::collect {

// Thread-safe, but for join_until().
class Sampler {
 public:
  struct Pace {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds device_deadline{800};  // below the interval
    std::chrono::milliseconds window{30'000};
    friend bool operator==(const Pace&, const Pace&) = default;
  };
  struct Options {
    Pace pace;
    // Ends by itself after this long without a use(). None: never.
    std::optional<std::chrono::seconds> idle_stop;
    // Each is given every tick, in this order; they outlive the sampler. One that was left behind
    // gives them nothing any more.
    std::vector<model::SampleSink*> sinks;
  };

  // `clock` must outlive the sampler; if it is ever left behind, the process.
  static base::Result<std::unique_ptr<Sampler>> start(base::Clock& clock, const Options& options,
                                                      const std::string& name,
                                                      std::unique_ptr<model::Source> source);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // Notes that somebody wants its data. False once it has ended for want of use, or was stopped.
  bool use();
  // The same without noting it.
  bool alive() const;
  View view() const;
  // At once: the next tick is now, and the others follow it.
  void change(const Pace& pace);

  void request_stop();
  // After request_stop(), or once !alive(): joins the thread, or leaves it behind at `deadline`
  // when its source has not come back by then. False: left behind.
  bool join_until(base::SteadyTime deadline);
  // The thread has come to its end: join_until() would not wait.
  bool finished() const;

 private:
  class Core;
  explicit Sampler(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  std::shared_ptr<Core> core_;  // shared with the thread, which may have to be left behind
  std::thread thread_;
};

}  // namespace gpuscope::collect

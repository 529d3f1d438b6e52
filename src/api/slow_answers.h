// Answers that take longer than the server's thread may be held up: a few threads work them out.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "http/server.h"

namespace gpuscope::api {

struct SlowAnswersOptions {
  std::size_t workers = 2;
  std::size_t queue = 64;                   // that wait for a worker; over that: 503
  std::chrono::milliseconds limit{30'000};  // how long a request waits in all; then: 503
};

// answer() is for the server's thread; start() and stop() for the thread that owns this.
class SlowAnswers {
 public:
  // Works out one answer, on the thread of that number (from 0). Must end by itself.
  using Work = std::function<http::Response(std::size_t worker)>;

  SlowAnswers() = default;
  ~SlowAnswers() { stop(); }
  SlowAnswers(const SlowAnswers&) = delete;
  SlowAnswers& operator=(const SlowAnswers&) = delete;

  // `wake` is called on a worker's thread when an answer is there: it shall make the server ask
  // again at once. `clock` outlives this object. To be called once, before the first request.
  base::Result<void> start(base::Clock& clock, const SlowAnswersOptions& options,
                           std::function<void()> wake);
  // Drops what waits, ends what is being worked out, joins. Idempotent.
  void stop();

  // The answer to this request, or nullopt for "not yet", as http::Handler has it. Requests of the
  // same `key` share one answer while it is worked out; nobody gets one that was begun before his
  // request and is older than a second. `make` gives the work where it is not under way.
  std::optional<http::Response> answer(const std::string& key, const http::Request& request,
                                       const std::function<Work()>& make);

 private:
  struct Job {
    Work work;
    std::optional<http::Response> response;
    base::SteadyTime done{};
    bool collected = false;
  };

  void run(std::size_t worker);
  void forget_old(base::SteadyTime now) REQUIRES(mutex_);

  base::Clock* clock_ = nullptr;
  SlowAnswersOptions options_;
  std::function<void()> wake_;
  std::vector<std::thread> threads_;
  base::Mutex mutex_;
  base::CondVar there_is_work_;
  std::map<std::string, std::shared_ptr<Job>> jobs_ GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<Job>> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = true;
};

}  // namespace gpuscope::api

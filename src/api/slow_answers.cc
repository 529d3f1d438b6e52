#include "api/slow_answers.h"

#include <utility>

#include "base/thread.h"

namespace gpuscope::api {
namespace {

using base::MutexLock;

constexpr std::chrono::seconds kOldest{1};

http::Response busy(std::string_view detail) {
  http::Response response = http::error_response(503, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

base::Result<void> SlowAnswers::start(base::Clock& clock, const SlowAnswersOptions& options,
                                      std::function<void()> wake) {
  clock_ = &clock;
  options_ = options;
  wake_ = std::move(wake);
  {
    MutexLock lock(mutex_);
    stopping_ = false;
  }
  for (std::size_t worker = 0; worker < options_.workers; ++worker) {
    auto thread = base::start_thread("answers", [this, worker] { run(worker); });
    if (!thread) return std::unexpected(thread.error());
    threads_.push_back(std::move(*thread));
  }
  return {};
}

void SlowAnswers::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queue_.clear();
    there_is_work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void SlowAnswers::run(std::size_t worker) {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) there_is_work_.wait(lock);
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    http::Response response = job->work(worker);
    {
      MutexLock lock(mutex_);
      job->work = nullptr;
      job->response = std::move(response);
      job->done = clock_->steady_now();
    }
    if (wake_) wake_();
  }
}

void SlowAnswers::forget_old(base::SteadyTime now) {
  std::erase_if(jobs_, [&](const auto& job) {
    return job.second->response && now - job.second->done > kOldest;
  });
}

std::optional<http::Response> SlowAnswers::answer(const std::string& key,
                                                  const http::Request& request,
                                                  const std::function<Work()>& make) {
  MutexLock lock(mutex_);
  if (stopping_) return busy("cannot answer: the agent is ending");
  forget_old(clock_->steady_now());
  const auto found = jobs_.find(key);
  const bool is_new = request.waited == std::chrono::milliseconds{0};
  if (found != jobs_.end()) {
    Job& job = *found->second;
    if (job.response && !(is_new && job.collected)) {
      job.collected = true;
      return job.response;
    }
    if (!job.response) {
      if (request.waited < options_.limit) return std::nullopt;
      return busy("cannot answer in time: ask for less, or again later");
    }
  }
  if (queue_.size() >= options_.queue) {
    return busy("cannot answer: too many questions wait already; ask again");
  }
  auto job = std::make_shared<Job>();
  job->work = make();
  jobs_[key] = job;
  queue_.push_back(std::move(job));
  there_is_work_.notify_all();
  return std::nullopt;
}

}  // namespace gpuscope::api

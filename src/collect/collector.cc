#include "collect/collector.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "collect/sampler.h"

namespace gpuscope::collect {

using base::MutexLock;

namespace {

constexpr std::chrono::milliseconds kShortestInterval{100};
constexpr std::chrono::milliseconds kLongestInterval{60'000};
constexpr std::chrono::milliseconds kShortestWindow{1000};
constexpr std::chrono::milliseconds kLongestWindow{600'000};
constexpr std::chrono::seconds kSamplersStopLimit{2};

View failed(base::Error error) {
  View view;
  view.status.state = SourceState::kFailed;
  view.status.error = std::move(error);
  return view;
}

Sampler::Pace pace_of(const Options& options) {
  return {options.interval, options.device_deadline, options.window};
}

}  // namespace

class Collector::Impl {
 public:
  Impl(base::Clock& clock, const Options& options, std::string primary, SourceFactory factory)
      : clock_(clock),
        primary_(std::move(primary)),
        factory_(std::move(factory)),
        options_(clamped(options)) {}

  View view(std::string_view method);
  View peek(std::string_view method) const;
  std::vector<std::string> running() const;
  void add_sink(model::SampleSink& sink);
  void start();
  void change(const Options& options);
  void stop();
  const std::string& primary() const { return primary_; }

 private:
  base::Result<std::unique_ptr<Sampler>> start_sampler(const std::string& method) REQUIRES(mutex_);

  base::Clock& clock_;
  const std::string primary_;
  const SourceFactory factory_;

  mutable base::Mutex mutex_;
  Options options_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::vector<model::SampleSink*> sinks_ GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<Sampler>, std::less<>> samplers_ GUARDED_BY(mutex_);
  // Ended for want of use, and perhaps still waiting for a device.
  std::vector<std::unique_ptr<Sampler>> leaving_ GUARDED_BY(mutex_);
  // Why the primary method could not be started at all.
  base::Error primary_refused_ GUARDED_BY(mutex_);
};

View Collector::Impl::view(std::string_view method) {
  MutexLock lock(mutex_);
  if (stopped_) {
    return failed({base::ErrorKind::kUnavailable, "cannot read GPUs: the collector has stopped"});
  }
  std::erase_if(leaving_, [](const auto& sampler) { return sampler->finished(); });
  const auto found = samplers_.find(method);
  if (found != samplers_.end()) {
    if (found->second->use()) return found->second->view();
    leaving_.push_back(std::move(found->second));
    samplers_.erase(found);
  }
  std::string name(method);
  auto sampler = start_sampler(name);
  if (!sampler) {
    if (name == primary_) primary_refused_ = sampler.error();
    return failed(std::move(sampler.error()));
  }
  return samplers_.emplace(std::move(name), std::move(*sampler)).first->second->view();
}

base::Result<std::unique_ptr<Sampler>> Collector::Impl::start_sampler(const std::string& method) {
  auto source = factory_(method);
  if (!source) return std::unexpected(std::move(source.error()));
  Sampler::Options options{pace_of(options_), options_.idle_stop, {}};
  if (method == primary_) {
    options.idle_stop.reset();
    options.sinks = sinks_;
  }
  return Sampler::start(clock_, options, method, std::move(*source));
}

View Collector::Impl::peek(std::string_view method) const {
  MutexLock lock(mutex_);
  const auto found = samplers_.find(method);
  if (found != samplers_.end() && found->second->alive()) return found->second->view();
  if (method == primary_ && !primary_refused_.message.empty()) return failed(primary_refused_);
  return {};
}

std::vector<std::string> Collector::Impl::running() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, sampler] : samplers_) {
    if (sampler->alive()) names.push_back(name);
  }
  return names;
}

void Collector::Impl::add_sink(model::SampleSink& sink) {
  MutexLock lock(mutex_);
  sinks_.push_back(&sink);
}

void Collector::Impl::start() {
  {
    MutexLock lock(mutex_);
    stopped_ = false;
  }
  view(primary_);
}

void Collector::Impl::change(const Options& options) {
  MutexLock lock(mutex_);
  options_ = clamped(options);
  for (const auto& entry : samplers_) entry.second->change(pace_of(options_));
}

void Collector::Impl::stop() {
  std::vector<std::unique_ptr<Sampler>> samplers;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    samplers.swap(leaving_);
    for (auto& [name, sampler] : samplers_) samplers.push_back(std::move(sampler));
    samplers_.clear();
  }
  for (const auto& sampler : samplers) sampler->request_stop();
  const base::SteadyTime deadline = clock_.steady_now() + kSamplersStopLimit;
  for (const auto& sampler : samplers) sampler->join_until(deadline);
}

Options clamped(Options options) {
  options.interval = std::clamp(options.interval, kShortestInterval, kLongestInterval);
  // The rest of the interval is for judging, publishing and a late wake-up.
  options.device_deadline =
      std::clamp(options.device_deadline, std::chrono::milliseconds{1}, options.interval * 8 / 10);
  options.window = std::clamp(options.window, kShortestWindow, kLongestWindow);
  return options;
}

Collector::Collector(base::Clock& clock, const Options& options, std::string primary,
                     SourceFactory factory)
    : impl_(std::make_unique<Impl>(clock, options, std::move(primary), std::move(factory))) {}

Collector::~Collector() { stop(); }

void Collector::add_sink(model::SampleSink& sink) { impl_->add_sink(sink); }
void Collector::start() { impl_->start(); }
void Collector::change(const Options& options) { impl_->change(options); }
void Collector::stop() { impl_->stop(); }
const std::string& Collector::primary() const { return impl_->primary(); }
View Collector::view(std::string_view method) { return impl_->view(method); }
View Collector::peek(std::string_view method) const { return impl_->peek(method); }
std::vector<std::string> Collector::running() const { return impl_->running(); }

}  // namespace gpuscope::collect

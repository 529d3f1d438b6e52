#include "query/stored_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "model/labels.h"
#include "model/naming.h"
#include "model/trend.h"

namespace gpuscope::query {
namespace {

using base::Result;
using model::LabelledSample;
using model::LabelledSeries;
using model::SeriesRequest;
using model::SeriesSample;
using model::SeriesView;
using std::chrono::milliseconds;

constexpr std::array<double, 10> kPowers{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

// One stored series: a metric's, or with none the verdict.
struct Input {
  std::string gpu;
  std::optional<model::Metric> metric;
  std::uint32_t instance = 0;
  friend auto operator<=>(const Input&, const Input&) = default;
};

bool is_of_verdict(const SeriesView& view) {
  return view.of == SeriesView::Of::kHealth || view.of == SeriesView::Of::kOne;
}

std::vector<Input> inputs_of(const SeriesView& view) {
  if (is_of_verdict(view)) return {{.gpu = view.inputs.front().gpu, .metric = {}}};
  std::vector<Input> inputs;
  inputs.reserve(view.inputs.size());
  for (const model::SeriesKey& key : view.inputs)
    inputs.push_back({key.gpu, key.metric, key.instance});
  return inputs;
}

std::int64_t ms_of(base::WallTime time) {
  return std::chrono::floor<milliseconds>(time).time_since_epoch().count();
}

// Samples of one series on their way out, those left out that are never looked at.
class Out {
 public:
  explicit Out(const SeriesRequest& request) : request_(request) {}

  void put(std::int64_t time_ms, double value) {
    const bool stale = model::is_stale(value);
    if (samples_.empty() ? stale : stale && model::is_stale(samples_.back().value)) return;
    const std::int64_t slot = slot_of(time_ms);
    if (!samples_.empty() && slot == slot_) samples_.pop_back();
    slot_ = slot;
    samples_.push_back({time_ms, value});
  }
  std::vector<LabelledSample> take() { return std::move(samples_); }

 private:
  // Samples of the same slot hide each other: the last counts.
  std::int64_t slot_of(std::int64_t time_ms) const {
    if (request_.step_ms == 0) return time_ms;
    const std::int64_t after = time_ms - request_.steps_from_ms;
    return after <= 0 ? 0 : (after + request_.step_ms - 1) / request_.step_ms;
  }

  const SeriesRequest& request_;
  std::int64_t slot_ = 0;
  std::vector<LabelledSample> samples_{};
};

double scaled(const SeriesView& view, std::int64_t value) {
  const std::int64_t shifted =
      model::shift_rounded(value / view.divisor, view.binary_shift) * view.factor;
  return static_cast<double>(shifted) / kPowers[static_cast<std::size_t>(view.decimals)];
}

std::int64_t bit_of(const Input& input) {
  if (!input.metric || *input.metric < model::Metric::kClockEventIdle) return 0;
  const auto place = static_cast<std::size_t>(*input.metric) -
                     static_cast<std::size_t>(model::Metric::kClockEventIdle);
  return place < model::kClockEventCount ? std::int64_t{1} << place : 0;
}

// What a request gets of a view, as the samples of its inputs come in: one series, or one for each
// value that is a label, too.
class Answer {
 public:
  Answer(const SeriesView& view, const SeriesRequest& request) : view_(view), request_(request) {
    if (!view.labels_of) only_ = &series_.try_emplace(0, request).first->second;
    const std::vector<Input> inputs = inputs_of(view);
    if (inputs.size() == 1 && view.of != SeriesView::Of::kClockEvents) return;
    for (const Input& input : inputs) parts_.push_back({{}, 0, bit_of(input)});
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // `part`: which of the inputs.
  void add(std::size_t part, std::span<const SeriesSample> samples) {
    if (!parts_.empty()) {
      auto& all = parts_[part].samples;
      all.insert(all.end(), samples.begin(), samples.end());
      return;
    }
    for (const SeriesSample& sample : samples) {
      put(sample.time, view_.of == SeriesView::Of::kOne ? model::Reading::of(1) : sample.reading);
    }
  }

  // After all samples.
  void append_to(std::vector<LabelledSeries>& out) {
    combine();
    for (auto& [value, samples] : series_) {
      LabelledSeries found{view_.labels_of ? view_.labels_of(value) : view_.labels, samples.take()};
      if (!found.samples.empty() && model::fits(request_.matchers, *found.labels)) {
        out.push_back(std::move(found));
      }
    }
  }

 private:
  struct Part {
    std::vector<SeriesSample> samples;
    std::size_t next;
    std::int64_t bit;
  };

  void put(base::WallTime time, const model::Reading& reading) {
    const std::int64_t time_ms = ms_of(time);
    if (only_ != nullptr) {
      only_->put(time_ms, reading.present() ? scaled(view_, reading.value) : model::stale_marker());
      return;
    }
    if (reading.present()) {
      series_.try_emplace(reading.value, request_)
          .first->second.put(time_ms, scaled(view_, reading.value));
    }
    for (auto& [value, other] : series_) {
      if (!reading.present() || value != reading.value) other.put(time_ms, model::stale_marker());
    }
  }

  // Of one GPU: the ticks are the same.
  void combine() {
    const std::size_t empty =
        std::erase_if(parts_, [](const Part& part) { return part.samples.empty(); });
    if (parts_.empty() || (empty > 0 && view_.of == SeriesView::Of::kWholeSum)) return;
    for (const SeriesSample& sample : parts_[0].samples) put(sample.time, at(sample.time));
  }

  model::Reading at(base::WallTime time) {
    model::Reading sum;
    for (Part& part : parts_) {
      while (part.next < part.samples.size() && part.samples[part.next].time < time) ++part.next;
      if (part.next == part.samples.size() || part.samples[part.next].time != time) continue;
      const model::Reading& reading = part.samples[part.next].reading;
      if (!reading.present()) {
        if (view_.of == SeriesView::Of::kWholeSum) return reading;
        continue;
      }
      const bool mask = view_.of == SeriesView::Of::kClockEvents;
      const std::int64_t value = mask ? (reading.value != 0 ? part.bit : 0) : reading.value;
      sum = model::Reading::of(sum.value + value);
    }
    return sum;
  }

  const SeriesView& view_;
  const SeriesRequest& request_;
  std::map<std::int64_t, Out> series_{};  // by the value that is a label
  Out* only_ = nullptr;                   // where none is
  std::vector<Part> parts_{};             // of views that take more than the readings as they are
};

// What is looked at of stored series in the same ticks: each is read once, all of a GPU together.
class Pass {
 public:
  explicit Pass(const SeriesRequest& request) {
    const auto time = [](std::int64_t ms) { return base::WallTime{milliseconds{ms}}; };
    ticks_ = {.range = {time(request.begin_ms), time(request.end_ms + 1)},
              .first_end = time(request.steps_from_ms + 1),
              .step = milliseconds{request.step_ms}};
  }

  void want(const SeriesView& view, Answer& answer) {
    const std::vector<Input> inputs = inputs_of(view);
    for (std::size_t part = 0; part < inputs.size(); ++part) {
      takers_[inputs[part]].push_back({&answer, part});
    }
  }

  // Takes what it reads from the samples that are `left`.
  Result<void> read(const StoredSource& source, const model::ReadLimits& limits,
                    std::size_t& left) const {
    std::vector<model::SeriesKey> keys;
    std::vector<std::string> gpus;
    std::vector<const std::vector<Taker>*> of_keys;
    std::vector<const std::vector<Taker>*> of_gpus;
    for (const auto& [input, takers] : takers_) {
      if (input.metric) {
        keys.push_back({input.gpu, *input.metric, input.instance});
        of_keys.push_back(&takers);
      } else {
        gpus.push_back(input.gpu);
        of_gpus.push_back(&takers);
      }
    }
    const auto give_to = [&](const std::vector<const std::vector<Taker>*>& takers) {
      return [&](std::size_t place, std::span<const SeriesSample> samples) -> Result<void> {
        if (limits.go_on) {
          if (auto on = limits.go_on(); !on) return on;
        }
        if (samples.size() > left) {
          return base::fail(base::ErrorKind::kInvalidArgument,
                            fmt::format("cannot read more than {} samples at a time; ask for fewer "
                                        "series or less time",
                                        limits.samples));
        }
        left -= samples.size();
        for (const auto& [answer, part] : *takers[place]) answer->add(part, samples);
        return {};
      };
    };
    if (!keys.empty()) {
      if (auto done = source.reader->visit(keys, ticks_, give_to(of_keys)); !done) return done;
    }
    return gpus.empty() ? Result<void>{} : source.health(gpus, ticks_, give_to(of_gpus));
  }

 private:
  struct Taker {
    Answer* answer;
    std::size_t part;
  };
  model::Ticks ticks_;
  std::map<Input, std::vector<Taker>> takers_{};
};

// Whether a view may fit; where values are labels, only they can tell.
bool may_fit(const SeriesView& view, std::span<const model::LabelMatcher> matchers) {
  return view.labels_of || model::fits(matchers, *view.labels);
}

}  // namespace

ViewIndex::ViewIndex(std::vector<SeriesView> views) : views_(std::move(views)) {
  for (const SeriesView& view : views_) {
    by_name_[std::string(model::label_value(*view.labels, model::kNameLabel))].push_back(&view);
  }
}

std::vector<const SeriesView*> ViewIndex::find(
    std::span<const model::LabelMatcher> matchers) const {
  for (const model::LabelMatcher& matcher : matchers) {
    if (matcher.label != model::kNameLabel || matcher.kind != model::LabelMatcher::Kind::kEqual)
      continue;
    const auto found = by_name_.find(matcher.value);
    return found == by_name_.end() ? std::vector<const SeriesView*>() : found->second;
  }
  std::vector<const SeriesView*> all;
  for (const auto& [name, views] : by_name_) {
    const bool named = std::ranges::all_of(matchers, [&](const model::LabelMatcher& matcher) {
      return matcher.label != model::kNameLabel || matcher.fits(name);
    });
    if (named) all.insert(all.end(), views.begin(), views.end());
  }
  return all;
}

Result<std::vector<std::vector<LabelledSeries>>> StoredSeries::read(
    std::span<const SeriesRequest> requests, const model::ReadLimits& limits) const {
  const auto index = source_.views();
  if (!index) return std::unexpected(index.error());
  // By what is looked at; requests and answers stay where they are.
  std::map<std::array<std::int64_t, 4>, Pass> passes;
  std::vector<std::list<Answer>> wanted(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const SeriesRequest& request = requests[i];
    Pass& pass =
        passes
            .try_emplace({request.begin_ms, request.end_ms, request.step_ms, request.steps_from_ms},
                         request)
            .first->second;
    for (const SeriesView* view : (*index)->find(request.matchers)) {
      if (may_fit(*view, request.matchers)) {
        pass.want(*view, wanted[i].emplace_back(*view, request));
      }
    }
  }
  std::size_t left = limits.samples;
  for (const auto& [ticks, pass] : passes) {
    if (auto done = pass.read(source_, limits, left); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  std::vector<std::vector<LabelledSeries>> answers(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (Answer& answer : wanted[i]) answer.append_to(answers[i]);
  }
  return answers;
}

Result<std::vector<model::LabelsPtr>> StoredSeries::labels(const SeriesRequest& request,
                                                           std::size_t most) const {
  const auto index = source_.views();
  if (!index) return std::unexpected(index.error());
  std::vector<model::LabelsPtr> found;
  const model::ReadLimits limits;
  for (const SeriesView* view : (*index)->find(request.matchers)) {
    if (!may_fit(*view, request.matchers)) continue;
    if (!view->labels_of) {
      found.push_back(view->labels);
    } else {
      Answer answer(*view, request);
      Pass pass(request);
      pass.want(*view, answer);
      std::size_t left = limits.samples;
      if (auto read = pass.read(source_, limits, left); !read) {
        return std::unexpected(std::move(read.error()));
      }
      std::vector<LabelledSeries> series;
      answer.append_to(series);
      for (LabelledSeries& each : series) found.push_back(std::move(each.labels));
    }
    if (found.size() >= most) break;
  }
  if (found.size() > most) found.resize(most);
  return found;
}

}  // namespace gpuscope::query

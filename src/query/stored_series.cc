#include "query/stored_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
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

// The stored series of one evaluation, each read once.
class Inputs {
 public:
  Inputs(const StoredSource& source, const model::ReadLimits& limits)
      : source_(source), limits_(limits) {}

  void want(const SeriesView& view, const SeriesRequest& request) {
    using namespace std::chrono;
    const base::WallTime begin{milliseconds{request.begin_ms}};
    const base::WallTime end{milliseconds{request.end_ms + 1}};
    for (const Input& input : inputs_of(view)) {
      auto& range = ranges_.try_emplace(input, model::TimeRange{begin, end}).first->second;
      range.begin = std::min(range.begin, begin);
      range.end = std::max(range.end, end);
    }
  }

  Result<void> read() {
    std::size_t left = limits_.samples;
    for (const auto& [input, range] : ranges_) {
      if (limits_.go_on) {
        if (auto on = limits_.go_on(); !on) return on;
      }
      auto samples =
          input.metric ? source_.reader->samples({input.gpu, *input.metric, input.instance}, range)
                       : source_.health(input.gpu, range);
      if (!samples) {
        // A view of what has been removed meanwhile.
        if (samples.error().kind == base::ErrorKind::kNotFound) continue;
        return std::unexpected(std::move(samples.error()));
      }
      if (samples->size() > left) {
        return base::fail(base::ErrorKind::kInvalidArgument,
                          fmt::format("cannot read more than {} samples at a time; ask for fewer "
                                      "series or less time",
                                      limits_.samples));
      }
      left -= samples->size();
      read_.emplace(input, std::move(*samples));
    }
    return {};
  }

  // Null: there is nothing.
  const std::vector<SeriesSample>* of(const Input& input) const {
    const auto found = read_.find(input);
    return found == read_.end() ? nullptr : &found->second;
  }

 private:
  const StoredSource& source_;
  const model::ReadLimits& limits_;
  std::map<Input, model::TimeRange> ranges_{};
  std::map<Input, std::vector<SeriesSample>> read_{};
};

// The reading that a view's inputs make together at each tick.
class Combined {
 public:
  Combined(const SeriesView& view, const Inputs& inputs) : view_(view) {
    for (const Input& input : inputs_of(view)) {
      const auto* const samples = inputs.of(input);
      if (samples == nullptr || samples->empty()) continue;
      parts_.push_back({samples, 0, bit_of(input)});
    }
    whole_ = parts_.size() == inputs_of(view).size();
  }

  template <typename Visit>
  void for_each(Visit visit) {
    if (parts_.empty() || (!whole_ && view_.of == SeriesView::Of::kWholeSum)) return;
    if (parts_.size() == 1 && view_.of != SeriesView::Of::kClockEvents) {
      for (const SeriesSample& sample : *parts_[0].samples) {
        visit(ms_of(sample.time),
              view_.of == SeriesView::Of::kOne ? model::Reading::of(1) : sample.reading);
      }
      return;
    }
    // Of one GPU: the ticks are the same.
    for (const SeriesSample& sample : *parts_[0].samples) {
      visit(ms_of(sample.time), at(sample.time));
    }
  }

 private:
  struct Part {
    const std::vector<SeriesSample>* samples;
    std::size_t next;
    std::int64_t bit;
  };

  static std::int64_t bit_of(const Input& input) {
    if (!input.metric || *input.metric < model::Metric::kClockEventIdle) return 0;
    const auto place = static_cast<std::size_t>(*input.metric) -
                       static_cast<std::size_t>(model::Metric::kClockEventIdle);
    return place < model::kClockEventCount ? std::int64_t{1} << place : 0;
  }

  model::Reading at(base::WallTime time) {
    model::Reading sum;
    for (Part& part : parts_) {
      while (part.next < part.samples->size() && (*part.samples)[part.next].time < time)
        ++part.next;
      if (part.next == part.samples->size() || (*part.samples)[part.next].time != time) continue;
      const model::Reading& reading = (*part.samples)[part.next].reading;
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
  bool whole_ = false;
  std::vector<Part> parts_{};
};

// A view's series: one, or one for each value that is a label, too.
void append_series(const SeriesView& view, const Inputs& inputs, const SeriesRequest& request,
                   std::vector<LabelledSeries>& out) {
  std::map<std::int64_t, Out> series;
  Out* only = view.labels_of ? nullptr : &series.try_emplace(0, request).first->second;
  Combined(view, inputs).for_each([&](std::int64_t time_ms, const model::Reading& reading) {
    if (time_ms < request.begin_ms || time_ms > request.end_ms) return;
    if (only != nullptr) {
      only->put(time_ms, reading.present() ? scaled(view, reading.value) : model::stale_marker());
      return;
    }
    if (reading.present()) {
      series.try_emplace(reading.value, request)
          .first->second.put(time_ms, scaled(view, reading.value));
    }
    for (auto& [value, other] : series) {
      if (!reading.present() || value != reading.value) other.put(time_ms, model::stale_marker());
    }
  });
  for (auto& [value, samples] : series) {
    LabelledSeries found{view.labels_of ? view.labels_of(value) : view.labels, samples.take()};
    if (!found.samples.empty() && model::fits(request.matchers, *found.labels)) {
      out.push_back(std::move(found));
    }
  }
}

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
  Inputs inputs(source_, limits);
  std::vector<std::vector<const SeriesView*>> wanted;
  for (const SeriesRequest& request : requests) {
    auto& views = wanted.emplace_back();
    for (const SeriesView* view : (*index)->find(request.matchers)) {
      if (!may_fit(*view, request.matchers)) continue;
      views.push_back(view);
      inputs.want(*view, request);
    }
  }
  if (auto read = inputs.read(); !read) return std::unexpected(std::move(read.error()));
  std::vector<std::vector<LabelledSeries>> answers(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (const SeriesView* view : wanted[i]) append_series(*view, inputs, requests[i], answers[i]);
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
      Inputs inputs(source_, limits);
      inputs.want(*view, request);
      if (auto read = inputs.read(); !read) return std::unexpected(std::move(read.error()));
      std::vector<LabelledSeries> series;
      append_series(*view, inputs, request, series);
      for (LabelledSeries& each : series) found.push_back(std::move(each.labels));
    }
    if (found.size() >= most) break;
  }
  if (found.size() > most) found.resize(most);
  return found;
}

}  // namespace gpuscope::query

// Series held in memory: for tests and measurements.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "model/labelled_series.h"

namespace gpuscope::query {

class MemorySeries final : public model::LabelledSeriesReader {
 public:
  // In any order of labels and of series; samples in order of time.
  void add(model::Labels labels, std::vector<model::LabelledSample> samples) {
    std::ranges::sort(labels);
    series_.push_back(
        {std::make_shared<const model::Labels>(std::move(labels)), std::move(samples)});
  }
  const std::vector<model::LabelledSeries>& all() const { return series_; }
  // How many requests were answered.
  std::size_t requests() const { return requests_; }

  base::Result<std::vector<std::vector<model::LabelledSeries>>> read(
      std::span<const model::SeriesRequest> requests,
      const model::ReadLimits& limits) const override {
    std::vector<std::vector<model::LabelledSeries>> answers;
    std::size_t samples = 0;
    for (const model::SeriesRequest& request : requests) {
      ++requests_;
      if (limits.go_on) {
        if (auto on = limits.go_on(); !on) return std::unexpected(std::move(on.error()));
      }
      auto& answer = answers.emplace_back();
      for (const model::LabelledSeries& series : series_) {
        if (!model::fits(request.matchers, *series.labels)) continue;
        answer.push_back({series.labels, cut(series.samples, request)});
        samples += answer.back().samples.size();
        if (samples > limits.samples) {
          return base::fail(base::ErrorKind::kInvalidArgument, "cannot read so many samples");
        }
      }
    }
    return answers;
  }

  base::Result<std::vector<model::LabelsPtr>> labels(const model::SeriesRequest& request,
                                                     std::size_t most) const override {
    std::vector<model::LabelsPtr> found;
    for (const model::LabelledSeries& series : series_) {
      const bool fits =
          model::fits(request.matchers, *series.labels) && !cut(series.samples, request).empty();
      if (fits && found.size() < most) found.push_back(series.labels);
    }
    return found;
  }

 private:
  static std::vector<model::LabelledSample> cut(const std::vector<model::LabelledSample>& samples,
                                                const model::SeriesRequest& request) {
    const auto first =
        std::ranges::lower_bound(samples, request.begin_ms, {}, &model::LabelledSample::time_ms);
    const auto end =
        std::ranges::upper_bound(samples, request.end_ms, {}, &model::LabelledSample::time_ms);
    return first < end ? std::vector<model::LabelledSample>(first, end)
                       : std::vector<model::LabelledSample>();
  }

  std::vector<model::LabelledSeries> series_;
  mutable std::size_t requests_ = 0;
};

}  // namespace gpuscope::query

// What is kept by metric, as series by labels: the port of expressions over the agent's own
// history.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/labelled_series.h"
#include "model/series.h"
#include "model/series_view.h"

namespace gpuscope::query {

// Views by the names of their series. Immutable; thread-safe.
class ViewIndex {
 public:
  explicit ViewIndex(std::vector<model::SeriesView> views);
  ViewIndex(const ViewIndex&) = delete;
  ViewIndex& operator=(const ViewIndex&) = delete;

  std::span<const model::SeriesView> all() const { return views_; }
  // Those that may fit: all of a name where the matchers name one.
  std::vector<const model::SeriesView*> find(std::span<const model::LabelMatcher> matchers) const;

 private:
  std::vector<model::SeriesView> views_;
  std::unordered_map<std::string, std::vector<const model::SeriesView*>> by_name_;
};

// What series are read from. All is called by several threads at once.
struct StoredSource {
  std::shared_ptr<const model::SeriesReader> reader;  // never null
  // The verdicts on GPUs, as SeriesReader::visit() gives metrics; every tick is there.
  std::function<base::Result<void>(std::span<const std::string> gpus, const model::Ticks& ticks,
                                   const model::SampleVisitor& visit)>
      health;
  // The views there are now.
  std::function<base::Result<std::shared_ptr<const ViewIndex>>()> views;
};

// A reading without a value where there was one before is a staleness marker. What several views
// have of the same times of a reading is read once.
class StoredSeries final : public model::LabelledSeriesReader {
 public:
  explicit StoredSeries(StoredSource source) : source_(std::move(source)) {}

  base::Result<std::vector<std::vector<model::LabelledSeries>>> read(
      std::span<const model::SeriesRequest> requests,
      const model::ReadLimits& limits) const override;
  // Those of all time: when they had samples is not looked at.
  base::Result<std::vector<model::LabelsPtr>> labels(const model::SeriesRequest& request,
                                                     std::size_t most) const override;

 private:
  const StoredSource source_;
};

}  // namespace gpuscope::query

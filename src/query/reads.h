// What evaluations read, each selector once: for query/ alone.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/labelled_series.h"
#include "query/node.h"
#include "query/query.h"

namespace gpuscope::query {

// The steps at which the inside of a subquery is evaluated for one that is looked at at `steps`:
// multiples of its own step since 1970, over all that its ranges reach. None: none lies in them.
std::optional<Steps> subquery_steps(const Node& node, const Steps& steps, const Limits& limits);

// Not thread-safe; what it is made of outlives it.
class Reads {
 public:
  Reads(const model::LabelledSeriesReader& reader, const Limits& limits)
      : reader_(reader), limits_(limits) {}

  // By the text of the matchers.
  using Wanted = std::map<std::string, model::SeriesRequest>;
  // Adds what evaluating a node at these steps needs and has not been read.
  void want(const Node& node, const Steps& steps, Wanted& wanted) const;
  base::Result<void> fetch(const Wanted& wanted);
  // Of a selector that was wanted and fetched; none of them without samples.
  const std::vector<model::LabelledSeries>& of(const Node& selector) const {
    return reads_.at(selector.matchers_text).series;
  }
  // Labels of a series that was read without `__name__`: made once.
  const LabelsPtr& nameless(const LabelsPtr& labels) const;

 private:
  struct Read {
    model::SeriesRequest request;
    std::vector<model::LabelledSeries> series;
  };

  model::SeriesRequest request_of(const Node& node, const Steps& steps) const;

  const model::LabelledSeriesReader& reader_;
  const Limits& limits_;
  std::map<std::string, Read> reads_{};  // by the text of the matchers
  std::size_t held_ = 0;                 // samples in reads_, and in those that were replaced
  struct Nameless {
    LabelsPtr whole;  // so that no other labels come to lie where they do
    LabelsPtr rest;
  };
  mutable std::unordered_map<const Labels*, Nameless> nameless_{};
};

std::unexpected<base::Error> too_many_samples(std::size_t most);

}  // namespace gpuscope::query

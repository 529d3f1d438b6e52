#include "query/reads.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "query/grid.h"

namespace gpuscope::query {
namespace {

using base::ErrorKind;
using base::Result;
using model::LabelledSeries;
using model::SeriesRequest;

// Whether the samples of the one request answer the other, too.
bool covers(const SeriesRequest& have, const SeriesRequest& need) {
  if (have.begin_ms > need.begin_ms || have.end_ms < need.end_ms) return false;
  return have.step_ms == 0 || (have.step_ms == need.step_ms && have.end_ms == need.end_ms &&
                               have.steps_from_ms == need.steps_from_ms);
}

SeriesRequest join(SeriesRequest left, const SeriesRequest& right) {
  const bool alike = left.step_ms == right.step_ms && left.steps_from_ms == right.steps_from_ms &&
                     left.end_ms == right.end_ms;
  if (!alike) left.step_ms = left.steps_from_ms = 0;
  left.begin_ms = std::min(left.begin_ms, right.begin_ms);
  left.end_ms = std::max(left.end_ms, right.end_ms);
  return left;
}

}  // namespace

std::unexpected<base::Error> too_many_samples(std::size_t most) {
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot evaluate the expression: it would hold more than {} "
                                "samples at a time; ask for fewer series or less time",
                                most));
}

std::optional<Steps> subquery_steps(const Node& node, const Steps& steps, const Limits& limits) {
  const std::int64_t step = node.step_ms != 0 ? node.step_ms : limits.subquery_step.count();
  const std::int64_t from = steps.start_ms - node.offset_ms - node.range_ms;
  std::int64_t start = from / step * step;
  if (start < from) start += step;
  const std::int64_t end = steps.end_ms - node.offset_ms;
  if (start > end) return std::nullopt;
  return Steps{start, end, step};
}

SeriesRequest Reads::request_of(const Node& node, const Steps& steps) const {
  const std::int64_t first = steps.start_ms - node.offset_ms;
  const std::int64_t last = steps.time(steps.count() - 1) - node.offset_ms;
  SeriesRequest request{.matchers = node.matchers, .begin_ms = first, .end_ms = last};
  if (node.range_ms != 0) {
    request.begin_ms -= node.range_ms;
  } else {
    request.begin_ms -= limits_.lookback.count();
    request.step_ms = steps.step_ms;
    request.steps_from_ms = first;
  }
  return request;
}

const LabelsPtr& Reads::nameless(const LabelsPtr& labels) const {
  const auto [at, fresh] = nameless_.try_emplace(labels.get());
  if (fresh) at->second = {labels, without_name(labels)};
  return at->second.rest;
}

void Reads::want(const Node& node, const Steps& steps, Wanted& wanted) const {
  if (node.kind == NodeKind::kSubquery) {
    if (const auto inner = subquery_steps(node, steps, limits_)) {
      want(*node.parts[0], *inner, wanted);
    }
    return;
  }
  if (node.kind == NodeKind::kSelector) {
    const SeriesRequest request = request_of(node, steps);
    const auto have = reads_.find(node.matchers_text);
    if (have != reads_.end() && covers(have->second.request, request)) return;
    const auto at = wanted.find(node.matchers_text);
    if (at == wanted.end()) {
      wanted.emplace(node.matchers_text, request);
    } else {
      at->second = join(std::move(at->second), request);
    }
  }
  for (const NodePtr& part : node.parts) want(*part, steps, wanted);
}

Result<void> Reads::fetch(const Wanted& wanted) {
  if (wanted.empty()) return {};
  std::vector<SeriesRequest> requests;
  requests.reserve(wanted.size());
  for (const auto& [text, request] : wanted) requests.push_back(request);
  const std::size_t left = limits_.samples - std::min(held_, limits_.samples);
  auto answers = reader_.read(requests, {.samples = left, .go_on = limits_.go_on});
  if (!answers) return std::unexpected(std::move(answers.error()));
  if (answers->size() != requests.size()) {
    return base::fail(ErrorKind::kInternal, "cannot evaluate the expression: series are missing");
  }
  std::size_t i = 0;
  for (const auto& [text, request] : wanted) {
    std::erase_if((*answers)[i],
                  [](const LabelledSeries& series) { return series.samples.empty(); });
    for (const LabelledSeries& series : (*answers)[i]) held_ += series.samples.size();
    reads_[text] = {request, std::move((*answers)[i])};
    ++i;
  }
  return held_ <= limits_.samples ? Result<void>{} : too_many_samples(limits_.samples);
}

}  // namespace gpuscope::query

// The series that a Prometheus would have of an agent's GPUs, as views of what the history keeps.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/series.h"
#include "model/series_view.h"
#include "model/snapshot.h"
#include "prom/exposition.h"
#include "wire/metrics_text.h"

namespace gpuscope::prom {

// Views under the names of /gpu/metric and /metrics, with the labels that those pages give them
// (but `gpu_health`, which would end a series whenever it changes) and `labels` beside. Names and
// labels are read off the pages themselves, of a tick in which all of `keys` have a value; what
// takes more than readings and the verdict of one tick has no view. In the order of the pages, none
// of them twice. `inventory` has each GPU at its index, those without UUID are left out.
std::vector<model::SeriesView> series_views(const wire::MetricsOptions& metrics,
                                            const Labels& labels,
                                            std::shared_ptr<const model::Inventory> inventory,
                                            std::span<const model::SeriesKey> keys);

}  // namespace gpuscope::prom

#include "series_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "history/reader.h"
#include "model/labels.h"
#include "prom/series_views.h"
#include "query/stored_series.h"

namespace gpuscope::app {
namespace {

using base::Result;
using model::Inventory;
using model::SeriesKey;
using query::ViewIndex;

// What is kept anew may be seen so much later.
constexpr std::chrono::seconds kLookAgain{2};
constexpr std::size_t kMostIndexes = 4096;

// The views of all GPUs that the history knows: made again when what there is has changed.
class Views {
 public:
  Views(std::shared_ptr<const history::HistoryReader> reader, wire::MetricsOptions metrics,
        prom::Labels labels, const collect::Collector& collector, const base::Clock& clock)
      : reader_(std::move(reader)),
        metrics_(std::move(metrics)),
        labels_(std::move(labels)),
        collector_(collector),
        clock_(clock) {}

  Result<std::shared_ptr<const ViewIndex>> get() {
    const base::MutexLock lock(mutex_);
    const auto now = clock_.steady_now();
    const auto snapshot = collector_.peek(collector_.primary()).snapshot;
    const auto live = snapshot ? snapshot->inventory : nullptr;
    if (index_ && live == live_ && now < look_again_) return index_;
    auto keys = reader_->select({});
    if (!keys) return std::unexpected(std::move(keys.error()));
    look_again_ = now + kLookAgain;
    if (index_ && live == live_ && *keys == keys_) return index_;
    auto views = make(live, *keys);
    if (!views) return std::unexpected(std::move(views.error()));
    index_ = std::make_shared<const ViewIndex>(std::move(*views));
    live_ = live;
    keys_ = std::move(*keys);
    return index_;
  }

 private:
  Result<std::vector<model::SeriesView>> make(const std::shared_ptr<const Inventory>& live,
                                              const std::vector<SeriesKey>& keys) const {
    std::vector<model::SeriesView> views;
    const auto add = [&](const std::shared_ptr<const Inventory>& inventory) {
      auto more = prom::series_views(metrics_, labels_, inventory, keys);
      views.insert(views.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    };
    auto stored = reader_->gpus();
    if (!stored) return std::unexpected(std::move(stored.error()));
    std::set<std::string, std::less<>> here;
    if (live) {
      // Where GPUs are now, with what is stored of them: that is what is sent, too.
      auto inventory = std::make_shared<Inventory>(*live);
      for (model::GpuInfo& gpu : inventory->gpus) {
        const auto known = std::ranges::find(*stored, gpu.uuid(), &history::StoredGpu::uuid);
        here.insert(gpu.uuid());
        if (known == stored->end()) continue;
        gpu = std::move(known->info);
        gpu.fact(model::Fact::kUuid) = model::Text::of(known->uuid);
      }
      add(inventory);
    }
    std::erase_if(*stored, [&](const auto& gpu) { return here.contains(gpu.uuid); });
    while (!stored->empty()) add(take_some(*stored));
    if (auto up = make_up(keys, here)) views.push_back(std::move(*up));
    return views;
  }

  // Takes GPUs that have left, as many as fit together, each where it probably was.
  static std::shared_ptr<const Inventory> take_some(std::vector<history::StoredGpu>& gpus) {
    auto inventory = std::make_shared<Inventory>();
    inventory->method = "history";
    inventory->simulated = gpus.front().simulated;
    std::erase_if(gpus, [&](history::StoredGpu& gpu) {
      const bool has_place = gpu.minor.present() && gpu.minor.value >= 0 &&
                             static_cast<std::size_t>(gpu.minor.value) < kMostIndexes;
      const std::size_t place = has_place ? static_cast<std::size_t>(gpu.minor.value) : 0;
      if (gpu.simulated != inventory->simulated) return false;
      if (place < inventory->gpus.size() && !inventory->gpus[place].uuid().empty()) return false;
      if (place >= inventory->gpus.size()) inventory->gpus.resize(place + 1);
      inventory->gpus[place] = std::move(gpu.info);
      inventory->gpus[place].fact(model::Fact::kUuid) = model::Text::of(gpu.uuid);
      return true;
    });
    return inventory;
  }

  // 1 at every tick of a GPU that is there, or was.
  std::optional<model::SeriesView> make_up(const std::vector<SeriesKey>& keys,
                                           const std::set<std::string, std::less<>>& here) const {
    auto key = std::ranges::find_if(keys, [&](const auto& k) { return here.contains(k.gpu); });
    if (key == keys.end()) key = keys.begin();
    if (key == keys.end()) return std::nullopt;
    model::Labels labels = labels_;
    labels.emplace_back(model::kNameLabel, "up");
    std::ranges::sort(labels);
    model::SeriesView view{.labels = std::make_shared<const model::Labels>(std::move(labels)),
                           .of = model::SeriesView::Of::kOne,
                           .inputs = {*key}};
    return view;
  }

  const std::shared_ptr<const history::HistoryReader> reader_;
  const wire::MetricsOptions metrics_;
  const prom::Labels labels_;
  const collect::Collector& collector_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  std::shared_ptr<const ViewIndex> index_ GUARDED_BY(mutex_);
  std::shared_ptr<const Inventory> live_ GUARDED_BY(mutex_);
  std::vector<SeriesKey> keys_ GUARDED_BY(mutex_);
  base::SteadyTime look_again_ GUARDED_BY(mutex_){};
};

}  // namespace

prom::Labels agent_labels(const config::AgentSettings& settings,
                          const wire::MetricsOptions& metrics, std::uint16_t port) {
  prom::Labels labels = settings.remote_write.labels;
  const std::pair<const char*, std::string> ours[] = {
      {"instance", fmt::format("{}:{}", metrics.hostname, port)}, {"job", "gpuscope"}};
  for (const auto& [name, value] : ours) {
    const bool given =
        std::ranges::any_of(labels, [&](const auto& label) { return label.first == name; });
    if (!given) labels.emplace_back(name, value);
  }
  std::ranges::sort(labels);
  return labels;
}

std::shared_ptr<const model::LabelledSeriesReader> agent_series(const history::History* history,
                                                                const wire::MetricsOptions& metrics,
                                                                const prom::Labels& labels,
                                                                const collect::Collector& collector,
                                                                const base::Clock& clock) {
  if (history == nullptr) return nullptr;
  const std::shared_ptr<const history::HistoryReader> reader = history->reader();
  auto views = std::make_shared<Views>(reader, metrics, labels, collector, clock);
  return std::make_shared<query::StoredSeries>(
      query::StoredSource{.reader = reader,
                          .health = std::bind_front(&history::HistoryReader::visit_health, reader),
                          .views = [views] { return views->get(); }});
}

api::QuerySetup query_setup(const config::AgentSettings& settings,
                            std::shared_ptr<const model::LabelledSeriesReader> series,
                            const api::HistorySetup& history) {
  api::QuerySetup setup;
  setup.subquery_step = settings.alerts.options.interval;
  setup.series = std::move(series);
  setup.why_none = history.why_none;
  setup.wake = history.wake;
  return setup;
}

}  // namespace gpuscope::app

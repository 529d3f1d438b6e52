#include <utility>

#include "collect/collector.h"
#include "collect/machine_reader.h"
#include "collect/trend.h"

namespace gpuscope::collect {

base::Result<std::shared_ptr<const model::Snapshot>> sample_once(
    base::Clock& clock, const Options& options, std::unique_ptr<model::Source> source) {
  const std::shared_ptr<model::Source> shared = std::move(source);
  auto inventory = shared->open();
  if (!inventory) return std::unexpected(std::move(inventory.error()));
  Trends trends({options.window, options.interval});
  auto reader = MachineReader::start(clock, shared, std::move(*inventory), &trends);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return (*reader)->read(1, clock.steady_now() + options.device_deadline, {}).snapshot;
}

}  // namespace gpuscope::collect

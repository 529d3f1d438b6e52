#include "collect/machine_reader.h"

#include <utility>

#include "health/health.h"

namespace gpuscope::collect {
namespace {

// A device that is lost is lost as a whole, however far its last read came.
void settle(model::DeviceSample& device) {
  if (device.at(model::Metric::kTemperature).absence != model::Absence::kGone) return;
  device.mark_absent(model::Absence::kGone, /*keep_once=*/true);
}

}  // namespace

base::Result<std::unique_ptr<MachineReader>> MachineReader::start(
    base::Clock& clock, std::shared_ptr<model::Source> source,
    std::shared_ptr<const model::Inventory> inventory, Trends* trends) {
  std::unique_ptr<MachineReader> reader(
      new MachineReader(clock, std::move(source), std::move(inventory), trends));
  if (!reader->source_->devices_may_block()) return reader;
  auto crew = DeviceCrew::start(clock, reader->source_, reader->inventory_->gpus.size());
  if (!crew) return std::unexpected(std::move(crew.error()));
  reader->crew_ = std::move(*crew);
  return reader;
}

MachineReader::Reading MachineReader::read(std::uint64_t sequence, base::SteadyTime deadline,
                                           const std::stop_token& stop) {
  auto snapshot = pool_.take();
  const std::size_t devices = inventory_->gpus.size();
  snapshot->sequence = sequence;
  snapshot->time = clock_.wall_now();
  snapshot->inventory = inventory_;
  snapshot->devices.resize(devices);
  snapshot->verdicts.resize(devices);
  std::size_t timeouts = 0;
  if (crew_) {
    timeouts = crew_->read(snapshot->time, deadline, stop, previous_.get(), snapshot->devices);
  } else {
    read_inline(*snapshot);
  }
  for (model::DeviceSample& device : snapshot->devices) settle(device);
  // Before the verdict: rules look at what is counted here.
  if (trends_ != nullptr) trends_->follow(*snapshot, clock_.steady_now());
  for (std::size_t i = 0; i < devices; ++i) {
    const bool followed = i < snapshot->trends.size();
    snapshot->verdicts[i] =
        health::judge(inventory_->rules, snapshot->devices[i],
                      followed ? &snapshot->trends[i] : nullptr, snapshot->time);
  }
  previous_ = snapshot;
  return {std::move(snapshot), timeouts};
}

void MachineReader::read_inline(model::Snapshot& snapshot) {
  for (std::size_t i = 0; i < snapshot.devices.size(); ++i) {
    // A source finds what its last read of the device left.
    if (previous_) snapshot.devices[i] = previous_->devices[i];
    source_->read(i, snapshot.time, snapshot.devices[i]);
  }
}

}  // namespace gpuscope::collect

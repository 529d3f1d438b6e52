// What the tests of recordings share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_folder.h"
#include "device/replay/recording_file.h"
#include "device/replay/recording_reader.h"
#include "model/catalog.h"
#include "model/snapshot.h"

namespace gpuscope::device::replay {

using Folder = base::TemporaryFolder;

// All that a device's sample says, as text that can be compared and shown. The values of absent
// readings say nothing.
inline std::string text_of(const model::DeviceSample& sample) {
  std::string text;
  const auto add = [&text](const auto& row) {
    for (const model::Reading& reading : row) {
      text += reading.present() ? std::to_string(reading.value)
                                : std::string(model::absence_name(reading.absence));
      text += ' ';
    }
    text += '\n';
  };
  add(sample.gpu);
  for (const auto& fan : sample.fans) add(fan);
  text += "links\n";
  for (const auto& link : sample.links) add(link);
  for (const auto& instance : sample.mig_instances) {
    text += "mig " + std::to_string(instance.gpu_instance_id) + ' ' +
            std::to_string(instance.compute_instance_id) + ' ' + instance.uuid + ' ' +
            instance.profile + ' ';
    add(instance.row);
  }
  text += "processes " + std::string(model::absence_name(sample.processes_absence)) + '\n';
  for (const auto& process : sample.processes) {
    text += std::to_string(process.pid) + ' ' + std::to_string(static_cast<int>(process.type)) +
            ' ' + process.name + ' ';
    add(process.row);
  }
  if (sample.source_verdict) {
    text += "verdict " + std::to_string(static_cast<int>(sample.source_verdict->health)) + ' ' +
            sample.source_verdict->text + '\n';
  }
  for (const auto& spread : sample.spreads) {
    if (spread.present) {
      text += "spread " + std::to_string(spread.min) + ' ' + std::to_string(spread.max) + '\n';
    }
  }
  for (const auto link : sample.peers) text += "peer " + std::to_string(static_cast<int>(link));
  for (const auto& event : sample.events) {
    text += "event " + std::to_string(static_cast<int>(event.kind)) + ' ' +
            std::to_string(event.code) + ' ' +
            std::to_string(event.time.time_since_epoch().count()) + '\n';
  }
  return text;
}

inline std::string text_of(const model::Inventory& inventory) {
  std::string text = inventory.method + (inventory.simulated ? " simulated " : " real ") +
                     std::to_string(static_cast<int>(inventory.rules)) + '\n';
  for (const auto& gpu : inventory.gpus) {
    for (const auto& fact : gpu.facts) {
      text += std::string(model::absence_name(fact.absence)) + ' ' + fact.value + '\n';
    }
  }
  return text;
}

inline std::string text_of(const std::vector<model::DeviceSample>& devices) {
  std::string text;
  for (const auto& device : devices) text += text_of(device);
  return text;
}

// What a tick says, with its time and place, whether recorded or not.
inline std::string text_of(const auto& tick) {
  return std::to_string(tick.time.time_since_epoch().count()) + ' ' +
         std::to_string(tick.sequence) + ' ' + text_of(*tick.inventory) + text_of(tick.devices);
}

// Machines that change in every way there is, at random but always the same.
class RandomMachine {
 public:
  explicit RandomMachine(std::uint32_t seed) : random_(seed) {
    snapshot_.time = base::WallTime{std::chrono::seconds{1'780'000'000}};
    open();
  }

  std::shared_ptr<const model::Snapshot> tick() {
    if (one_in(20)) open();
    snapshot_.sequence += 1 + below(3);
    snapshot_.time += std::chrono::microseconds{below(3'000'000)};
    for (auto& device : snapshot_.devices) change(device);
    return std::make_shared<const model::Snapshot>(snapshot_);
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_()) % limit; }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  std::string word() {
    std::string text(below(40), ' ');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  }
  std::int64_t number() {
    switch (below(6)) {
      case 0:
        return INT64_MIN;
      case 1:
        return INT64_MAX;
      case 2:
        return static_cast<std::int64_t>(std::uint64_t{random_()} << 32 | random_());
      default:
        return static_cast<std::int64_t>(below(1000)) - 100;
    }
  }
  model::Reading reading() {
    if (one_in(3)) {
      return model::Reading::none(static_cast<model::Absence>(1 + below(model::kAbsenceCount - 1)));
    }
    return model::Reading::of(number());
  }
  void open() {
    auto inventory = std::make_shared<model::Inventory>();
    inventory->method = one_in(2) ? "nvml" : "smi";
    inventory->simulated = one_in(2);
    inventory->rules = one_in(2) ? model::RuleSet::kHardware : model::RuleSet::kSimulatedDefault;
    inventory->gpus.resize(below(5));
    for (auto& gpu : inventory->gpus) {
      for (auto& fact : gpu.facts) {
        fact =
            one_in(4) ? model::Text::none(model::Absence::kUnsupported) : model::Text::of(word());
      }
    }
    snapshot_.inventory = std::move(inventory);
    snapshot_.devices.assign(snapshot_.inventory->gpus.size(), {});
  }
  void change_row(auto& row) {
    if (one_in(3)) return;
    for (auto& value : row) {
      if (one_in(4)) value = reading();
    }
  }
  void change(model::DeviceSample& device) {
    device.events.clear();
    if (one_in(20)) device.mark_absent(model::Absence::kGone, one_in(2));
    change_row(device.gpu);
    if (one_in(5)) device.fans.resize(below(4));
    for (auto& fan : device.fans) change_row(fan);
    if (one_in(5)) device.links.resize(below(19));
    for (auto& link : device.links) change_row(link);
    if (one_in(5)) device.mig_instances.resize(below(8));
    for (auto& instance : device.mig_instances) {
      if (one_in(5)) instance.gpu_instance_id = below(UINT32_MAX);
      if (one_in(5)) instance.compute_instance_id = below(7);
      if (one_in(5)) instance.uuid = word();
      if (one_in(5)) instance.profile = word();
      change_row(instance.row);
    }
    if (one_in(5)) device.processes_absence = static_cast<model::Absence>(below(7));
    if (one_in(3)) device.processes.resize(below(17));
    if (one_in(5) && device.processes.size() > 1)
      std::swap(device.processes[0], device.processes[1]);
    for (auto& process : device.processes) {
      if (one_in(5)) process.pid = below(UINT32_MAX);
      if (one_in(5)) process.type = static_cast<model::ProcessType>(below(3));
      if (one_in(5)) process.name = word();
      change_row(process.row);
    }
    if (one_in(5)) device.source_verdict = {static_cast<model::Health>(below(5)), word()};
    if (one_in(9)) device.source_verdict.reset();
    for (auto& spread : device.spreads) {
      spread = {};
      if (!one_in(5)) continue;
      const std::int64_t a = number();
      const std::int64_t b = number();
      spread = {true, std::min(a, b), std::max(a, b)};
    }
    if (one_in(5)) device.peers.resize(below(9));
    for (auto& link : device.peers) {
      if (one_in(5)) link = static_cast<model::PeerLink>(below(8));
    }
    while (one_in(3)) {
      device.events.push_back({one_in(2) ? model::EventKind::kXid : model::EventKind::kClockEvents,
                               std::uint64_t{random_()} << 32 | random_(),
                               snapshot_.time - std::chrono::microseconds{below(2'000'000)}});
    }
  }

  std::mt19937 random_;
  model::Snapshot snapshot_;
};

}  // namespace gpuscope::device::replay

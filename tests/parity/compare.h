// Two ways to read the same GPUs, held against each other value by value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/snapshot.h"

namespace gpuscope::parity {

// One machine as one source read it at one tick.
struct View {
  const model::Inventory* inventory = nullptr;
  std::vector<model::DeviceSample> devices;
};

struct Difference {
  std::string where;  // "GPU 0 power_watts", "GPU 1 process 4242 memory"
  std::string nvml;
  std::string smi;
};

// How far apart the values of one metric were, at worst, in the metric's own scale.
struct Spread {
  std::int64_t nvml = 0;
  std::int64_t smi = 0;
  std::size_t compared = 0;
};

struct Comparison {
  std::vector<Difference> differences;  // beyond what the tools' rounding explains
  std::map<std::string, Spread> both;   // by the metric's key
  std::set<std::string> only_nvml;      // metrics of which only one source had a value, at least
  std::set<std::string> only_smi;       // once; facts among them
};

// What nvidia-smi's way of writing takes away from a value: whole MiB, hundredths of a watt, ….
std::int64_t rounding(const model::MetricInfo& row, const model::DeviceSample& sample);

// Whether it is about a fact, or a metric that is read once: time does not explain it.
bool never_moves(const Difference& difference);

// Adds what there is to say about one tick.
void compare(const View& nvml, const View& smi, Comparison& into);

// A table for people: how far apart what moves was, and which of the rest differs.
std::string table_of(const Comparison& comparison);

}  // namespace gpuscope::parity

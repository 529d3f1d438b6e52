// The document of `nvidia-smi -q -x`, of any schema (v7 to v13 and none): what an element is called
// decides, not which version the document says it has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/snapshot.h"

namespace gpuscope::device::smi {

struct GpuReport {
  std::string bus_id;  // as normalized_bus_id() has it; empty when unknown
  model::GpuInfo info;
  // All that the document says; MIG instances without UUID and profile, which only `nvidia-smi -L`
  // gives. Of a lost GPU: what is read once, the rest kGone.
  model::DeviceSample sample;
  // mig_device/index of each MIG instance: what `-L` calls "Device N".
  std::vector<std::int64_t> mig_indices;
  bool lost = false;
};

struct Report {
  std::vector<GpuReport> gpus;  // in the document's order: that of nvidia-smi's own index
  bool simulated = false;       // made by a stand-in of ours, see docs/simulated-tools.md
};

// Skips what stands before the document. kUnavailable, "cannot understand …", for what is none, or
// is broken anywhere. Never fetches and never expands anything. Thread-safe.
base::Result<Report> parse_report(std::string_view text);

// Names the element that our stand-in for nvidia-smi marks its documents with.
inline constexpr const char* kSimulatedElement = "gpuscope_simulated";

}  // namespace gpuscope::device::smi

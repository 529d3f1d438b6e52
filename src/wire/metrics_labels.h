// The labels of /metrics: prepared once for an inventory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/naming.h"
#include "model/snapshot.h"

namespace gpuscope::wire {

// Text that is copied in chunks of a fixed size, past its end: a few unconditional moves instead of
// a call with a length that differs from line to line.
inline constexpr std::size_t kCopyChunk = 32;
constexpr std::size_t whole_chunks(std::size_t length) {
  return (length + kCopyChunk - 1) / kCopyChunk * kCopyChunk;
}
// Writes and reads up to kCopyChunk - 1 bytes more than `length`; returns the end of what counts.
inline char* copy_chunks(char* out, const char* in, std::size_t length) {
  for (std::size_t done = 0; done < length; done += kCopyChunk) {
    __builtin_memcpy(out + done, in + done, kCopyChunk);
  }
  return out + length;
}

// One text per GPU, in slots of one size.
class LabelSlots {
 public:
  void assign(std::span<const std::string> texts);
  std::size_t stride() const { return stride_; }
  const char* text(std::size_t gpu) const { return text_.data() + gpu * stride_; }
  std::size_t length(std::size_t gpu) const { return lengths_[gpu]; }

 private:
  std::string text_;
  std::size_t stride_ = 0;
  std::vector<std::uint32_t> lengths_;
};

// A label that a list of counters, or the default, puts on every series of DCGM's families.
struct TextLabel {
  std::string name;
  model::Fact fact = model::Fact::kDriverVersion;
};

class MetricsLabels {
 public:
  MetricsLabels(std::string_view hostname_label, std::string_view hostname,
                std::vector<TextLabel> text_labels);

  void build(const model::Inventory& inventory, std::size_t devices);
  std::size_t size() const { return gpus_.size(); }

  // Whole: `{gpu="0",UUID="…",…} `, with the text labels, and without them.
  const LabelSlots& dcgm() const { return dcgm_; }
  const LabelSlots& own() const { return own_; }

  // Parts: "{", then one of the first two, then further labels with a comma in front of each, then
  // a tail where none has come yet, then end().
  const std::string& identity(std::size_t gpu) const { return gpus_[gpu].identity; }
  const std::string& link_identity(std::size_t gpu) const { return gpus_[gpu].link_identity; }
  const std::string& dcgm_tail(std::size_t gpu) const { return gpus_[gpu].tail; }
  const std::string& own_tail() const { return own_tail_; }
  const std::string& facts(std::size_t gpu) const { return gpus_[gpu].facts; }
  std::string_view end() const { return end_; }

  // `gpu="…",UUID="…",pci_bus_id="…",device="…",modelName="…"`; of an NVLink with the two names
  // that differ there.
  static void append_identity(std::string& out, std::size_t index, const model::GpuInfo& info,
                              bool of_link = false);

 private:
  struct Gpu {
    std::string identity;
    std::string link_identity;
    std::string tail;
    std::string facts;  // what gpuscope_gpu_info has beside
  };

  const std::vector<TextLabel> text_labels_;
  std::string own_tail_;  // `,Hostname="…"`
  std::string_view end_ = "} ";
  std::vector<Gpu> gpus_;
  LabelSlots dcgm_;
  LabelSlots own_;
};

}  // namespace gpuscope::wire

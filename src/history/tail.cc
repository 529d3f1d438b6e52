#include "history/tail.h"

#include <algorithm>
#include <span>
#include <utility>

#include "history/checksum.h"

namespace gpuscope::history {
namespace {

using model::Absence;
using model::Entity;
using model::Reading;

constexpr std::uint8_t kHeadVersion = 1;
constexpr std::size_t kMaxGpus = 65'536;
constexpr std::size_t kMaxMetrics = 1024;
constexpr std::size_t kMaxParts = 1024;  // of one GPU
constexpr unsigned kInstanceShift = 16;
// Of all GPUs and their parts: 256 MiB. 65,536 GPUs have half as many.
constexpr std::size_t kMaxReadings = std::size_t{1} << 24;

Machine new_machine(const BlockHead& head) {
  Machine machine;
  machine.gpus.resize(head.gpus.size());
  for (Machine::Gpu& gpu : machine.gpus) {
    gpu.parts.push_back({Entity::kGpu, 0});
    gpu.readings.resize(head.layout.of(Entity::kGpu).size());
  }
  return machine;
}

// The columns of the row that changed: how many did not, then the new reading.
void put_changes(const std::vector<Reading>& before, const std::vector<Reading>& now,
                 std::string& out) {
  std::uint64_t skipped = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Reading& was = before[i];
    const Reading& is = now[i];
    if (is.absence == was.absence && (is.value == was.value || !is.present())) {
      ++skipped;
      continue;
    }
    put_varint(out, (skipped + 1) << 1 | (is.present() ? 0 : 1));
    skipped = 0;
    if (is.present()) {
      put_signed(out, wrapping_sub(is.value, was.present() ? was.value : 0));
    } else {
      put_byte(out, static_cast<std::uint8_t>(is.absence));
    }
  }
  put_varint(out, 0);
}

}  // namespace

std::string encode_head(const BlockHead& head) {
  std::string out;
  put_byte(out, kHeadVersion);
  put_varint(out, head.block);
  put_varint(out, head.gpus.size());
  for (const std::uint32_t gpu : head.gpus) put_varint(out, gpu);
  for (const auto& metrics : head.layout.metrics) {
    put_varint(out, metrics.size());
    for (const std::uint32_t metric : metrics) put_varint(out, metric);
  }
  put_checksum(out, checksum(out));
  return out;
}

bool decode_head(std::string_view bytes, BlockHead& out) {
  if (!take_checksum(bytes)) return false;
  ByteReader in(bytes);
  if (in.byte() != kHeadVersion) return false;
  out.block = in.varint();
  const auto read_list = [&](std::vector<std::uint32_t>& list, std::size_t limit) {
    list.clear();
    const std::size_t count = in.count(limit);
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
      list.push_back(static_cast<std::uint32_t>(in.count(UINT32_MAX)));
    }
  };
  read_list(out.gpus, kMaxGpus);
  for (auto& metrics : out.layout.metrics) read_list(metrics, kMaxMetrics);
  const std::size_t readings = out.gpus.size() * out.layout.of(Entity::kGpu).size();
  return in.ok() && in.empty() && readings <= kMaxReadings;
}

TailEncoder::TailEncoder(const BlockHead& head)
    : layout_(head.layout), machine_(new_machine(head)) {}

TailEncoder::TailEncoder(const BlockHead& head, Machine last)
    : layout_(head.layout), machine_(std::move(last)) {}

// Lays the readings of `device` out in next_, as the parts of `known` stand; new parts are
// appended.
void TailEncoder::lay_out(const model::DeviceSample& device, const model::Verdict* verdict,
                          Machine::Gpu& known, std::size_t& had_parts) {
  had_parts = known.parts.size();
  next_.assign(known.readings.size(), Reading::none(Absence::kGone));
  const auto put = [&](PartKey key, std::span<const Reading> row) {
    std::size_t begin = 0;
    std::size_t part = 0;
    for (; part < known.parts.size() && known.parts[part] != key; ++part) {
      begin += layout_.of(known.parts[part].entity).size();
    }
    if (part == known.parts.size()) {
      if (part == kMaxParts) return;
      known.parts.push_back(key);
      known.readings.resize(begin + layout_.of(key.entity).size());
      next_.resize(known.readings.size());
    }
    std::ranges::copy(row, next_.begin() + static_cast<std::ptrdiff_t>(begin));
  };
  put({Entity::kGpu, 0}, device.gpu);
  next_[device.gpu.size()] = verdict == nullptr
                                 ? Reading::none(Absence::kNotYet)
                                 : Reading::of(static_cast<std::int64_t>(verdict->overall));
  for (std::size_t i = 0; i < device.fans.size(); ++i) {
    put({Entity::kFan, static_cast<std::uint32_t>(i)}, device.fans[i]);
  }
  for (std::size_t i = 0; i < device.links.size(); ++i) {
    put({Entity::kLink, static_cast<std::uint32_t>(i)}, device.links[i]);
  }
  for (const model::MigInstance& mig : device.mig_instances) {
    put({Entity::kMigInstance, mig.gpu_instance_id << kInstanceShift | mig.compute_instance_id},
        mig.row);
  }
}

void TailEncoder::append(const model::Snapshot& snapshot, std::string& out) {
  put_signed(out, wrapping_sub(snapshot.time.time_since_epoch().count(),
                               machine_.time.time_since_epoch().count()));
  machine_.time = snapshot.time;
  for (std::size_t i = 0; i < machine_.gpus.size(); ++i) {
    Machine::Gpu& gpu = machine_.gpus[i];
    std::size_t had_parts = 0;
    const bool judged = i < snapshot.verdicts.size();
    lay_out(snapshot.devices[i], judged ? &snapshot.verdicts[i] : nullptr, gpu, had_parts);
    put_varint(out, gpu.parts.size() - had_parts);
    for (std::size_t part = had_parts; part < gpu.parts.size(); ++part) {
      put_byte(out, static_cast<std::uint8_t>(gpu.parts[part].entity));
      put_varint(out, gpu.parts[part].instance);
    }
    put_changes(gpu.readings, next_, out);
    std::swap(gpu.readings, next_);
  }
}

TailDecoder::TailDecoder(const BlockHead& head)
    : layout_(head.layout),
      machine_(new_machine(head)),
      readings_(head.gpus.size() * head.layout.of(Entity::kGpu).size()) {}

void TailDecoder::feed(std::string_view row) {
  if (take_checksum(row)) {
    feed_ticks(row);
  } else {
    failed_ = true;
  }
}

bool TailDecoder::read_gpu(Machine::Gpu& gpu) {
  const std::size_t fresh = in_.count(kMaxParts - gpu.parts.size());
  for (std::size_t i = 0; i < fresh && in_.ok(); ++i) {
    PartKey key;
    key.entity = static_cast<Entity>(in_.byte_to(static_cast<std::uint8_t>(Entity::kMigInstance)));
    key.instance = static_cast<std::uint32_t>(in_.count(UINT32_MAX));
    const std::size_t columns = layout_.of(key.entity).size();
    readings_ += columns;
    if (readings_ > kMaxReadings) return false;
    gpu.parts.push_back(key);
    gpu.readings.resize(gpu.readings.size() + columns);
  }
  for (std::size_t at = 0;; ++at) {
    const std::uint64_t step = in_.varint();
    if (!in_.ok()) return false;
    if (step == 0) return true;
    const std::uint64_t skipped = (step >> 1) - 1;
    if (step == 1 || at >= gpu.readings.size() || skipped >= gpu.readings.size() - at) return false;
    at += skipped;
    Reading& reading = gpu.readings[at];
    if ((step & 1) == 0) {
      reading =
          Reading::of(wrapping_add(in_.signed_number(), reading.present() ? reading.value : 0));
    } else {
      reading = Reading::none(static_cast<Absence>(in_.byte_to(model::kAbsenceCount - 1)));
      if (reading.present()) return false;
    }
  }
}

bool TailDecoder::next() {
  if (failed_ || in_.empty()) return false;
  const std::int64_t time =
      wrapping_add(machine_.time.time_since_epoch().count(), in_.signed_number());
  machine_.time = base::WallTime{std::chrono::microseconds{time}};
  for (Machine::Gpu& gpu : machine_.gpus) {
    if (!read_gpu(gpu)) {
      failed_ = true;
      return false;
    }
  }
  return true;
}

}  // namespace gpuscope::history

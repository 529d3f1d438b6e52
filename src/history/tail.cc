#include "history/tail.h"

#include <algorithm>
#include <utility>

#include "history/checksum.h"
#include "history/layout.h"

namespace gpuscope::history {
namespace {

using model::Absence;
using model::Entity;
using model::Reading;

constexpr std::uint8_t kHeadVersion = 1;
constexpr std::size_t kMaxMetrics = 1024;
constexpr std::size_t kMaxParts = 1024;  // of one GPU
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

// Writes the columns that changed: how many did not, then the new reading.
class Changes {
 public:
  explicit Changes(std::string& out) : out_(out) {}

  void put(Reading& known, const Reading& now) {
    if (now.absence == known.absence && (now.value == known.value || !now.present())) {
      ++skipped_;
      return;
    }
    put_varint(out_, (skipped_ + 1) << 1 | (now.present() ? 0 : 1));
    skipped_ = 0;
    if (now.present()) {
      put_signed(out_, wrapping_sub(now.value, known.present() ? known.value : 0));
    } else {
      put_byte(out_, static_cast<std::uint8_t>(now.absence));
    }
    known = now;
  }
  void end() { put_varint(out_, 0); }

 private:
  std::string& out_;
  std::uint64_t skipped_ = 0;
};

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

void TailEncoder::find_rows(const model::DeviceSample& device, Machine::Gpu& gpu) {
  rows_.assign(gpu.parts.size(), {});
  std::size_t expected = 0;  // parts mostly come in the order in which they came before
  const auto put = [&](PartKey key, std::span<const Reading> row) {
    std::size_t part = expected;
    if (part >= gpu.parts.size() || gpu.parts[part] != key) {
      part = static_cast<std::size_t>(std::ranges::find(gpu.parts, key) - gpu.parts.begin());
    }
    if (part == gpu.parts.size()) {
      if (part == kMaxParts) return;
      gpu.parts.push_back(key);
      gpu.readings.resize(gpu.readings.size() + layout_.of(key.entity).size());
      rows_.emplace_back();
    }
    rows_[part] = row;
    expected = part + 1;
  };
  put({Entity::kGpu, 0}, device.gpu);
  for (std::size_t i = 0; i < device.fans.size(); ++i) {
    put({Entity::kFan, static_cast<std::uint32_t>(i)}, device.fans[i]);
  }
  for (std::size_t i = 0; i < device.links.size(); ++i) {
    put({Entity::kLink, static_cast<std::uint32_t>(i)}, device.links[i]);
  }
  for (const model::MigInstance& mig : device.mig_instances) {
    put({Entity::kMigInstance, mig_instance(mig.gpu_instance_id, mig.compute_instance_id)},
        mig.row);
  }
}

void TailEncoder::put_changes(const model::DeviceSample& device, const Reading& health,
                              Machine::Gpu& gpu, std::string& out) {
  const std::size_t had = gpu.parts.size();
  find_rows(device, gpu);
  put_varint(out, gpu.parts.size() - had);
  for (std::size_t part = had; part < gpu.parts.size(); ++part) {
    put_byte(out, static_cast<std::uint8_t>(gpu.parts[part].entity));
    put_varint(out, gpu.parts[part].instance);
  }
  Changes changes(out);
  Reading* known = gpu.readings.data();
  const Reading gone = Reading::none(Absence::kGone);
  for (std::size_t part = 0; part < gpu.parts.size(); ++part) {
    const std::size_t columns = layout_.of(gpu.parts[part].entity).size();
    const std::span<const Reading> row = rows_[part];
    for (std::size_t i = 0; i < columns; ++i) {
      // Behind the metrics of a GPU stands its health.
      changes.put(known[i], i < row.size() ? row[i] : part == 0 ? health : gone);
    }
    known += columns;
  }
  changes.end();
}

void TailEncoder::append(const model::Snapshot& snapshot, std::string& out) {
  put_signed(out, wrapping_sub(snapshot.time.time_since_epoch().count(),
                               machine_.time.time_since_epoch().count()));
  machine_.time = snapshot.time;
  for (std::size_t i = 0; i < machine_.gpus.size(); ++i) {
    const bool judged = i < snapshot.verdicts.size();
    const Reading health =
        judged ? Reading::of(static_cast<std::int64_t>(snapshot.verdicts[i].overall))
               : Reading::none(Absence::kNotYet);
    put_changes(snapshot.devices[i], health, machine_.gpus[i], out);
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

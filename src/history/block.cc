#include "history/block.h"

#include <utility>

namespace gpuscope::history {

OpenBlock::OpenBlock(BlockHead head) : head_(std::move(head)), gpus_(head_.gpus.size()) {}

void OpenBlock::append(const Machine& tick) {
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    Gpu& gpu = gpus_[i];
    const Machine::Gpu& now = tick.gpus[i];
    if (gpu.parts.size() != now.parts.size()) {
      gpu.parts = now.parts;
      while (gpu.columns.size() < now.readings.size()) {
        gpu.columns.emplace_back();
        gpu.columns.back().append_absent(model::Absence::kNotYet,
                                         static_cast<std::uint32_t>(ticks_));
      }
    }
    for (std::size_t j = 0; j < now.readings.size(); ++j) gpu.columns[j].append(now.readings[j]);
  }
  times_.append(tick.time.time_since_epoch().count());
  if (ticks_++ == 0) first_ = tick.time;
  last_ = tick.time;
}

void OpenBlock::decode_times(std::vector<std::int64_t>& out) const {
  out.clear();
  times_.decode(out);
}

bool OpenBlock::decode(std::size_t place, const ColumnKey& key, ColumnData& out,
                       std::size_t first_tick) const {
  const Gpu& gpu = gpus_[place];
  std::size_t begin = 0;
  for (const PartKey& part : gpu.parts) {
    const auto& metrics = head_.layout.of(part.entity);
    if (part.instance == key.instance) {
      for (std::size_t i = 0; i < metrics.size(); ++i) {
        if (metrics[i] != key.metric) continue;
        gpu.columns[begin + i].decode(out, first_tick);
        return true;
      }
    }
    begin += metrics.size();
  }
  return false;
}

std::vector<ColumnKey> OpenBlock::columns(std::size_t place) const {
  std::vector<ColumnKey> keys;
  for (const PartKey& part : gpus_[place].parts) {
    for (const std::uint32_t metric : head_.layout.of(part.entity)) {
      keys.push_back({metric, part.instance});
    }
  }
  return keys;
}

std::vector<ColumnKey> OpenBlock::present_columns(std::size_t place) const {
  std::vector<ColumnKey> keys = columns(place);
  std::size_t at = 0;
  std::erase_if(keys, [&](const ColumnKey&) { return !gpus_[place].columns[at++].has_values(); });
  return keys;
}

void OpenBlock::write(std::size_t place, ChunkWriter& writer) const {
  writer.begin(ticks_);
  const std::vector<ColumnKey> keys = columns(place);
  ColumnData column;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    gpus_[place].columns[i].decode(column);
    writer.add(keys[i], column);
  }
}

std::size_t OpenBlock::memory() const {
  std::size_t bytes = times_.memory();
  for (const Gpu& gpu : gpus_) {
    bytes += (gpu.columns.capacity() - gpu.columns.size()) * sizeof(OpenColumn);
    for (const OpenColumn& column : gpu.columns) bytes += column.memory();
  }
  return bytes;
}

}  // namespace gpuscope::history

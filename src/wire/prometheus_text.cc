#include "wire/prometheus_text.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/decimal.h"
#include "wire/utf8.h"

namespace gpuscope::wire {
namespace {

// Text is copied in chunks of a fixed size, past its end: a few unconditional moves instead of a
// call to memcpy with a length that differs from line to line. Slots are padded to it, and the
// output has this much room to spare.
constexpr std::size_t kChunk = 32;
constexpr std::size_t kMaxNameChunks = 4;
constexpr std::size_t kMaxNameLength = kMaxNameChunks * kChunk;

// How many lines a reading is asked for before it is needed.
constexpr std::size_t kDevicesAhead = 16;

constexpr std::size_t round_up(std::size_t length) {
  return (length + kChunk - 1) / kChunk * kChunk;
}

// `length` bytes that count; writes up to kChunk - 1 more, and reads as many.
inline void copy_chunks(char* out, const char* in, std::size_t length) {
  std::size_t done = 0;
  do {
    std::memcpy(out + done, in + done, kChunk);
    done += kChunk;
  } while (done < length);
}

void append_label_value(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += kReplacement;
    } else if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

model::Health health_of(const model::Snapshot& snapshot, std::size_t gpu) {
  return gpu < snapshot.verdicts.size() ? snapshot.verdicts[gpu].overall : model::Health::kUnknown;
}

}  // namespace

PrometheusText::PrometheusText(const model::Naming& naming) : naming_(naming) {
  for (const model::Family& family : naming_.families) {
    std::string header;
    header.append("# HELP ").append(family.name).append(" ").append(family.help);
    header.append("\n# TYPE ").append(family.name).append(" ");
    header.append(model::prometheus_type(family.kind)).append("\n");
    headers_.push_back(std::move(header));
  }
}

void PrometheusText::append(const model::Snapshot& snapshot, std::string& out) {
  prepare(snapshot);
  const std::size_t begin = out.size();
  out.resize_and_overwrite(begin + bound(slots_.size()), [&](char* data, std::size_t) {
    char* end = data + begin;
    for (std::size_t i = 0; i < naming_.families.size(); ++i) end = write_family(end, i, snapshot);
    return static_cast<std::size_t>(end - data);
  });
}

void PrometheusText::prepare(const model::Snapshot& snapshot) {
  if (inventory_ != snapshot.inventory || slots_.size() != snapshot.devices.size()) {
    rebuild(snapshot);
    return;
  }
  for (std::size_t gpu = 0; gpu < slots_.size(); ++gpu) {
    const model::Health health = health_of(snapshot, gpu);
    if (health != slots_[gpu].health) fill_slot(gpu, health);
  }
}

void PrometheusText::rebuild(const model::Snapshot& snapshot) {
  inventory_ = snapshot.inventory;
  slots_.assign(snapshot.devices.size(), {});
  stride_ = 0;
  for (std::size_t gpu = 0; gpu < slots_.size(); ++gpu) {
    // The longest that this GPU's labels can get, whatever its health.
    build_labels(gpu, model::Health::kCritical);
    stride_ = std::max(stride_, round_up(scratch_.size()));
  }
  labels_.assign(stride_ * slots_.size(), '\0');
  for (std::size_t gpu = 0; gpu < slots_.size(); ++gpu) fill_slot(gpu, health_of(snapshot, gpu));
}

void PrometheusText::fill_slot(std::size_t gpu, model::Health health) {
  build_labels(gpu, health);
  slots_[gpu] = {static_cast<std::uint32_t>(scratch_.size()), health};
  std::memcpy(labels_.data() + gpu * stride_, scratch_.data(), scratch_.size());
}

void PrometheusText::build_labels(std::size_t gpu, model::Health health) {
  const model::GpuInfo* info =
      inventory_ && gpu < inventory_->gpus.size() ? &inventory_->gpus[gpu] : nullptr;
  scratch_.assign("{");
  for (const model::Label& label : naming_.labels) {
    if (scratch_.size() > 1) scratch_ += ',';
    scratch_.append(label.name).append("=\"");
    switch (label.source) {
      case model::LabelSource::kUuid:
        if (info != nullptr) append_label_value(scratch_, info->uuid());
        break;
      case model::LabelSource::kIndex:
        base::append_decimal(scratch_, static_cast<std::int64_t>(gpu), 0);
        break;
      case model::LabelSource::kName:
        if (info != nullptr) append_label_value(scratch_, info->name());
        break;
      case model::LabelSource::kHealth:
        scratch_.append(model::health_label(health));
        break;
    }
    scratch_ += '"';
  }
  scratch_.append("} ");
}

std::size_t PrometheusText::bound(std::size_t gpus) const {
  std::size_t bytes = kMaxNameLength + kChunk;  // what the last copies write past their end
  for (std::size_t i = 0; i < headers_.size(); ++i) {
    const std::size_t line =
        naming_.families[i].name.size() + stride_ + base::kMaxDecimalChars + sizeof('\n');
    bytes += headers_[i].size() + gpus * line;
  }
  return bytes;
}

char* PrometheusText::write_family(char* out, std::size_t index,
                                   const model::Snapshot& snapshot) const {
  const model::Family& family = naming_.families[index];
  const std::string& header = headers_[index];
  std::memcpy(out, header.data(), header.size());
  out += header.size();
  if (!family.metric) {
    return write_samples(out, family, [&](std::size_t gpu) {
      return model::Reading::of(static_cast<std::int64_t>(health_of(snapshot, gpu)));
    });
  }
  const std::size_t column = model::column(*family.metric);
  const model::DeviceSample* devices = snapshot.devices.data();
  const std::size_t last = slots_.size() - 1;
  return write_samples(out, family, [=](std::size_t gpu) {
    // A device's readings lie kilobytes from the next one's: with thousands of GPUs each is a miss.
    __builtin_prefetch(&devices[std::min(gpu + kDevicesAhead, last)].gpu[column]);
    return devices[gpu].gpu[column];
  });
}

template <typename ValueOf>
char* PrometheusText::write_samples(char* out, const model::Family& family,
                                    ValueOf value_of) const {
  std::array<char, kMaxNameLength> name{};
  const std::size_t name_length = std::min(family.name.size(), kMaxNameLength);
  std::memcpy(name.data(), family.name.data(), name_length);
  const int decimals = model::decimals(family);
  const int shift = family.binary_shift;
  const char* labels = labels_.data();
  for (std::size_t gpu = 0; gpu < slots_.size(); ++gpu, labels += stride_) {
    const model::Reading reading = value_of(gpu);
    if (!reading.present()) continue;
    copy_chunks(out, name.data(), name_length);
    out += name_length;
    const std::size_t length = slots_[gpu].length;
    copy_chunks(out, labels, length);
    out += length;
    out = base::write_decimal(out, model::shift_rounded(reading.value, shift), decimals);
    *out++ = '\n';
  }
  return out;
}

}  // namespace gpuscope::wire

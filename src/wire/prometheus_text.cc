#include "wire/prometheus_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/decimal.h"
#include "wire/label_value.h"

namespace gpuscope::wire {
namespace {

// Text is copied in chunks of a fixed size, past its end: a few unconditional moves instead of a
// call to memcpy with a length that differs from line to line. Slots are padded to it, and the
// output has this much room to spare.
constexpr std::size_t kNameChunk = 32;
constexpr std::size_t kLabelsChunk = 128;

constexpr std::size_t round_up(std::size_t length, std::size_t chunk) {
  return (length + chunk - 1) / chunk * chunk;
}

// `length` bytes that count; writes up to kChunk - 1 more, and reads as many.
template <std::size_t kChunk>
inline void copy_chunks(char* out, const char* in, std::size_t length) {
  std::size_t done = 0;
  do {
    std::memcpy(out + done, in + done, kChunk);
    done += kChunk;
  } while (done < length);
}

model::Health health_of(const model::Snapshot& snapshot, std::size_t gpu) {
  return gpu < snapshot.verdicts.size() ? snapshot.verdicts[gpu].overall : model::Health::kUnknown;
}

}  // namespace

// The samples of one family. What the loop needs is held in locals, not read through members, since
// a store through a char pointer could change those.
struct PrometheusText::Lines {
  const FamilyText& family;
  const char* labels;
  std::size_t stride;
  std::span<const Slot> slots;

  // `reading_of(gpu)` is a Reading in the catalogue's unit.
  template <typename ReadingOf>
  char* write(char* out, ReadingOf reading_of) const {
    // With the digits behind the point known, a number is half as much work.
    switch (family.decimals) {
      case 0:
        return write(out, reading_of, std::integral_constant<int, 0>{});
      case 1:
        return write(out, reading_of, std::integral_constant<int, 1>{});
      case 2:
        return write(out, reading_of, std::integral_constant<int, 2>{});
      case 3:
        return write(out, reading_of, std::integral_constant<int, 3>{});
      default:
        return write(out, reading_of, family.decimals);
    }
  }

  template <typename ReadingOf, typename Decimals>
  char* write(char* out, ReadingOf reading_of, Decimals decimals) const {
    const char* name = family.name.data();
    const std::size_t name_length = family.name_length;
    const char* slot_labels = labels;
    const std::size_t slot_stride = stride;
    const Slot* slot = slots.data();
    const std::size_t gpus = slots.size();
    const std::int64_t half = family.half;
    const int shift = family.binary_shift;
    for (std::size_t gpu = 0; gpu < gpus; ++gpu, ++slot, slot_labels += slot_stride) {
      const model::Reading reading = reading_of(gpu);
      if (!reading.present()) continue;
      const std::int64_t value = (reading.value + half) >> shift;
      copy_chunks<kNameChunk>(out, name, name_length);
      out += name_length;
      copy_chunks<kLabelsChunk>(out, slot_labels, slot->length);
      out += slot->length;
      if (base::detail::is_short(value, decimals)) [[likely]] {
        out = base::detail::write_short_line(out, value, decimals);
      } else {
        out = base::write_decimal(out, value, decimals);
        *out++ = '\n';
      }
    }
    return out;
  }
};

PrometheusText::PrometheusText(const model::Naming& naming) : naming_(naming) {
  for (const model::Family& family : naming_.families) {
    FamilyText text;
    text.header.append("# HELP ").append(family.name).append(" ").append(family.help);
    text.header.append("\n# TYPE ").append(family.name).append(" ");
    text.header.append(model::prometheus_type(family.kind)).append("\n");
    text.header_length = text.header.size();
    text.header.resize(round_up(text.header.size(), kLabelsChunk), '\0');
    text.name = family.name;
    text.name.resize(round_up(text.name.size(), kNameChunk), '\0');
    text.name_length = family.name.size();
    if (family.metric) text.column = model::column(*family.metric);
    text.binary_shift = family.binary_shift;
    text.half = family.binary_shift == 0 ? 0 : std::int64_t{1} << (family.binary_shift - 1);
    text.decimals = model::decimals(family);
    texts_.push_back(std::move(text));
  }
}

void PrometheusText::append(const model::Snapshot& snapshot, std::string& out) {
  prepare(snapshot);
  const std::size_t begin = out.size();
  out.resize_and_overwrite(begin + bound(slots_.size()), [&](char* data, std::size_t) {
    char* end = data + begin;
    for (const FamilyText& family : texts_) end = write_family(end, family, snapshot);
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
    stride_ = std::max(stride_, round_up(scratch_.size(), kLabelsChunk));
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
  scratch_.clear();
  scratch_ += '{';
  for (const model::Label& label : naming_.labels) {
    if (scratch_.size() > 1) scratch_ += ',';
    scratch_.append(label.name).append("=\"");
    switch (label.source) {
      case model::LabelSource::kUuid:
        if (info != nullptr) append_escaped_label(scratch_, info->uuid());
        break;
      case model::LabelSource::kIndex:
        base::append_decimal(scratch_, static_cast<std::int64_t>(gpu), 0);
        break;
      case model::LabelSource::kName:
        if (info != nullptr) append_escaped_label(scratch_, info->name());
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
  std::size_t bytes = 0;
  for (const FamilyText& text : texts_) {
    // The last copy of a name writes past its end, as far as it is padded.
    bytes += text.header.size() + text.name.size();
    bytes += gpus * (text.name_length + stride_ + base::kMaxDecimalChars + sizeof('\n'));
  }
  return bytes;
}

char* PrometheusText::write_family(char* out, const FamilyText& family,
                                   const model::Snapshot& snapshot) const {
  copy_chunks<kLabelsChunk>(out, family.header.data(), family.header_length);
  out += family.header_length;
  const Lines lines{family, labels_.data(), stride_, slots_};
  if (!family.column) {
    return lines.write(out, [slots = slots_.data()](std::size_t gpu) {
      return model::Reading::of(static_cast<std::int64_t>(slots[gpu].health));
    });
  }
  return lines.write(out, [devices = snapshot.devices.data(), column = *family.column](
                              std::size_t gpu) { return devices[gpu].gpu[column]; });
}

}  // namespace gpuscope::wire

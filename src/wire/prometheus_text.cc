#include "wire/prometheus_text.h"

#include <algorithm>
#include <cstring>

#include "base/decimal.h"
#include "wire/label_value.h"

namespace gpuscope::wire {
namespace {

model::Health health_of(const model::Snapshot& snapshot, std::size_t gpu) {
  return gpu < snapshot.verdicts.size() ? snapshot.verdicts[gpu].overall : model::Health::kUnknown;
}

// The longest a number gets, and its line feed.
constexpr std::size_t kNumberRoom = base::kMaxDecimalChars + sizeof('\n');

// A line or some: moves of a fixed size, the last of which overlaps, instead of a call.
inline void copy_run(char* out, const char* in, std::size_t length) {
  constexpr std::size_t kBlock = 64;
  constexpr std::size_t kLong = 1024;
  if (length < kBlock || length > kLong) {
    std::memcpy(out, in, length);
    return;
  }
  for (std::size_t done = 0; done + kBlock < length; done += kBlock) {
    std::memcpy(out + done, in + done, kBlock);
  }
  std::memcpy(out + length - kBlock, in + length - kBlock, kBlock);
}

// Rounded to whole `1 << shift`; `half` is half of that.
inline std::int64_t scaled(std::int64_t value, std::int64_t half, int shift) {
  return (value + half) >> shift;
}

}  // namespace

PrometheusText::PrometheusText(const model::Naming& naming) : naming_(naming) {
  for (const model::Family& family : naming_.families) {
    FamilyText text;
    text.header.append("# HELP ").append(family.name).append(" ").append(family.help);
    text.header.append("\n# TYPE ").append(family.name).append(" ");
    text.header.append(model::prometheus_type(family.kind)).append("\n");
    text.name = family.name;
    if (family.metric) text.column = model::column(*family.metric);
    text.binary_shift = family.binary_shift;
    text.half = family.binary_shift == 0 ? 0 : std::int64_t{1} << (family.binary_shift - 1);
    text.decimals = model::decimals(family);
    texts_.push_back(std::move(text));
  }
}

void PrometheusText::append(const model::Snapshot& snapshot, std::string_view last,
                            std::string& out) {
  const bool same = same_lines(snapshot);
  if (!same) describe_gpus(snapshot);
  const std::size_t begin = out.size();
  if (same && last.size() == length_) {
    const std::size_t room = last.size() + numbers_.size() * kNumberRoom;
    out.resize_and_overwrite(begin + room, [&](char* data, std::size_t) {
      const char* end = write_changes(snapshot, last, data + begin);
      return end == nullptr ? begin : static_cast<std::size_t>(end - data);
    });
  }
  // Also where a line came or went half way.
  if (out.size() == begin) write_lines(snapshot, out);
  length_ = out.size() - begin;
}

bool PrometheusText::same_lines(const model::Snapshot& snapshot) const {
  if (inventory_ != snapshot.inventory || healths_.size() != snapshot.devices.size()) return false;
  for (std::size_t gpu = 0; gpu < healths_.size(); ++gpu) {
    if (healths_[gpu] != health_of(snapshot, gpu)) return false;
  }
  return true;
}

void PrometheusText::describe_gpus(const model::Snapshot& snapshot) {
  const bool same_gpus =
      inventory_ == snapshot.inventory && healths_.size() == snapshot.devices.size();
  inventory_ = snapshot.inventory;
  healths_.resize(snapshot.devices.size());
  labels_.resize(snapshot.devices.size());
  for (std::size_t gpu = 0; gpu < healths_.size(); ++gpu) {
    const model::Health health = health_of(snapshot, gpu);
    if (same_gpus && health == healths_[gpu]) continue;
    healths_[gpu] = health;
    labels_[gpu] = labels_of(gpu);
  }
}

std::string PrometheusText::labels_of(std::size_t gpu) const {
  const model::GpuInfo* info =
      inventory_ && gpu < inventory_->gpus.size() ? &inventory_->gpus[gpu] : nullptr;
  std::string labels = "{";
  for (const model::Label& label : naming_.labels) {
    if (labels.size() > 1) labels += ',';
    labels.append(label.name).append("=\"");
    switch (label.source) {
      case model::LabelSource::kUuid:
        if (info != nullptr) append_escaped_label(labels, info->uuid());
        break;
      case model::LabelSource::kIndex:
        base::append_decimal(labels, static_cast<std::int64_t>(gpu), 0);
        break;
      case model::LabelSource::kName:
        if (info != nullptr) append_escaped_label(labels, info->name());
        break;
      case model::LabelSource::kHealth:
        labels.append(model::health_label(healths_[gpu]));
        break;
    }
    labels += '"';
  }
  return labels.append("} ");
}

// Where the document before is read, and where this one is written.
struct PrometheusText::Run {
  const char* last;  // the whole of it
  const char* from;  // not copied yet from here on
  char* out;
  std::size_t numbers = 0;  // bytes of the old numbers before the one that is looked at

  void copy_to(const char* end) {
    copy_run(out, from, static_cast<std::size_t>(end - from));
    out += end - from;
    from = end;
  }
};

void PrometheusText::write_lines(const model::Snapshot& snapshot, std::string& out) {
  const std::size_t begin = out.size();
  numbers_.clear();
  std::size_t numbers = 0;
  for (const FamilyText& family : texts_) {
    out += family.header;
    for (std::size_t gpu = 0; gpu < labels_.size(); ++gpu) {
      Number& number = numbers_.emplace_back();
      const model::Reading now = family.column
                                     ? snapshot.devices[gpu].gpu[*family.column]
                                     : model::Reading::of(static_cast<std::int64_t>(healths_[gpu]));
      if (!now.present()) continue;
      out.append(family.name).append(labels_[gpu]);
      number.value = now.value;
      number.before = static_cast<std::uint32_t>(out.size() - begin - numbers);
      base::append_decimal(out, scaled(now.value, family.half, family.binary_shift),
                           family.decimals);
      out += '\n';
      number.length = static_cast<std::uint32_t>(out.size() - begin - numbers - number.before);
      numbers += number.length;
    }
  }
}

// Null where a line comes or goes.
char* PrometheusText::write_changes(const model::Snapshot& snapshot, std::string_view last,
                                    char* out) {
  Run run{.last = last.begin(), .from = last.begin(), .out = out};
  Number* number = numbers_.data();
  for (const FamilyText& family : texts_) {
    if (!write_family(family, snapshot.devices.data(), number, run)) return nullptr;
    number += healths_.size();
  }
  run.copy_to(run.last + length_);
  return run.out;
}

// What the loop needs is held in locals, not read through members, since a store through a char
// pointer could change those.
bool PrometheusText::write_family(const FamilyText& family, const model::DeviceSample* devices,
                                  Number* number, Run& run) {
  const std::size_t gpus = healths_.size();
  const std::int64_t half = family.half;
  const int shift = family.binary_shift;
  const int decimals = family.decimals;
  const std::optional<std::size_t> column = family.column;
  Run at = run;
  for (std::size_t gpu = 0; gpu < gpus; ++gpu, ++number) {
    // A verdict that changed is a label, too: then all lines are written.
    const model::Reading now =
        column ? devices[gpu].gpu[*column] : model::Reading::of(number->value);
    const std::uint32_t old_length = number->length;
    if (now.present() != (old_length != 0)) return false;
    if (now.value != number->value && now.present()) {
      at.copy_to(at.last + number->before + at.numbers);
      char* const end = base::write_decimal(at.out, scaled(now.value, half, shift), decimals);
      *end = '\n';
      number->value = now.value;
      number->length = static_cast<std::uint32_t>(end + 1 - at.out);
      at.out = end + 1;
      at.from += old_length;
    }
    at.numbers += old_length;
  }
  run = at;
  return true;
}

}  // namespace gpuscope::wire

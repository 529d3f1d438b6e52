#include "act/pauses.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "act/controller.h"
#include "wire/opinions.h"

namespace gpuscope::act {
namespace {

std::int64_t microseconds(base::WallTime time) { return time.time_since_epoch().count(); }

// "called until failures", times in microseconds since 1970.
std::string encode(const Pause& pause) {
  return fmt::format("{} {} {}", microseconds(pause.called), microseconds(pause.until),
                     pause.failures);
}

template <typename Number>
bool take(std::string_view& text, Number& number) {
  if (text.starts_with(' ')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::optional<Pause> decode(std::string_view text) {
  std::int64_t called = 0;
  std::int64_t until = 0;
  Pause pause;
  if (!take(text, called) || !take(text, until) || !take(text, pause.failures) || !text.empty() ||
      pause.failures < 0) {
    return std::nullopt;
  }
  pause.called = base::WallTime{std::chrono::microseconds{called}};
  pause.until = base::WallTime{std::chrono::microseconds{until}};
  return pause;
}

}  // namespace

std::string Pauses::key_of(const model::GpuIdentity& gpu) {
  constexpr std::size_t kMostBytes = 1024;
  return wire::tame_text(
      fmt::format("{}/{}/{}/{}", gpu.gpu_id, gpu.mig_instance, gpu.name_space, gpu.pod),
      kMostBytes);
}

base::Result<void> Pauses::load(model::StateStore& store) {
  auto records = store.list(kPauseKind);
  if (!records) return std::unexpected(std::move(records.error()));
  for (const model::StateRecord& record : *records) {
    if (const auto pause = decode(record.value)) pauses_[record.key] = *pause;
  }
  return {};
}

const Pause* Pauses::find(const std::string& key, base::WallTime now) const {
  const auto found = pauses_.find(key);
  if (found == pauses_.end() || found->second.until > now + kLongest) return nullptr;
  return &found->second;
}

base::Result<void> Pauses::put(const std::string& key, const Pause& pause,
                               model::StateStore& store) {
  if (auto kept = store.put(kPauseKind, key, encode(pause)); !kept) return kept;
  pauses_[key] = pause;
  return {};
}

base::Result<void> Pauses::forget_old(base::WallTime now, model::StateStore& store) {
  std::vector<model::StateChange> changes;
  for (const auto& [key, pause] : pauses_) {
    if (pause.until + kLongest < now) changes.push_back({std::string(kPauseKind), key, {}});
  }
  if (changes.empty()) return {};
  if (auto done = store.apply(changes); !done) return done;
  for (const auto& change : changes) pauses_.erase(change.key);
  return {};
}

}  // namespace gpuscope::act

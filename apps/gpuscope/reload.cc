#include "reload.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/log.h"

namespace gpuscope::app {
namespace {

using base::LogLevel;

std::string file_of(const config::Values& values) {
  const auto found = values.find("config");
  return found == values.end() ? "" : found->second.text;
}

std::string shown(const std::string& value) {
  return value.empty() ? "nothing" : fmt::format("'{}'", value);
}

// As the file calls it; a setting that a file cannot have, by its flag.
std::string name_of(const config::Setting& setting) {
  return std::string(setting.key.empty() ? setting.flag : setting.key);
}

}  // namespace

bool Reload::Stamp::operator==(const Stamp& other) const {
  return device == other.device && file == other.file && size == other.size &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

std::optional<Reload::Stamp> Reload::stamp(const std::string& path) {
  struct stat status{};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Stamp{status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

Reload::Reload(Flags flags, bool is_root, const config::AgentSettings& running, Apply apply)
    : flags_(std::move(flags)),
      is_root_(is_root),
      apply_(std::move(apply)),
      file_(file_of(running.values)),
      in_force_(running.values),
      seen_(stamp(file_)),
      read_(seen_) {
  health_.file = file_;
}

void Reload::look() {
  if (file_.empty()) return;
  const auto before = std::exchange(seen_, stamp(file_));
  // Half of a file that is being written may be a valid one: it has to stand still for a while. One
  // that is gone may be on its way back (an editor's rename); what was read of it stays in force.
  if (!seen_ || seen_ == read_ || seen_ != before) return;
  reload();
}

void Reload::reload() {
  read_ = stamp(file_);
  const auto next = config::load_agent_settings(flags_, config::process_environment(), is_root_);
  if (!next) return refuse(next.error());
  if (auto applied = apply_(*next); !applied) return refuse(applied.error());
  take(*next);
}

void Reload::refuse(const base::Error& error) {
  {
    base::MutexLock lock(mutex_);
    health_.error = error.message;
  }
  base::log(LogLevel::kError, "cannot take new settings, and keeps those it has: " + error.message);
}

void Reload::take(const config::AgentSettings& next) {
  const auto changes = config::changes(config::agent_settings_table(), in_force_, next.values);
  std::vector<std::string> restart;
  for (const config::Change& change : changes) {
    const config::Setting& setting = *change.setting;
    if (!setting.live) {
      restart.push_back(name_of(setting));
    } else if (const auto given = next.values.find(setting.flag); given != next.values.end()) {
      in_force_[setting.flag] = given->second;
    } else {
      in_force_.erase(setting.flag);
    }
  }
  if (changes.empty()) base::log(LogLevel::kInfo, "read its settings again: no change");
  for (const config::Change& change : changes) {
    const std::string what = change.setting->secret
                                 ? name_of(*change.setting)
                                 : fmt::format("{} (from {} to {})", name_of(*change.setting),
                                               shown(change.before), shown(change.after));
    if (change.setting->live) {
      base::log(LogLevel::kInfo, fmt::format("takes a new value of {}", what));
    } else {
      base::log(LogLevel::kWarning,
                fmt::format("{} takes a new value when the agent is started again", what));
    }
  }
  base::MutexLock lock(mutex_);
  health_.error.clear();
  health_.restart = std::move(restart);
}

wire::SettingsHealth Reload::health() const {
  base::MutexLock lock(mutex_);
  return health_;
}

}  // namespace gpuscope::app

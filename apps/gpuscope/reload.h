// Reads the settings again when their file changes or somebody asks, and takes what can be taken
// while the agent runs.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "commands.h"
#include "config/agent_settings.h"
#include "wire/rest.h"

namespace gpuscope::app {

// look() and reload() belong to one thread; health() is for any.
class Reload {
 public:
  // Puts the live settings of what it is given in force (those whose row in the table says so), and
  // reads the files again that they name. An error leaves all as it was.
  using Apply = std::function<base::Result<void>(const config::AgentSettings& settings)>;

  // `running` is what the agent was started with, from these flags and the process's environment.
  Reload(Flags flags, bool is_root, const config::AgentSettings& running, Apply apply);

  // Reads the settings again once their file has another content that stood still from one look to
  // the next. Costs one stat() when it has not.
  void look();
  // Reads them again now. A mistake leaves all as it was, and is told in the log and in health().
  void reload();

  wire::SettingsHealth health() const;

 private:
  // What tells that a file may have changed.
  struct Stamp {
    dev_t device = 0;
    ino_t file = 0;
    off_t size = 0;
    timespec changed{};
    bool operator==(const Stamp& other) const;
  };
  static std::optional<Stamp> stamp(const std::string& path);
  void take(const config::AgentSettings& next);
  void refuse(const base::Error& error);

  const Flags flags_;
  const bool is_root_;
  const Apply apply_;
  const std::string file_;     // empty: there is none
  config::Values in_force_;    // of live settings the latest, of the others those of the start
  std::optional<Stamp> seen_;  // at the last look
  std::optional<Stamp> read_;  // when the file was last read

  mutable base::Mutex mutex_;
  wire::SettingsHealth health_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::app

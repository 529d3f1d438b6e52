// Settings of notifications: what one may say of them, and what that becomes.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "config/settings.h"
#include "notify/options.h"

namespace gpuscope::config {

// The rows of the agent's table that are about notifications.
std::span<const Setting> notify_settings_table();

struct NotifySettings {
  notify::Options options;
  std::string external_url;  // of the agent, for links; empty: nobody said
};

// kInvalidArgument for settings that do not go together, such as a mail server and nobody to write
// to. Nobody is told of anything where nothing of it is given.
base::Result<NotifySettings> notify_from(const Values& values);

}  // namespace gpuscope::config

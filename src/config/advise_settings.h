// Settings of second opinions and of acting: what one may say of them, and what that becomes.
#pragma once

#include <chrono>
#include <span>

#include "act/options.h"
#include "advise/options.h"
#include "base/result.h"
#include "config/settings.h"

namespace gpuscope::config {

// Rows for the table of a program that analyses how GPUs are used.
std::span<const Setting> advise_settings_table();

// Values are checked already. kInvalidArgument for settings that do not go together, such as AI
// that is on without an address.
base::Result<advise::Options> advise_from(const Values& values);
// `interval`: between two runs; the cool-down follows it unless it was given.
base::Result<act::Options> control_from(const Values& values, std::chrono::seconds interval);

}  // namespace gpuscope::config

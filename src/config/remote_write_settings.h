// Settings of remote write: what one may say of it, and what that becomes.
#pragma once

#include <array>
#include <string>

#include "base/result.h"
#include "config/settings.h"
#include "prom/options.h"

namespace gpuscope::config {

std::string check_remote_write_interval(const Setting& row, std::string_view value);
std::string check_remote_write_from(const Setting& row, std::string_view value);
std::string check_remote_write_labels(const Setting& row, std::string_view value);

// All but the file of the position. kInvalidArgument for settings that do not go together.
base::Result<prom::RemoteWriteOptions> remote_write_from(const Values& values);

}  // namespace gpuscope::config

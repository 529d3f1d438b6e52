#include "metrics_setup.h"

#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "wire/metrics_counters.h"

namespace gpuscope::app {

std::string own_hostname() {
  std::array<char, 257> name{};  // HOST_NAME_MAX is 64, POSIX allows 255
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

base::Result<api::MetricsSetup> metrics_setup(const config::AgentSettings& settings) {
  api::MetricsSetup setup;
  setup.options.names = settings.dcgm_names;
  setup.options.hostname_label = settings.dcgm_hostname_label;
  setup.options.hostname = settings.hostname.empty() ? own_hostname() : settings.hostname;
  if (settings.dcgm_counters.empty()) return setup;
  const auto text = base::read_file(settings.dcgm_counters, wire::kMaxCountersBytes);
  if (!text) {
    base::Error error = text.error();
    error.message += "; it is named by the setting dcgm_counters";
    return std::unexpected(std::move(error));
  }
  setup.options.counters = wire::parse_counters(*text, settings.dcgm_counters);
  for (const std::string& warning : setup.options.counters->warnings) {
    base::log(base::LogLevel::kWarning, warning);
  }
  return setup;
}

}  // namespace gpuscope::app

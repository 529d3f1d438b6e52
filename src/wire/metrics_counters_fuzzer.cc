// A list of counters may hold anything; what is kept of it is known, one line and UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "base/utf8.h"
#include "wire/metrics_counters.h"
#include "wire/metrics_format.h"
#include "wire/metrics_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  wire::choose_metrics_format(text);  // from the network: any bytes will do
  wire::MetricsOptions options;
  options.counters = wire::parse_counters(text, "file");
  std::set<std::string> fields;
  for (const wire::Counter& counter : options.counters->counters) {
    if (!fields.insert(counter.field).second || !base::is_utf8(counter.help)) std::abort();
    if (counter.help.find('\n') != counter.help.npos) std::abort();
  }
  for (const std::string& warning : options.counters->warnings) {
    if (!base::is_utf8(warning) || warning.find('\n') != warning.npos) std::abort();
  }
  // A page takes far longer than a list: only where the list says something of it.
  if (fields.empty()) return 0;
  wire::MetricsText renderer(std::move(options));
  std::string out;
  renderer.append(nullptr, {}, wire::MetricsFormat::kOpenMetrics, out);
  if (!out.ends_with("# EOF\n")) std::abort();
  return 0;
}

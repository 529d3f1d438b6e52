// GET /metrics: what a scraper reads of the method that the agent was started with.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/document_cache.h"
#include "base/mutex.h"
#include "collect/collector.h"
#include "http/server.h"
#include "wire/metrics_text.h"

namespace gpuscope::api {

// What a part of the agent says of itself on the page.
struct PartMetrics {
  std::vector<wire::PlainCounter> counters;
  std::vector<wire::PlainGauge> gauges;
};

struct MetricsSetup {
  wire::MetricsOptions options;
  // Each is asked on the server's thread, adds its own, and must not wait.
  std::vector<std::function<void(PartMetrics&)>> parts;
  // Appends families of its own, as the format wants them; empty: there are none.
  std::function<void(wire::MetricsFormat, std::string& out)> more;
  std::function<http::Counters()> http_counters;  // of the server that serves; empty: not known
  std::string proc = "/proc";
};

// The method that a request's word means ("bash" is "smi"), or nullopt for a word that means none.
std::optional<std::string_view> canonical_method(std::string_view word);

// For the server's thread alone, but for change().
class MetricsRoute {
 public:
  // How long a scrape waits for the very first tick; then it gets what there is.
  static constexpr std::chrono::seconds kFirstReadingLimit{2};
  // Compressing more than this would hold up all others for too long: it is sent as it is.
  static constexpr std::size_t kLargestGzip = std::size_t{64} * 1'048'576;

  // Collector and cache outlive this object.
  MetricsRoute(collect::Collector& collector, std::string version, DocumentCache& cache);

  // To be called before the first request.
  void configure(MetricsSetup setup);
  // How the page looks from the next tick on. From any thread.
  void change(wire::MetricsOptions options);

  // Always 200, even while no GPU can be read: then it says so, and who is missing. 400 for
  // another method than the one that the agent was started with.
  std::optional<http::Response> answer(const http::Request& request);

 private:
  void encode(const collect::View& primary, wire::MetricsFormat format, std::string& out);
  void take_changes();

  collect::Collector& collector_;
  const std::string version_;
  DocumentCache& cache_;
  MetricsSetup setup_;
  std::unique_ptr<wire::MetricsText> text_;
  base::Mutex mutex_;
  std::optional<wire::MetricsOptions> changed_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::api

// The use of a whole fleet, read from any server of the Prometheus HTTP API in a fixed number of
// requests, however many GPUs it has.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "model/usage.h"
#include "prom/options.h"

namespace gpuscope::prom {

// One request a metric, six in all, and one more for the cards' power limits; times the pages where
// a fleet is too large for the engine, and one more for a metric that has samples which are no
// numbers. Which names it has is asked beside them, at first and every hour, and after a reading
// without any GPU.
class PrometheusReader final : public model::UsageReader {
 public:
  // kInvalidArgument for a condition or a shard that cannot be. `clock` outlives it.
  static base::Result<std::unique_ptr<PrometheusReader>> create(base::Clock& clock,
                                                                const ReaderOptions& options);
  ~PrometheusReader() override;

  base::Result<model::UsageAnswer> read(const model::UsageWindow& window) override;
  base::Result<void> probe() override;
  void cancel() override;

 private:
  class Impl;
  explicit PrometheusReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::prom

// The use of one machine's GPUs, from what its agent remembers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "model/series.h"
#include "model/usage.h"

namespace gpuscope::analyze {

struct HistoryReaderParts {
  std::unique_ptr<model::SeriesReader> series{};
  std::string hostname{};
  // The models of the GPUs by UUID, as far as they are known now. Any thread.
  std::function<std::map<std::string, std::string>()> models{};
};

// Every GPU that has a value of any of the metrics within the window; nobody knows of pods here. A
// mean is that of all ticks: the window's step does not count.
class HistoryReader final : public model::UsageReader {
 public:
  explicit HistoryReader(HistoryReaderParts parts) : parts_(std::move(parts)) {}

  base::Result<model::UsageAnswer> read(const model::UsageWindow& window) override;
  // It is a part of this process: what is wrong with it, the next reading says.
  base::Result<void> probe() override { return {}; }
  void cancel() override {}  // nothing here waits for anybody

 private:
  const HistoryReaderParts parts_;
};

}  // namespace gpuscope::analyze

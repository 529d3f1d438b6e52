// `nvidia-smi --query-gpu=… --format=csv,noheader,nounits -lms N`: the values that are worth asking
// for every tick.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/smi/value.h"
#include "model/catalog.h"
#include "model/snapshot.h"

namespace gpuscope::device::smi {

// One line: one GPU.
struct QueryRow {
  std::optional<std::size_t> index;  // nvidia-smi's
  std::string uuid;                  // empty when the line does not say
  model::GpuRow row;                 // what the query asks for; kNotYet: it does not
};

// Which fields to ask for, and what their answers mean. Immutable once made, so thread-safe.
class Query {
 public:
  // `help` is what `nvidia-smi --help-query-gpu` wrote: only fields that it names are asked for,
  // since one that the tool does not know fails the whole query. From a text that names none, the
  // few that every driver has are taken.
  explicit Query(std::string_view help);

  // "index,uuid,utilization.gpu,…": what --query-gpu= takes.
  const std::string& fields() const { return fields_; }
  // The metrics that a row may have.
  std::span<const model::Metric> metrics() const { return metrics_; }

  // kInvalidArgument for a line that is no answer to this query. Values that the GPU's state makes
  // unbelievable (it needs a reset) are absent.
  base::Result<QueryRow> parse(std::string_view line) const;

 private:
  struct Column {
    model::Metric metric;
    Form form;
    bool mask = false;  // of all reasons that hold the clocks
  };
  void ask(std::string_view field, const Column& column);

  std::string fields_;
  std::vector<Column> columns_;  // behind index and uuid
  std::vector<model::Metric> metrics_;
};

}  // namespace gpuscope::device::smi

// Where each metric stands in the document of `nvidia-smi -q -x`.
#pragma once

#include <span>

#include "device/smi/value.h"
#include "model/catalog.h"
#include "model/reading.h"

namespace gpuscope::device::smi {

struct ReportRow {
  model::Metric metric;
  const char* path;  // below the element gpu
  Form form;
};

// Rows of one metric stand together: newer or better ways to say it come first.
std::span<const ReportRow> report_rows();

// Used as a share of total, in 0.01 %.
model::Reading memory_usage(const model::Reading& used, const model::Reading& total);

}  // namespace gpuscope::device::smi

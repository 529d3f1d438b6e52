// The health report inside the query document: the verdict in the shape of `dcgmi health`'s answer.
#pragma once

#include <optional>
#include <string_view>

#include "model/health.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

// What a report without a verdict says for a reason.
inline constexpr std::string_view kNoVerdict = "nothing is judged for want of data";

// {"header": […], "body": {"Overall Health": …, "GPU": {"children": {"0": …}}}}. The GPU child is
// always "0". Temperature and Memory are always there, "Unknown" without a verdict; each other
// component that a finding names is a child with its severity; `findings` lists them with reason
// and action; what the vendor's tool said is `source`.
void write_health_report(JsonWriter& json, const model::Verdict& verdict,
                         const std::optional<model::SourceVerdict>& source);

}  // namespace gpuscope::wire

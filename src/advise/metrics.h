// What the chat adviser says of itself in metrics: gpuscope_ai_*.
#pragma once

#include <string>

#include "advise/chat_adviser.h"
#include "wire/metrics_format.h"

namespace gpuscope::advise {

// Appends whole families, without an end of the page.
void append_metrics(const ChatStatus& status, wire::MetricsFormat format, std::string& out);

}  // namespace gpuscope::advise

// How long calls into a real driver take, as published; for programs that must be measured as if
// one were there.
#pragma once

#include <chrono>
#include <string_view>

namespace gpuscope::simulated {

// Of one call; for a batch of fields, what the batch costs before its fields.
std::chrono::nanoseconds published_latency(std::string_view function);
// Of one field within a batch.
std::chrono::nanoseconds published_field_latency(unsigned int field);

// Keeps the caller for so long: asleep from 1 ms on, busy below that, where a sleep would be far
// off.
void spend(std::chrono::nanoseconds time);

}  // namespace gpuscope::simulated

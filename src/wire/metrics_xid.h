// XIDs in a few words, for the label err_msg.
#pragma once

#include <cstdint>
#include <string_view>

namespace gpuscope::wire {

// "No Error" for 0, "Unknown Error" for one that is not in the list.
std::string_view xid_text(std::uint64_t code);

}  // namespace gpuscope::wire

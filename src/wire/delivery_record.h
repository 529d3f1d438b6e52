// A delivery as it is kept in the StateStore: docs/formats/notifications.md, "Deliveries".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/delivery.h"

namespace gpuscope::wire {

// One line of JSON: all but the key.
std::string encode_delivery(const model::Delivery& delivery);

// kInvalidArgument where `text` is not what encode_delivery() writes: damaged, or of a version that
// this program does not know.
base::Result<model::Delivery> decode_delivery(std::string_view key, std::string_view text);

}  // namespace gpuscope::wire

#pragma once

#include <string_view>

namespace gpuscope::http {

// Whether an Accept-Encoding field allows gzip (RFC 9110, 12.5.3): named, as itself or as x-gzip,
// or covered by "*", and not with q=0. An absent or empty field does not: then plain is what a
// client surely reads. A q that is no number counts as 0.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace gpuscope::http

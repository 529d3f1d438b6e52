// The bytes in front of a body.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/server.h"

namespace gpuscope::http {

// How a response leaves, beside what it says.
struct Delivery {
  bool keep_alive = true;
  bool http_1_0 = false;  // the client's version; the answer is always HTTP/1.1
  bool stream = false;    // the body ends with the connection
  std::string_view date;  // as http_date() gives it
};

// Whether a response of this status has a body and a Content-Length at all (not: 1xx, 204, 304).
bool has_body(int status);

// Appends status line, header fields and the blank line. Control characters in the values of
// `response.headers` become blanks: no value can begin a header of its own.
void append_head(std::string& out, const Response& response, const Delivery& delivery);

// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(base::WallTime time);

}  // namespace gpuscope::http

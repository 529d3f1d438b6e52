// Mail as it goes over the wire: RFC 5322, 2045 to 2047 and 2392.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gpuscope::notify {

struct Picture {
  std::string png;
  std::string content_id;  // as the HTML refers to it, without <>
};

struct Mail {
  std::string from;       // an address
  std::string from_name;  // for people; empty: none
  std::string to;         // an address
  std::string subject;    // UTF-8; what would end a line becomes a blank
  base::WallTime date{};
  std::string message_id;   // without <>
  std::string in_reply_to;  // of another message; empty: it opens a thread
  std::string plain;        // UTF-8, lines end in "\n"
  std::string html;
  std::optional<Picture> picture;
};

// The whole message, lines ending in CRLF, none longer than 78 characters but for a header's single
// word. Parts are separated by what no part can have.
std::string encode_mail(const Mail& mail);

// Such as "Sun, 22 Nov 2026 09:24:42 +0000".
std::string mail_date(base::WallTime time);
// A header's value: as it is where it is ASCII, else in encoded words; never with a line end that
// would begin another header. `used` characters of its first line are taken.
std::string header_text(std::string_view text, std::size_t used);
std::string quoted_printable(std::string_view text);
std::string base64_lines(std::string_view bytes);

}  // namespace gpuscope::notify

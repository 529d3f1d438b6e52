#include "http/response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/utf8.h"

namespace gpuscope::http {
namespace {

std::string_view reason_phrase(int status) {
  struct Reason {
    int status;
    std::string_view text;
  };
  static constexpr auto kReasons = std::to_array<Reason>({
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  });
  const auto* const found = std::ranges::find(kReasons, status, &Reason::status);
  return found == kReasons.end() ? std::string_view{"Status"} : found->text;
}

void append_number(std::string& out, std::size_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  out += "\r\n";
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// A page of ours loads nothing from elsewhere and cannot be framed by a stranger.
void append_page_security(std::string& out, const Response& response) {
  const bool own_policy = std::ranges::any_of(response.headers, [](const auto& field) {
    return same_name(field.first, "Content-Security-Policy");
  });
  if (!own_policy) {
    out +=
        "Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'\r\n";
  }
  out += "X-Frame-Options: SAMEORIGIN\r\nReferrer-Policy: no-referrer\r\n";
}

void append_escaped(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (first == '"' || first == '\\') {
      out += '\\';
      out += text.front();
    } else if (first < 0x20) {
      out += "\\u00";
      out += kHex[first >> 4];
      out += kHex[first & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

void append_two_digits(std::string& out, long value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

}  // namespace

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

void append_head(std::string& out, const Response& response, const Delivery& delivery) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += delivery.date;
  if (has_body(response.status)) {
    out += "\r\nContent-Type: ";
    out += response.content_type;
    if (!delivery.stream) {
      out += "\r\nContent-Length: ";
      append_number(out, response.body->size());
    }
    if (response.gzip) out += "\r\nContent-Encoding: gzip";
  }
  out += "\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n";
  if (response.content_type.starts_with("text/html")) append_page_security(out, response);
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  if (!delivery.keep_alive) {
    out += "Connection: close\r\n";
  } else if (delivery.http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

std::string http_date(base::WallTime time) {
  static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
  std::string out;
  out.reserve(29);
  out += kDays.substr(std::size_t{3} * std::chrono::weekday{day}.c_encoding(), 3);
  out += ", ";
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths.substr(std::size_t{3} * (static_cast<unsigned>(date.month()) - 1), 3);
  out += ' ';
  append_two_digits(out, static_cast<int>(date.year()) / 100);
  append_two_digits(out, static_cast<int>(date.year()) % 100);
  out += ' ';
  append_two_digits(out, clock.hours().count());
  out += ':';
  append_two_digits(out, clock.minutes().count());
  out += ':';
  append_two_digits(out, clock.seconds().count());
  out += " GMT";
  return out;
}

Response error_response(int status, std::string_view detail) {
  std::string body = R"({"detail": ")";
  append_escaped(body, detail);
  body += "\"}";
  return text_response(status, "application/json", std::move(body));
}

bool is_same_origin(const Request& request) {
  if (request.origin.empty()) return true;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (same_name(request.origin.substr(0, scheme.size()), scheme)) {
      return !request.host.empty() && same_name(request.origin.substr(scheme.size()), request.host);
    }
  }
  return false;  // "null", a file, an extension
}

Response text_response(int status, std::string_view content_type, std::string body) {
  return Response{.status = status,
                  .content_type = content_type,
                  .body = std::make_shared<const std::string>(std::move(body)),
                  .gzip = false,
                  .headers = {},
                  .stream = std::nullopt};
}

}  // namespace gpuscope::http

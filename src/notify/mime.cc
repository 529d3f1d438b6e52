#include "notify/mime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "base/text.h"
#include "base/utf8.h"

namespace gpuscope::notify {
namespace {

constexpr std::size_t kLine = 76;
constexpr std::string_view kHex = "0123456789ABCDEF";

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }
bool is_ascii(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) > '~'; });
}

void append_escaped(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  out += '=';
  out += kHex[byte >> 4U];
  out += kHex[byte & 15U];
}

// Text without what would end a line, in UTF-8.
std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    if (length == 0) {
      out += base::kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (is_control(text.front())) {
      out += ' ';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

// ASCII, folded at blanks.
std::string folded(std::string_view text, std::size_t used) {
  std::string out;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ', 1);
    const std::string_view word = text.substr(0, blank);
    if (used + word.size() > kLine && word.front() == ' ' && word.size() > 1) {
      out += "\r\n";
      used = 0;
    }
    out += word;
    used += word.size();
    text.remove_prefix(word.size());
  }
  return out;
}

// RFC 2047, "Q": each word a whole number of characters.
std::string encoded_words(std::string_view text, std::size_t used) {
  constexpr std::string_view kBegin = "=?UTF-8?Q?";
  constexpr std::string_view kEnd = "?=";
  constexpr std::size_t kWord = 75;
  std::string out(kBegin);
  std::size_t length = kBegin.size() + kEnd.size();
  while (!text.empty()) {
    const std::size_t bytes = base::utf8_length(text);
    std::string piece;
    for (const char c : text.substr(0, bytes)) {
      const bool plain = base::is_letter(c) || base::is_digit(c);
      if (c == ' ') {
        piece += '_';
      } else if (plain) {
        piece += c;
      } else {
        append_escaped(piece, c);
      }
    }
    if (length + piece.size() > kWord || used + length + piece.size() > kLine) {
      out += fmt::format("{}\r\n {}", kEnd, kBegin);
      length = kBegin.size() + kEnd.size();
      used = 1;
    }
    out += piece;
    length += piece.size();
    text.remove_prefix(bytes);
  }
  return out += kEnd;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += fmt::format("{}: {}\r\n", name, value);
}

std::string from_header(const Mail& mail) {
  if (mail.from_name.empty()) return mail.from;
  const std::string name = one_line(mail.from_name);
  std::string shown;
  if (is_ascii(name)) {
    shown = "\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') shown += '\\';
      shown += c;
    }
    shown += '"';
  } else {
    shown = encoded_words(name, std::string_view("From: ").size());
  }
  const bool fits = shown.size() + mail.from.size() + 9 <= kLine;
  return fmt::format("{}{}<{}>", shown, fits ? " " : "\r\n ", mail.from);
}

void append_part(std::string& out, std::string_view type, std::string_view encoding,
                 std::string_view body) {
  append_header(out, "Content-Type", type);
  append_header(out, "Content-Transfer-Encoding", encoding);
  out += "\r\n";
  out += body;
}

void append_html(std::string& out, const Mail& mail, const std::string& boundary) {
  constexpr std::string_view kHtml = "text/html; charset=utf-8";
  if (!mail.picture) {
    return append_part(out, kHtml, "quoted-printable", quoted_printable(mail.html));
  }
  append_header(
      out, "Content-Type",
      fmt::format("multipart/related; type=\"text/html\";\r\n boundary=\"{}\"", boundary));
  out += fmt::format("\r\n--{}\r\n", boundary);
  append_part(out, kHtml, "quoted-printable", quoted_printable(mail.html));
  out += fmt::format("\r\n--{}\r\n", boundary);
  append_header(out, "Content-ID", fmt::format("<{}>", mail.picture->content_id));
  append_header(out, "Content-Disposition", "inline; filename=\"chart.png\"");
  append_part(out, "image/png", "base64", base64_lines(mail.picture->png));
  out += fmt::format("\r\n--{}--\r\n", boundary);
}

}  // namespace

std::string mail_date(base::WallTime time) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000", kDays.at(weekday(day).c_encoding()),
                     static_cast<unsigned>(date.day()),
                     kMonths.at(static_cast<unsigned>(date.month()) - 1),
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string header_text(std::string_view text, std::size_t used) {
  const std::string line = one_line(text);
  // What looks like an encoded word would be taken for one.
  const bool plain = is_ascii(line) && line.find("=?") == std::string::npos;
  return plain ? folded(line, used) : encoded_words(line, used);
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      out += "\r\n";
      length = 0;
      continue;
    }
    const bool ends_line = i + 1 == text.size() || text[i + 1] == '\n';
    const bool blank = c == ' ' || c == '\t';
    const bool plain = (c > ' ' && c <= '~' && c != '=') || (blank && !ends_line);
    const std::size_t width = plain ? 1 : 3;
    // One place is kept for the soft line end.
    if (length + width > kLine - (ends_line ? 0 : 1)) {
      out += "=\r\n";
      length = 0;
    }
    if (plain) {
      out += c;
    } else {
      append_escaped(out, c);
    }
    length += width;
  }
  return out;
}

std::string base64_lines(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr std::size_t kBytesPerLine = kLine / 4 * 3;
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    if (i > 0 && i % kBytesPerLine == 0) out += "\r\n";
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U;
    };
    const std::uint32_t group = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out += kDigits[group >> 18U];
    out += kDigits[group >> 12U & 63U];
    out += i + 1 < bytes.size() ? kDigits[group >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? kDigits[group & 63U] : '=';
  }
  return out;
}

std::string encode_mail(const Mail& mail) {
  // "=_" is in no text that is quoted-printable, and "_" in none that is base64.
  const std::string outer = "=_gpuscope_alternative";
  const std::string inner = "=_gpuscope_related";
  std::string out;
  append_header(out, "From", from_header(mail));
  append_header(out, "To", mail.to);
  append_header(out, "Subject", header_text(mail.subject, std::string_view("Subject: ").size()));
  append_header(out, "Date", mail_date(mail.date));
  append_header(out, "Message-ID", fmt::format("<{}>", mail.message_id));
  if (!mail.in_reply_to.empty()) {
    append_header(out, "In-Reply-To", fmt::format("<{}>", mail.in_reply_to));
    append_header(out, "References", fmt::format("<{}>", mail.in_reply_to));
  }
  append_header(out, "Auto-Submitted", "auto-generated");
  append_header(out, "MIME-Version", "1.0");
  append_header(out, "Content-Type",
                fmt::format("multipart/alternative;\r\n boundary=\"{}\"", outer));
  out += fmt::format("\r\n--{}\r\n", outer);
  append_part(out, "text/plain; charset=utf-8", "quoted-printable", quoted_printable(mail.plain));
  out += fmt::format("\r\n--{}\r\n", outer);
  append_html(out, mail, inner);
  out += fmt::format("\r\n--{}--\r\n", outer);
  return out;
}

}  // namespace gpuscope::notify

#include "prom/send_position.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/file.h"

namespace gpuscope::prom {
namespace {

constexpr std::string_view kMark = "gpuscope remote write 1:";
constexpr std::size_t kBytes = 256;  // padded with blanks: always within one sector

// Takes a blank and a number off the front; none for "-".
template <typename Number>
bool take_number(std::string_view& text, std::optional<Number>& out) {
  out.reset();
  if (!text.starts_with(' ')) return false;
  text.remove_prefix(1);
  if (text.starts_with('-') && (text.size() == 1 || text[1] == ' ' || text[1] == '\n')) {
    text.remove_prefix(1);
    return true;
  }
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  out = number;
  return true;
}

}  // namespace

std::string encode_position(const SendPosition& position) {
  std::string text = fmt::format("{} {} {}", kMark, position.sent.block, position.sent.tick);
  text += position.newest ? fmt::format(" {}", position.newest->time_since_epoch().count()) : " -";
  text += position.sending ? fmt::format(" {} {}", position.sending->block, position.sending->tick)
                           : " - -";
  // Its length at the end: what is torn is told.
  text += fmt::format(" {}", text.size());
  text.resize(kBytes - 1, ' ');
  return text + "\n";
}

std::optional<SendPosition> parse_position(std::string_view text) {
  if (text.size() != kBytes || !text.starts_with(kMark) || text.back() != '\n') return std::nullopt;
  const std::string_view whole = text;
  text.remove_prefix(kMark.size());
  std::optional<std::uint64_t> block;
  std::optional<std::uint64_t> tick;
  std::optional<std::int64_t> newest;
  std::optional<std::uint64_t> to_block;
  std::optional<std::uint64_t> to_tick;
  std::optional<std::uint64_t> length;
  if (!take_number(text, block) || !take_number(text, tick) || !take_number(text, newest) ||
      !take_number(text, to_block) || !take_number(text, to_tick)) {
    return std::nullopt;
  }
  const auto read = static_cast<std::uint64_t>(whole.size() - text.size());
  if (!take_number(text, length) || length != read || !block || !tick ||
      to_block.has_value() != to_tick.has_value() ||
      text.find_first_not_of(' ') != text.size() - 1) {
    return std::nullopt;
  }
  SendPosition position{.sent = {*block, *tick}, .newest = std::nullopt, .sending = std::nullopt};
  if (newest) position.newest = base::WallTime{std::chrono::microseconds{*newest}};
  if (to_block) position.sending = model::TickPosition{*to_block, *to_tick};
  return position;
}

std::unexpected<base::Error> PositionFile::failure(std::string_view doing) const {
  const int number = errno;
  return base::fail(base::error_kind_of_errno(number),
                    fmt::format("cannot {} {}: {}", doing, path_, base::errno_text(number)));
}

base::Result<PositionFile> PositionFile::open(const std::string& path) {
  PositionFile file(path, ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (file.file_ < 0) return file.failure("open");
  return file;
}

PositionFile::PositionFile(PositionFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

PositionFile::~PositionFile() {
  if (file_ >= 0) close(file_);
}

base::Result<std::optional<SendPosition>> PositionFile::read() const {
  std::array<char, kBytes + 1> bytes{};
  const ssize_t size = pread(file_, bytes.data(), bytes.size(), 0);
  if (size < 0) return failure("read");
  if (size == 0) return std::nullopt;
  auto position = parse_position({bytes.data(), static_cast<std::size_t>(size)});
  if (!position) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot read {}: it is damaged", path_));
  }
  return position;
}

base::Result<void> PositionFile::write(const SendPosition& position, bool durable) {
  const std::string text = encode_position(position);
  const ssize_t size = pwrite(file_, text.data(), text.size(), 0);
  if (size != static_cast<ssize_t>(text.size())) {
    if (size >= 0) errno = ENOSPC;
    return failure("write");
  }
  // A file that was longer was none of ours.
  if (ftruncate(file_, static_cast<off_t>(text.size())) != 0) return failure("write");
  if (durable && fdatasync(file_) != 0) return failure("write");
  return {};
}

}  // namespace gpuscope::prom

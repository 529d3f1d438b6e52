#include "device/replay/recording_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/file.h"
#include "device/replay/format.h"

namespace gpuscope::device::replay {
namespace {

using base::ErrorKind;
using base::fail;

constexpr mode_t kFileMode = 0640;
// zlib's fastest: the deltas have taken out most already.
constexpr int kLevel = 1;

std::unexpected<base::Error> cannot(std::string_view verb, const std::string& path, int number) {
  return fail(base::error_kind_of_errno(number),
              fmt::format("cannot {} the recording {}: {}", verb, path, base::errno_text(number)));
}

void put32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

std::uint32_t get32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint32_t checksum(std::string_view raw_length, std::string_view stored) {
  const auto* length = reinterpret_cast<const Bytef*>(raw_length.data());
  const auto* bytes = reinterpret_cast<const Bytef*>(stored.data());
  return static_cast<std::uint32_t>(crc32_z(crc32_z(0, length, 4), bytes, stored.size()));
}

std::string header() {
  std::string bytes(kMagic);
  put32(bytes, kVersion);
  put32(bytes, 0);
  return bytes;
}

// Reads all of it; false at the end of the file or on an error.
bool read_at(int file, char* out, std::size_t size, std::uint64_t position) {
  while (size > 0) {
    const ssize_t got = pread(file, out, size, static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    size -= static_cast<std::size_t>(got);
    position += static_cast<std::uint64_t>(got);
  }
  return true;
}

bool write_at(int file, std::string_view bytes, std::uint64_t position) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
    position += static_cast<std::uint64_t>(put);
  }
  return true;
}

// Says what is wrong with the first bytes of a file, if anything.
base::Result<void> check_header(int file, const std::string& path) {
  std::array<char, kHeaderBytes> bytes{};
  if (!read_at(file, bytes.data(), bytes.size(), 0) ||
      !std::string_view(bytes.data(), bytes.size()).starts_with(kMagic)) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot use {}: it is not a recording of gpuscope", path));
  }
  const std::uint32_t version = get32(bytes.data() + kMagic.size());
  if (version == 0 || version > kVersion) {
    return fail(
        ErrorKind::kInvalidArgument,
        fmt::format("cannot use the recording {}: it has version {}, and this gpuscope reads "
                    "up to {}; take the gpuscope that made it, or a newer one",
                    path, version, kVersion));
  }
  return {};
}

base::Result<File> open_regular(const std::string& path, int flags, std::string_view verb) {
  File file(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, kFileMode));
  if (!file.is_open()) return cannot(verb, path, errno);
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return cannot(verb, path, errno);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot {} the recording {}: it is not a file", verb, path));
  }
  return file;
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  if (is_open()) close(descriptor_);
}

base::Result<FrameWriter> FrameWriter::open(const std::string& path) {
  auto file = open_regular(path, O_RDWR | O_CREAT, "write");
  if (!file) return std::unexpected(std::move(file.error()));
  if (flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return cannot("lock", path, errno);
    return fail(ErrorKind::kAlreadyExists,
                fmt::format("cannot write the recording {}: another program records to it; give "
                            "this one a file of its own",
                            path));
  }
  struct stat status{};
  if (fstat(file->get(), &status) != 0) return cannot("write", path, errno);
  if (status.st_size == 0) {
    if (!write_at(file->get(), header(), 0)) {
      const int why = errno;
      static_cast<void>(ftruncate(file->get(), 0));
      return cannot("write", path, why);
    }
    return FrameWriter(path, std::move(*file), kHeaderBytes);
  }
  auto reader = FrameReader::open(path);
  if (!reader) return std::unexpected(std::move(reader.error()));
  while (!reader->next().empty()) {
  }
  const std::uint64_t end = reader->position();
  if (ftruncate(file->get(), static_cast<off_t>(end)) != 0) return cannot("write", path, errno);
  return FrameWriter(path, std::move(*file), end);
}

base::Result<void> FrameWriter::append(std::string_view records) {
  uLongf stored = compressBound(records.size());
  frame_.resize(kFrameHeadBytes + stored);
  if (compress2(reinterpret_cast<Bytef*>(frame_.data() + kFrameHeadBytes), &stored,
                reinterpret_cast<const Bytef*>(records.data()), records.size(), kLevel) != Z_OK) {
    return fail(ErrorKind::kInternal, fmt::format("cannot compress for the recording {}", path_));
  }
  frame_.resize(kFrameHeadBytes + stored);
  std::string head;
  put32(head, static_cast<std::uint32_t>(stored));
  put32(head, static_cast<std::uint32_t>(records.size()));
  put32(head, checksum(std::string_view(head).substr(4, 4),
                       std::string_view(frame_).substr(kFrameHeadBytes)));
  frame_.replace(0, kFrameHeadBytes, head);
  if (stored > kMaxStoredBytes || size_ + frame_.size() > kMaxFileBytes) {
    return fail(ErrorKind::kInvalidArgument,
                fmt::format("cannot write more to the recording {}: a recording takes at most {} "
                            "MiB; name another file",
                            path_, kMaxFileBytes >> 20));
  }
  if (!write_at(file_.get(), frame_, size_)) {
    const int why = errno;
    static_cast<void>(ftruncate(file_.get(), static_cast<off_t>(size_)));
    return cannot("write", path_, why);
  }
  size_ += frame_.size();
  return {};
}

base::Result<FrameReader> FrameReader::open(const std::string& path) {
  auto file = open_regular(path, O_RDONLY, "open");
  if (!file) return std::unexpected(std::move(file.error()));
  if (auto ok = check_header(file->get(), path); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  return FrameReader(std::move(*file), kHeaderBytes);
}

std::string_view FrameReader::next() {
  if (ended_) return {};
  ended_ = true;
  std::array<char, kFrameHeadBytes> head{};
  char first = 0;
  cut_off_ = read_at(file_.get(), &first, 1, position_);
  if (!read_at(file_.get(), head.data(), head.size(), position_)) return {};
  const std::size_t stored = get32(head.data());
  const std::size_t raw = get32(head.data() + 4);
  if (stored == 0 || stored > kMaxStoredBytes || raw == 0 || raw > kMaxRawBytes) return {};
  stored_.resize(stored);
  if (!read_at(file_.get(), stored_.data(), stored, position_ + kFrameHeadBytes)) return {};
  if (checksum({head.data() + 4, 4}, stored_) != get32(head.data() + 8)) return {};
  records_.resize(raw);
  uLongf size = raw;
  if (uncompress(reinterpret_cast<Bytef*>(records_.data()), &size,
                 reinterpret_cast<const Bytef*>(stored_.data()), stored) != Z_OK ||
      size != raw) {
    return {};
  }
  ended_ = false;
  cut_off_ = false;
  position_ += kFrameHeadBytes + stored;
  return records_;
}

}  // namespace gpuscope::device::replay

#include "wire/gzip.h"

#include <zlib.h>

#include <cstddef>
#include <limits>
#include <new>

namespace gpuscope::wire {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's largest window; 16 more asks for a gzip header
constexpr int kMemoryLevel = 8;       // zlib's own default

}  // namespace

struct Gzip::State {
  z_stream stream{};
  bool ready = false;

  explicit State(int level)
      : ready(deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                           Z_DEFAULT_STRATEGY) == Z_OK) {}
  ~State() {
    if (ready) deflateEnd(&stream);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Gzip::Gzip(int level) : level_(level) {}
Gzip::~Gzip() = default;

bool Gzip::append(std::string_view in, std::string& out) {
  if (in.size() > std::numeric_limits<uInt>::max() / 2) return false;
  if (!state_) state_.reset(new (std::nothrow) State(level_));
  if (!state_ || !state_->ready) {
    state_.reset();
    return false;
  }
  z_stream& stream = state_->stream;
  if (deflateReset(&stream) != Z_OK) return false;
  const std::size_t begin = out.size();
  const std::size_t bound = deflateBound(&stream, static_cast<uLong>(in.size()));
  bool done = false;
  out.resize_and_overwrite(begin + bound, [&](char* data, std::size_t) {
    // zlib reads through a pointer that it never got around to make const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(data + begin);
    stream.avail_out = static_cast<uInt>(bound);
    done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    return done ? begin + stream.total_out : begin;
  });
  return done;
}

}  // namespace gpuscope::wire

// gzip over zlib, with one state that is used again and again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace gpuscope::wire {

// Not thread-safe. Holds about 270 KB from the first use on; after that it allocates nothing when
// `out` has room.
class Gzip {
 public:
  // 1 (fast) to 9 (small). Measured by bench_encode on /gpu/metric: 1 makes it 11 to 13 times
  // smaller, 6 makes it 13 to 16 times smaller and takes twice as long; the server's one thread
  // waits for it.
  static constexpr int kLevel = 1;

  explicit Gzip(int level = kLevel);
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  // Appends `in`, compressed, as one whole gzip member. False, with `out` as it was, when there is
  // no memory for it: the caller then sends the plain bytes.
  [[nodiscard]] bool append(std::string_view in, std::string& out);

 private:
  struct State;
  const int level_;
  std::unique_ptr<State> state_;
};

}  // namespace gpuscope::wire

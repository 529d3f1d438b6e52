// The answers of the Prometheus HTTP API, read while they come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gpuscope::prom {

// Of one series, in the engine's order, unescaped. Valid during the call that shows them.
using LabelViews = std::vector<std::pair<std::string_view, std::string_view>>;

// What an answer says beside its data.
struct AnswerNotes {
  std::vector<std::string> warnings;  // `warnings` and `infos`
  bool partial = false;               // `isPartial`, as VictoriaMetrics' cluster says it
  std::uint64_t bytes = 0;            // of the answer
};

// An instant vector. The answer is cut where one series ends and the next begins, and each piece is
// parsed by itself, so that it is never held as a whole. Not thread-safe.
class VectorParser {
 public:
  // A series and its value, which is not finite where the engine's is not.
  using Sink = std::function<void(const LabelViews& labels, double value)>;

  // A series that is longer than this is refused.
  static constexpr std::size_t kMaxSeriesBytes = std::size_t{16} << 20;
  // What is parsed at once: with all that the parser makes of it, it stays in a core's cache.
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 17;

  explicit VectorParser(Sink sink, std::size_t piece_bytes = kPieceBytes);
  ~VectorParser();
  VectorParser(const VectorParser&) = delete;
  VectorParser& operator=(const VectorParser&) = delete;

  // The next bytes. False: this is no such answer, and no more is wanted; finish() says why.
  bool add(std::string_view bytes);
  // After the last byte. kUnavailable for what is not such an answer, or is cut off;
  // kInvalidArgument where it says "error", with its words.
  base::Result<AnswerNotes> finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The strings of `data` in the answer of a labels endpoint. Errors as of VectorParser.
base::Result<std::vector<std::string>> parse_names(std::string_view answer);

// The words of an error answer: its `error`, else the front of it as it stands, in one line.
std::string error_words(std::string_view answer);

}  // namespace gpuscope::prom

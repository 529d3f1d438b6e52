#include "prom/vector_parser.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "base/log.h"

namespace gpuscope::prom {
namespace {

namespace json = simdjson::ondemand;
using base::ErrorKind;
using base::Result;

// A label may hold these bytes only with its quotes escaped, so they are always what they look
// like.
constexpr std::string_view kResult = R"("result":[)";
constexpr std::string_view kBorder = R"(},{"metric":)";
constexpr std::string_view kEnd = "]}}";
// Everything that may stand before the first series.
constexpr std::size_t kMaxHeadBytes = 65'536;
constexpr std::size_t kMaxWords = 300;
constexpr std::size_t kMaxNotes = 20;

// What a document says; parsed with error codes: nothing here throws.
struct Envelope {
  std::string status;
  std::string error;
  std::optional<std::string> type;
  AnswerNotes notes;
};

class DocumentParser {
 public:
  explicit DocumentParser(const VectorParser::Sink& sink) : sink_(sink) {}

  // `text` has room for simdjson's padding behind it.
  bool parse(const std::string& text, Envelope& out) {
    json::document document;
    json::object root;
    if (parser_.iterate(text.data(), text.size(), text.capacity()).get(document) != 0 ||
        document.get_object().get(root) != 0) {
      return false;
    }
    for (auto each : root) {
      json::field field;
      std::string_view key;
      if (std::move(each).get(field) != 0 || field.unescaped_key().get(key) != 0) return false;
      if (!read_member(key, field.value(), out)) return false;
    }
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS;  // no more
  }

 private:
  bool read_member(std::string_view key, json::value value, Envelope& out) {
    if (key == "status") return text(value, out.status);
    if (key == "error") return text(value, out.error);
    if (key == "warnings" || key == "infos") return texts(value, out.notes.warnings);
    if (key == "data") return data(value, out);
    if (key == "isPartial") {
      bool partial = false;
      if (value.get_bool().get(partial) != 0) return false;
      out.notes.partial = out.notes.partial || partial;
    }
    return true;
  }

  static bool text(json::value value, std::string& out) {
    std::string_view found;
    if (value.get_string().get(found) != 0) return false;
    out = found;
    return true;
  }

  static bool texts(json::value value, std::vector<std::string>& out) {
    if (value.is_null().value_unsafe()) return true;
    json::array array;
    if (value.get_array().get(array) != 0) return false;
    for (auto each : array) {
      std::string_view found;
      if (each.get_string().get(found) != 0) return false;
      if (out.size() < kMaxNotes && std::ranges::find(out, found) == out.end()) {
        out.emplace_back(found);
      }
    }
    return true;
  }

  bool data(json::value value, Envelope& out) {
    json::object object;
    if (value.get_object().get(object) != 0) return false;
    for (auto each : object) {
      json::field field;
      std::string_view key;
      if (std::move(each).get(field) != 0 || field.unescaped_key().get(key) != 0) return false;
      json::value member = field.value();
      if (key == "resultType") {
        if (!text(member, out.type.emplace())) return false;
      } else if (key == "result") {
        if (out.type.value_or("vector") != "vector" || !series(member)) return false;
      }
    }
    return true;
  }

  bool series(json::value value) {
    json::array array;
    if (value.get_array().get(array) != 0) return false;
    for (auto each : array) {
      json::object object;
      if (each.get_object().get(object) != 0) return false;
      labels_.clear();
      std::optional<double> found;
      for (auto member : object) {
        json::field field;
        std::string_view key;
        if (std::move(member).get(field) != 0 || field.unescaped_key().get(key) != 0) return false;
        json::value what = field.value();
        if (key == "metric" && !labels(what)) return false;
        if (key == "value") {
          found = sample(what);
          if (!found) return false;
        }
      }
      // A native histogram has no value.
      if (found) sink_(labels_, *found);
    }
    return true;
  }

  bool labels(json::value value) {
    json::object object;
    if (value.get_object().get(object) != 0) return false;
    for (auto each : object) {
      json::field field;
      std::string_view key;
      std::string_view text;
      if (std::move(each).get(field) != 0 || field.unescaped_key().get(key) != 0 ||
          field.value().get_string().get(text) != 0) {
        return false;
      }
      labels_.emplace_back(key, text);
    }
    return true;
  }

  // [time, "value"].
  static std::optional<double> sample(json::value value) {
    json::array array;
    if (value.get_array().get(array) != 0) return std::nullopt;
    std::optional<double> found;
    std::size_t index = 0;
    for (auto each : array) {
      if (index++ != 1) continue;
      std::string_view text;
      if (each.get_string().get(text) != 0) return std::nullopt;
      found = number(text);
    }
    return found;
  }

  static std::optional<double> number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) return std::numeric_limits<double>::infinity();
    return error == std::errc{} ? std::optional(value) : std::nullopt;
  }

  const VectorParser::Sink& sink_;
  json::parser parser_;
  LabelViews labels_;
};

// In one line that is fit for a log.
std::string words(std::string_view text) {
  const bool whole = text.size() <= kMaxWords;
  return base::escape_log_text(text.substr(0, kMaxWords)) + (whole ? "" : "…");
}

Result<void> check(const Envelope& envelope) {
  if (envelope.status == "success") return {};
  if (envelope.status == "error") {
    return base::fail(ErrorKind::kInvalidArgument, "it says: " + words(envelope.error));
  }
  return base::fail(ErrorKind::kUnavailable, "its answer has no status");
}

}  // namespace

class VectorParser::Impl {
 public:
  Impl(Sink sink, std::size_t piece_bytes)
      : sink_(std::move(sink)), parser_(sink_), piece_bytes_(piece_bytes) {}

  bool add(std::string_view bytes) {
    if (failed_) return false;
    envelope_.notes.bytes += bytes.size();
    buffer_.append(bytes);
    if (head_ == 0) {
      const auto found = buffer_.find(kResult);
      if (found != buffer_.npos) head_ = found + kResult.size();
      if (head_ == 0) return is_fine(buffer_.size() <= kMaxHeadBytes);
    }
    if (buffer_.size() - head_ < piece_bytes_) return true;
    const std::size_t border = buffer_.rfind(kBorder);
    if (border == buffer_.npos || border < head_) {
      return is_fine(buffer_.size() - head_ <= kMaxSeriesBytes);
    }
    // What is behind the border waits, while its place is taken by an end.
    rest_.assign(buffer_, border + 2);
    buffer_.resize(border + 1);
    buffer_ += kEnd;
    const bool parsed = parse();
    buffer_.resize(head_);
    buffer_ += rest_;
    return is_fine(parsed);
  }

  Result<AnswerNotes> finish() {
    if (failed_ || !is_fine(parse())) {
      return base::fail(ErrorKind::kUnavailable,
                        "its answer is cut off, or is not that of the Prometheus HTTP API");
    }
    if (auto fine = check(envelope_); !fine) return std::unexpected(std::move(fine.error()));
    if (!envelope_.type) return base::fail(ErrorKind::kUnavailable, "its answer has no data");
    return std::move(envelope_.notes);
  }

 private:
  bool is_fine(bool fine) {
    failed_ = !fine;
    return fine;
  }
  bool parse() {
    buffer_.reserve(buffer_.size() + simdjson::SIMDJSON_PADDING);
    return parser_.parse(buffer_, envelope_);
  }

  const Sink sink_;
  DocumentParser parser_;
  const std::size_t piece_bytes_;
  std::string buffer_;    // from the answer's begin to its first series, then what is not parsed
  std::string rest_;      // of buffer_, while it is parsed
  std::size_t head_ = 0;  // bytes before the first series; 0: not found yet
  Envelope envelope_;
  bool failed_ = false;
};

VectorParser::VectorParser(Sink sink, std::size_t piece_bytes)
    : impl_(std::make_unique<Impl>(std::move(sink), piece_bytes)) {}
VectorParser::~VectorParser() = default;
bool VectorParser::add(std::string_view bytes) { return impl_->add(bytes); }
Result<AnswerNotes> VectorParser::finish() { return impl_->finish(); }

Result<std::vector<std::string>> parse_names(std::string_view answer) {
  const simdjson::padded_string text(answer);
  json::parser parser;
  json::document document;
  json::object root;
  Envelope envelope;
  std::vector<std::string> names;
  const auto bad = [] {
    return base::fail(ErrorKind::kUnavailable, "its answer is not that of the Prometheus HTTP API");
  };
  if (parser.iterate(text).get(document) != 0 || document.get_object().get(root) != 0) return bad();
  for (auto each : root) {
    json::field field;
    std::string_view key;
    if (std::move(each).get(field) != 0 || field.unescaped_key().get(key) != 0) return bad();
    std::string_view found;
    json::array data;
    if (key == "status" || key == "error") {
      if (field.value().get_string().get(found) != 0) return bad();
      (key == "status" ? envelope.status : envelope.error) = found;
    } else if (key == "data") {
      if (field.value().get_array().get(data) != 0) return bad();
      for (auto name : data) {
        if (name.get_string().get(found) != 0) return bad();
        names.emplace_back(found);
      }
    }
  }
  if (auto fine = check(envelope); !fine) return std::unexpected(std::move(fine.error()));
  return names;
}

std::string error_words(std::string_view answer) {
  const simdjson::padded_string text(answer.substr(0, kMaxHeadBytes));
  json::parser parser;
  json::document document;
  std::string_view found;
  if (parser.iterate(text).get(document) == 0 && document["error"].get_string().get(found) == 0) {
    return words(found);
  }
  return words(answer);
}

}  // namespace gpuscope::prom

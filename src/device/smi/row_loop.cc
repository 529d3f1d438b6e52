#include "device/smi/row_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "device/smi/value.h"

namespace gpuscope::device::smi {
namespace {

using base::ErrorKind;
using base::Subprocess;
using std::chrono::milliseconds;

constexpr milliseconds kFirstRowRetry{1000};
constexpr milliseconds kLastRowRetry{30'000};
constexpr std::size_t kLongestLine = 16'384;
// No answer that we asked for is so long: with 64 GPUs a sample has 20 KiB.
constexpr std::size_t kMaxBytesPerSample = 4U << 20U;
constexpr int kMaxBadLines = 1000;  // without a good one in between
constexpr std::size_t kKeptErrors = 4096;

}  // namespace

milliseconds row_patience(const Options& options) {
  return std::max(3 * options.interval, options.shortest_patience);
}

RowLoop::RowLoop(const Options& options, const base::Clock& clock, const Query& query,
                 const std::vector<Known>& known, Refresher& refresher, Board& board)
    : options_(options),
      clock_(clock),
      query_(query),
      known_(known),
      refresher_(refresher),
      board_(board),
      tools_(options, interrupt_),
      worker_(clock, interrupt_) {}

base::Result<void> RowLoop::start() {
  return worker_.start("smi-loop", [this] { run(); });
}

void RowLoop::stop() { worker_.stop(); }

void RowLoop::run() {
  if (!worker_.wait_for_wake()) return;
  const milliseconds first_retry = std::min(kFirstRowRetry, options_.interval);
  milliseconds retry = first_retry;
  for (;;) {
    answered_ = false;
    base::Error error = follow();
    if (interrupt_.raised()) return;
    board_.set_trouble(Board::Part::kLoop, std::move(error));
    // What ails the loop shows in the document, too.
    refresher_.hurry();
    if (answered_) retry = first_retry;
    if (!worker_.pause(retry)) return;
    retry = std::min(2 * retry, kLastRowRetry);
  }
}

base::Error RowLoop::follow() {
  const auto because = [](ErrorKind kind, std::string_view why) {
    return base::Error{kind, fmt::format("cannot follow nvidia-smi --query-gpu … -lms: {}", why)};
  };
  auto child = Subprocess::start(tools_.loop(query_.fields(), refresher_.reachable_gpus()));
  if (!child) return std::move(child.error());
  std::string output;
  std::string errors;
  last_words_.clear();
  std::size_t bytes = 0;  // since the last good line
  int bad_lines = 0;
  milliseconds patience = options_.tool_timeout;  // the first sample takes its time
  base::SteadyTime last_answer = clock_.steady_now();
  for (;;) {
    const std::size_t had = output.size();
    switch (child->read(output, errors, patience, &interrupt_)) {
      case Subprocess::Event::kInterrupted:
        return {};
      case Subprocess::Event::kEnd:
        return explain_failure(last_words_, errors, child->status()).error;
      case Subprocess::Event::kTimeout:
        return because(ErrorKind::kDeadlineExceeded,
                       fmt::format("it wrote nothing for {} ms", patience.count()));
      case Subprocess::Event::kOutput:
        break;
    }
    errors.resize(std::min(errors.size(), kKeptErrors));
    bytes += output.size() - had;
    if (take_lines(output)) {
      answered_ = true;
      bytes = 0;
      bad_lines = 0;
      last_answer = clock_.steady_now();
      patience = row_patience(options_);
      board_.set_trouble(Board::Part::kLoop, std::nullopt);
    } else if (bytes > kMaxBytesPerSample || ++bad_lines > kMaxBadLines ||
               output.size() > kLongestLine) {
      return because(ErrorKind::kUnavailable,
                     fmt::format("it writes what was not asked for, such as: {}", last_words_));
    } else if (clock_.steady_now() - last_answer > options_.tool_timeout) {
      return because(ErrorKind::kDeadlineExceeded, "it answers with something else");
    }
  }
}

// True when one of them was an answer.
bool RowLoop::take_lines(std::string& text) {
  bool good = false;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    good = take_line(std::string_view(text).substr(begin, end - begin)) || good;
    begin = end + 1;
  }
  text.erase(0, begin);
  return good;
}

bool RowLoop::take_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty()) return false;
  auto row = query_.parse(line);
  if (!row) {
    constexpr std::size_t kShown = 120;
    last_words_.assign(line.substr(0, kShown));
    std::ranges::replace_if(last_words_, [](char c) { return c < ' ' || c > '~'; }, '?');
    return false;
  }
  auto gpu = find_known(known_, row->uuid, {});
  // UUIDs may be masked, all alike: then it is the place that counts.
  const std::size_t place = row->index.value_or(known_.size());
  if (place < known_.size() && (row->uuid.empty() || known_[place].uuid == row->uuid)) gpu = place;
  if (gpu) board_.put_row(*gpu, row->row);
  return true;
}

}  // namespace gpuscope::device::smi

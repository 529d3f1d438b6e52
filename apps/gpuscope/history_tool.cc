#include "history_tool.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "agent_parts.h"
#include "base/file.h"
#include "config/agent_settings.h"

namespace gpuscope::app {
namespace {

constexpr std::chrono::milliseconds kShowEvery{200};

}  // namespace

base::Result<std::string> history_file(const HistoryCommand& command) {
  if (!command.db.empty()) return command.db;
  if (!command.data_dir.empty()) return history_path(command.data_dir);
  const auto environment = config::process_environment();
  if (const auto given = environment("GPUSCOPE_DATA_DIR"); given && !given->empty()) {
    return history_path(*given);
  }
  auto fallback = config::default_data_dir(environment, geteuid() == 0);
  if (!fallback) return std::unexpected(std::move(fallback.error()));
  return history_path(*fallback);
}

bool Stop::asked() { return wait(std::chrono::milliseconds{0}); }

bool Stop::wait(std::chrono::milliseconds timeout) {
  if (signal_ != 0) return true;
  const auto signal = signals_.wait(timeout);
  if (signal && *signal != SIGHUP) signal_ = *signal;
  return signal_ != 0;
}

Work::Work(Stop& stop, const base::Clock& clock, std::string what, std::uint64_t total)
    : stop_(stop),
      clock_(clock),
      what_(std::move(what)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) == 1),
      next_(clock.steady_now() + kShowEvery) {}

Work::~Work() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

base::Result<void> Work::step() {
  ++done_;
  if (stop_.asked()) return base::fail(base::ErrorKind::kUnavailable, "cannot go on: stopped");
  if (!terminal_ || clock_.steady_now() < next_) return {};
  shown_ = true;
  next_ = clock_.steady_now() + kShowEvery;
  std::fprintf(stderr, "\r\x1b[K%s: %llu %%", what_.c_str(),
               static_cast<unsigned long long>(total_ == 0 ? 0 : done_ * 100 / total_));
  return {};
}

void OutputFile::Close::operator()(std::FILE* file) const {
  if (file != stdout) std::fclose(file);
}

base::Result<OutputFile> OutputFile::open(const std::string& path) {
  if (path == "-") return OutputFile(path, stdout);
  std::FILE* const file = std::fopen((path + ".part").c_str(), "we");
  if (file != nullptr) return OutputFile(path, file);
  return base::fail(base::error_kind_of_errno(errno),
                    fmt::format("cannot write {}: {}", path, base::errno_text(errno)));
}

OutputFile::~OutputFile() {
  if (file_ && file_.get() != stdout) unlink(part().c_str());
}

base::Result<void> OutputFile::cannot_write() const {
  const std::string name = path_ == "-" ? "to standard output" : path_;
  return base::fail(base::error_kind_of_errno(errno),
                    fmt::format("cannot write {}: {}", name, base::errno_text(errno)));
}

base::Result<void> OutputFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size()) return {};
  return cannot_write();
}

base::Result<void> OutputFile::finish() {
  if (std::fflush(file_.get()) != 0) return cannot_write();
  if (file_.get() != stdout) {
    if (fsync(fileno(file_.get())) != 0 && errno != EINVAL) return cannot_write();
    if (std::rename(part().c_str(), path_.c_str()) != 0) return cannot_write();
  }
  file_.reset();
  return {};
}

}  // namespace gpuscope::app

// What the commands on the history share.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/signal.h"
#include "commands.h"

namespace gpuscope::app {

// The file that is meant: --db, or gpuscope.db in --data-dir, GPUSCOPE_DATA_DIR or the default.
base::Result<std::string> history_file(const HistoryCommand& command);

// Whether somebody wants what runs to end. Main thread only.
class Stop {
 public:
  explicit Stop(base::StopSignals& signals) : signals_(signals) {}

  // A signal to end has come, now or before.
  bool asked();
  // The same as a question for those that take one; this object outlives it.
  std::function<bool()> question() {
    return [this] { return asked(); };
  }
  // Waits for such a signal, at most so long.
  bool wait(std::chrono::milliseconds timeout);
  // Its number; 0: none has come.
  int signal() const { return signal_; }

 private:
  base::StopSignals& signals_;
  int signal_ = 0;
};

// Tells on a terminal how far long work has come, and ends it when somebody wants that.
class Work {
 public:
  // `what` as in "exports"; `total` steps are to be done.
  Work(Stop& stop, const base::Clock& clock, std::string what, std::uint64_t total);
  ~Work();  // leaves a clean line
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // One step is done. kUnavailable once a signal has come.
  base::Result<void> step();

 private:
  Stop& stop_;
  const base::Clock& clock_;
  const std::string what_;
  const std::uint64_t total_;
  const bool terminal_;
  std::uint64_t done_ = 0;
  bool shown_ = false;
  base::SteadyTime next_{};
};

// A file that is there whole or not at all: it is called PATH.part until finish().
class OutputFile {
 public:
  // "-" is standard output.
  static base::Result<OutputFile> open(const std::string& path);
  OutputFile(OutputFile&&) = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();  // removes what is not finished

  base::Result<void> write(std::string_view text);
  base::Result<void> finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const;
  };
  OutputFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  std::string part() const { return path_ + ".part"; }
  base::Result<void> cannot_write() const;

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

// Each of these is one command to its end.
base::Result<void> export_history(const HistoryCommand& command, Stop& stop);
base::Result<void> import_history(const HistoryCommand& command, Stop& stop);
base::Result<void> record_history(const HistoryCommand& command, Stop& stop);

}  // namespace gpuscope::app

// Child processes: the one place that starts any.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gpuscope::base {

// Lets one thread end the waits of another: once raised, it stays so. Thread-safe.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void raise();
  bool raised() const;
  int file() const { return file_; }  // readable from raise() on

 private:
  int file_;
};

// What to run. No shell comes in between.
struct Command {
  std::vector<std::string> arguments;    // the first: a path, or a name to be looked up in PATH
  std::vector<std::string> environment;  // "NAME=value", before what this process has of that name
};

// The path of the program that `name` stands for: itself where it has a slash, else the first one
// in PATH that can be run. kNotFound, kPermissionDenied: "cannot run NAME: …".
Result<std::string> find_program(const std::string& name);

struct ExitStatus {
  std::optional<int> signal;  // what ended it, if a signal did
  int code = 0;               // otherwise
  bool success() const { return !signal && code == 0; }
};
// "ended with status 9", "was ended by signal 11 (Segmentation fault)".
std::string exit_text(const ExitStatus& status);

// A running child: its own process group, LC_ALL=C, nothing on its standard input, no file of ours
// but its two pipes, no signal blocked or ignored. It is killed when the thread that started it
// ends. One thread at a time uses the object.
class Subprocess {
 public:
  // kNotFound and kPermissionDenied as find_program(); kUnavailable when the system has no more
  // processes or files.
  static Result<Subprocess> start(const Command& command);
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();  // kill()

  enum class Event {
    kOutput,       // something was read
    kEnd,          // it has ended, and all that it wrote has been read: see status()
    kTimeout,      // nothing came in time
    kInterrupted,  // the interrupt was raised
  };
  // Waits for what it writes and appends it, 64 KiB at most each time. kEnd comes as soon as the
  // child itself has ended, whoever else still holds its pipes. `interrupt` may be null.
  Event read(std::string& output, std::string& errors, std::chrono::milliseconds timeout,
             const Interrupt* interrupt);
  // After kEnd.
  ExitStatus status() const { return status_; }

  // Kills its whole group and waits for its end, half a second at most: a child that is stuck in
  // the kernel is left behind, see unreaped_children(). Idempotent.
  void kill();

 private:
  Subprocess() = default;
  bool reap(bool wait);
  void close_files();

  pid_t pid_ = -1;  // -1: none, or reaped
  int output_ = -1;
  int errors_ = -1;
  int process_ = -1;  // readable once it has ended; -1 where the kernel has no such file
  ExitStatus status_;
};

// Children that were killed and still have not ended, since they are stuck in the kernel. They are
// reaped when they do. Thread-safe.
std::size_t unreaped_children();

struct RunLimits {
  std::chrono::milliseconds timeout{10'000};
  std::size_t max_bytes = 16U << 20U;    // of its standard output; of its errors, 64 KiB are kept
  const Interrupt* interrupt = nullptr;  // ends it early
};

struct Completed {
  std::string output;
  std::string errors;
  ExitStatus status;
};

// Runs a command to its end; that it failed stands in `status`. kDeadlineExceeded when it does not
// end in time, kUnavailable when it writes too much, when the interrupt was raised, or when too
// many earlier children are stuck in the kernel. It is then killed, with all that it started.
Result<Completed> run_command(const Command& command, const RunLimits& limits);

}  // namespace gpuscope::base

#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/mutex.h"

namespace gpuscope::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kKillPatience{500};
// How often a child is looked at whose end the kernel does not announce.
constexpr milliseconds kLook{20};
constexpr std::size_t kReadSize = 65'536;
constexpr std::size_t kMaxErrors = 65'536;
constexpr std::size_t kMaxUnreaped = 4;
constexpr int kExecFailed = 127;

struct Unreaped {
  Mutex mutex;
  std::vector<pid_t> children GUARDED_BY(mutex);
};
Unreaped& unreaped() {
  static auto* const list = new Unreaped;  // for children that outlive everything else
  return *list;
}

milliseconds left_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  return std::max(left, milliseconds{0});
}

// What the child needs, made before the fork: afterwards it may call nothing that allocates.
struct Prepared {
  std::string program;
  std::vector<char*> arguments;
  std::vector<std::string> variables;
  std::vector<char*> environment;
};

void prepare_environment(const Command& command, Prepared& prepared) {
  prepared.variables = command.environment;
  prepared.variables.emplace_back("LC_ALL=C");
  const std::size_t own = prepared.variables.size();
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const auto replaced = [&](const std::string& other) { return other.starts_with(name); };
    const auto end = prepared.variables.begin() + static_cast<std::ptrdiff_t>(own);
    if (std::none_of(prepared.variables.begin(), end, replaced)) {
      prepared.variables.emplace_back(text);
    }
  }
  for (std::string& variable : prepared.variables) {
    prepared.environment.push_back(variable.data());
  }
  prepared.environment.push_back(nullptr);
}

// The child's own life until exec; only what is safe after a fork of a program with threads.
[[noreturn]] void become(const Prepared& prepared, pid_t parent, int input, int output,
                         int errors) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before it could be asked for.
  if (getppid() != parent) _exit(kExecFailed);
  struct sigaction normal{};
  normal.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &normal, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(input, 0) >= 0 && dup2(output, 1) >= 0 && dup2(errors, 2) >= 0) {
    close_range(3, ~0U, 0);
    execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  }
  const char* why = "cannot run the program: ";
  const char* text = strerrordesc_np(errno);
  // Nobody is there to hear of a failure to say so.
  (void)!write(2, why, std::strlen(why));
  if (text != nullptr) (void)!write(2, text, std::strlen(text));
  _exit(kExecFailed);
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  // Both ends above the three that a child begins with, so that dup2() never takes one away.
  bool open() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read_end = raised(ends[0]);
    write_end = raised(ends[1]);
    return read_end >= 0 && write_end >= 0;
  }
  static int raised(int file) {
    if (file > 2) return file;
    const int higher = fcntl(file, F_DUPFD_CLOEXEC, 3);
    ::close(file);
    return higher;
  }
  void close() const {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
};

// Reads what is there; false at the end of the file.
bool drain(int file, std::string& into) {
  std::array<char, kReadSize> buffer;
  const ssize_t got = read(file, buffer.data(), buffer.size());
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace

Interrupt::Interrupt() : file_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Interrupt::~Interrupt() {
  if (file_ >= 0) close(file_);
}

void Interrupt::raise() {
  const std::uint64_t one = 1;
  (void)!write(file_, &one, sizeof one);
}

bool Interrupt::raised() const {
  pollfd entry{file_, POLLIN, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

Result<std::string> find_program(const std::string& name) {
  const auto runnable = [](const std::string& path) {
    struct stat about{};
    return stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
           access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (runnable(name)) return name;
    const int why = access(name.c_str(), X_OK) == 0 ? EACCES : errno;  // a folder, for one
    return fail(error_kind_of_errno(why), fmt::format("cannot run {}: {}", name, errno_text(why)));
  }
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable != nullptr ? variable : "/usr/bin:/bin";
  while (!name.empty() && !folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    std::string path = end == 0 ? "." : std::string(folders.substr(0, end));
    path += "/" + name;
    if (runnable(path)) return path;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return fail(ErrorKind::kNotFound,
              fmt::format("cannot run {}: there is no such program in PATH", name));
}

std::string exit_text(const ExitStatus& status) {
  if (!status.signal) return fmt::format("ended with status {}", status.code);
  const char* text = sigdescr_np(*status.signal);
  return fmt::format("was ended by signal {} ({})", *status.signal,
                     text != nullptr ? text : "unknown");
}

Result<Subprocess> Subprocess::start(const Command& command) {
  if (command.arguments.empty()) {
    return fail(ErrorKind::kInvalidArgument, "cannot run a command without a name");
  }
  auto program = find_program(command.arguments.front());
  if (!program) return std::unexpected(std::move(program.error()));
  Prepared prepared;
  prepared.program = std::move(*program);
  for (const std::string& argument : command.arguments) {
    prepared.arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  prepared.arguments.push_back(nullptr);
  prepare_environment(command, prepared);

  Pipe output;
  Pipe errors;
  const int input = Pipe::raised(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto give_up = [&](std::string_view what, int why) {
    output.close();
    errors.close();
    if (input >= 0) close(input);
    return fail(
        ErrorKind::kUnavailable,
        fmt::format("cannot run {}: {}: {}", command.arguments.front(), what, errno_text(why)));
  };
  if (input < 0 || !output.open() || !errors.open()) return give_up("no file left", errno);

  // No handler of ours may run in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(prepared, parent, input, output.write_end, errors.write_end);
  const int why = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return give_up("no process left", why);

  setpgid(child, child);  // whichever of the two comes first; so that kill() finds the group
  close(input);
  close(output.write_end);
  close(errors.write_end);
  fcntl(output.read_end, F_SETFL, O_NONBLOCK);
  fcntl(errors.read_end, F_SETFL, O_NONBLOCK);
  Subprocess started;
  started.pid_ = child;
  started.output_ = output.read_end;
  started.errors_ = errors.read_end;
#ifdef SYS_pidfd_open
  started.process_ = static_cast<int>(syscall(SYS_pidfd_open, child, 0));  // close-on-exec
#endif
  return started;
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      process_(std::exchange(other.process_, -1)),
      status_(other.status_) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this == &other) return *this;
  kill();
  pid_ = std::exchange(other.pid_, -1);
  output_ = std::exchange(other.output_, -1);
  errors_ = std::exchange(other.errors_, -1);
  process_ = std::exchange(other.process_, -1);
  status_ = other.status_;
  return *this;
}

Subprocess::~Subprocess() { kill(); }

void Subprocess::close_files() {
  for (int* file : {&output_, &errors_, &process_}) {
    if (*file >= 0) close(*file);
    *file = -1;
  }
}

// True once it has ended; what it had started is then killed. With `wait`, waits for that as long
// as kill() may take.
bool Subprocess::reap(bool wait) {
  const auto deadline = steady_clock::now() + kKillPatience;
  while (pid_ >= 0) {
    siginfo_t about{};
    const int looked = waitid(P_PID, static_cast<id_t>(pid_), &about, WEXITED | WNOHANG | WNOWAIT);
    if (looked == 0 && about.si_pid == pid_) {
      // As long as it is not reaped, the number of its group is nobody else's.
      ::kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      if (about.si_code == CLD_EXITED) {
        status_.code = about.si_status;
      } else {
        status_.signal = about.si_status;
      }
    }
    if ((looked == 0 && about.si_pid == pid_) || (looked < 0 && errno != EINTR)) {
      pid_ = -1;
      return true;
    }
    if (!wait || steady_clock::now() >= deadline) return false;
    pollfd entry{process_, POLLIN, 0};
    poll(&entry, process_ >= 0 ? 1 : 0, static_cast<int>(kLook.count()));
  }
  return true;
}

Subprocess::Event Subprocess::read(std::string& output, std::string& errors, milliseconds timeout,
                                   const Interrupt* interrupt) {
  const auto deadline = steady_clock::now() + timeout;
  for (;;) {
    if (pid_ < 0 && output_ < 0 && errors_ < 0) return Event::kEnd;
    milliseconds wait = left_until(deadline);
    if (process_ < 0) wait = std::min(wait, kLook);
    std::array<pollfd, 4> entries{{{output_, POLLIN, 0},
                                   {errors_, POLLIN, 0},
                                   {process_, POLLIN, 0},
                                   {interrupt != nullptr ? interrupt->file() : -1, POLLIN, 0}}};
    poll(entries.data(), entries.size(), static_cast<int>(wait.count()));
    if (entries[3].revents != 0) return Event::kInterrupted;
    const std::size_t had = output.size() + errors.size();
    if (entries[0].revents != 0 && !drain(output_, output)) close(std::exchange(output_, -1));
    if (entries[1].revents != 0 && !drain(errors_, errors)) close(std::exchange(errors_, -1));
    if (output.size() + errors.size() > had) return Event::kOutput;
    // Nothing is in its pipes: if it has ended, this is all.
    if ((entries[2].revents != 0 || process_ < 0 || (output_ < 0 && errors_ < 0)) && reap(false)) {
      // What it wrote between the look at its pipes and its end.
      if (output_ >= 0) drain(output_, output);
      if (errors_ >= 0) drain(errors_, errors);
      if (output.size() + errors.size() > had) return Event::kOutput;
      close_files();
      return Event::kEnd;
    }
    if (steady_clock::now() >= deadline) return Event::kTimeout;
  }
}

void Subprocess::kill() {
  if (pid_ >= 0) {
    ::kill(-pid_, SIGKILL);
    if (!reap(true)) {
      Unreaped& list = unreaped();
      const MutexLock lock(list.mutex);
      list.children.push_back(std::exchange(pid_, -1));
    }
  }
  close_files();
}

std::size_t unreaped_children() {
  Unreaped& list = unreaped();
  const MutexLock lock(list.mutex);
  std::erase_if(list.children, [](pid_t child) {
    const pid_t ended = waitpid(child, nullptr, WNOHANG);
    return ended == child || (ended < 0 && errno == ECHILD);
  });
  return list.children.size();
}

Result<Completed> run_command(const Command& command, const RunLimits& limits) {
  const auto failed = [&](ErrorKind kind, std::string_view why) {
    std::string line;
    for (const std::string& argument : command.arguments) {
      line += (line.empty() ? "" : " ") + argument;
    }
    return fail(kind, fmt::format("cannot use {}: {}", line, why));
  };
  if (const std::size_t stuck = unreaped_children(); stuck >= kMaxUnreaped) {
    return failed(ErrorKind::kUnavailable,
                  fmt::format("{} earlier processes are stuck in the kernel and cannot be killed; "
                              "see the kernel log, and reboot if they stay",
                              stuck));
  }
  const auto deadline = steady_clock::now() + limits.timeout;
  auto child = Subprocess::start(command);
  if (!child) return std::unexpected(std::move(child.error()));
  Completed completed;
  for (;;) {
    const auto event =
        child->read(completed.output, completed.errors, left_until(deadline), limits.interrupt);
    completed.errors.resize(std::min(completed.errors.size(), kMaxErrors));
    if (completed.output.size() > limits.max_bytes) {
      return failed(ErrorKind::kUnavailable,
                    fmt::format("it wrote more than {} bytes", limits.max_bytes));
    }
    switch (event) {
      case Subprocess::Event::kEnd:
        completed.status = child->status();
        return completed;
      case Subprocess::Event::kInterrupted:
        return failed(ErrorKind::kUnavailable, "it was interrupted");
      case Subprocess::Event::kOutput:
        if (left_until(deadline) > milliseconds{0}) continue;
        [[fallthrough]];
      case Subprocess::Event::kTimeout:
        return failed(ErrorKind::kDeadlineExceeded,
                      fmt::format("it did not end within {} ms", limits.timeout.count()));
    }
  }
}

}  // namespace gpuscope::base

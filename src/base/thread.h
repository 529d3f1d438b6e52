// Threads that say when the system gives none.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/result.h"

namespace gpuscope::base {

// `name` shows in top and gdb; the kernel keeps 15 characters of it.
template <typename Function>
Result<std::thread> start_thread(std::string name, Function function) {
  name.resize(std::min<std::size_t>(name.size(), 15));
  try {
    return std::thread([name = std::move(name), function = std::move(function)]() mutable {
      pthread_setname_np(pthread_self(), name.c_str());
      function();
    });
  } catch (const std::system_error& error) {
    return fail(ErrorKind::kUnavailable,
                std::string("cannot start a thread: ") + error.what() +
                    "; raise the limit on processes (ulimit -u, or pids of the container)");
  }
}

// The same, into `to`, which has no thread yet.
template <typename Function>
Result<void> start_thread(std::thread& to, std::string name, Function function) {
  auto thread = start_thread(std::move(name), std::move(function));
  if (!thread) return std::unexpected(std::move(thread.error()));
  to = std::move(*thread);
  return {};
}

}  // namespace gpuscope::base

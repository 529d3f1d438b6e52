// One connection to a server of the Prometheus HTTP API.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "prom/options.h"
#include "prom/vector_parser.h"

namespace gpuscope::prom {

// Requests that fail for want of an answer (no connection, a time-out, 429, 5xx, an answer that is
// cut off) are made again, as often as the options say. Errors: kUnavailable and kDeadlineExceeded
// for those, and after cancel(); kPermissionDenied for 401 and 403; kInvalidArgument for what is
// refused otherwise. Each message names the server and what it said. One thread at a time, but for
// cancel().
class Engine {
 public:
  // `clock` outlives it.
  static base::Result<std::unique_ptr<Engine>> create(base::Clock& clock,
                                                      const EngineOptions& options);
  virtual ~Engine() = default;

  // The instant vector of an expression. `begin` is called before each attempt, and gives where its
  // series go; what went to the one of an attempt that failed counts for nothing.
  using Begin = std::function<VectorParser::Sink()>;
  virtual base::Result<AnswerNotes> query(std::string_view expression, base::WallTime time,
                                          const Begin& begin) = 0;
  // The names of the labels, or of the metrics, of series that `selector` fits, seen within the
  // hour before `time`.
  virtual base::Result<std::vector<std::string>> label_names(std::string_view selector,
                                                             base::WallTime time) = 0;
  virtual base::Result<std::vector<std::string>> metric_names(std::string_view selector,
                                                              base::WallTime time) = 0;
  // Whether it answers a query; one attempt.
  virtual base::Result<void> probe(base::WallTime time) = 0;
  // Ends what is under way, and refuses all that follows. Any thread.
  virtual void cancel() = 0;
};

// Whether a refusal says that the answer, or what it is made of, would be too large.
bool is_too_large(const base::Error& error);

}  // namespace gpuscope::prom

// The JSON answers of the agent's REST API, compact. docs/api/openapi.yaml has their schemas.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/snapshot.h"
#include "wire/json_writer.h"

namespace gpuscope::wire {

// /gpu/list: the static facts of every GPU, null where absent.
void append_gpu_list(std::string& out, const model::Snapshot& snapshot);
// /gpu/{uuid}/static: those of one.
void append_static_document(std::string& out, const model::Snapshot& snapshot, std::size_t gpu);

// /gpu/metrics/json: every GPU's numbers; an absent one has no key, but health, which is unknown.
void append_metrics(std::string& out, const model::Snapshot& snapshot);
// /gpu/metrics/json/{uuid}: those of one, with the time inside.
void append_gpu_metrics(std::string& out, const model::Snapshot& snapshot, std::size_t gpu);

// The index of a GPU by its UUID, without regard to case and with or without "GPU-".
std::optional<std::size_t> find_gpu(const model::Inventory& inventory, std::string_view uuid);

// {"<path>": value}; `value` is JSON.
void append_path_answer(std::string& out, std::string_view path, std::string_view value);

// How one method of reading GPUs is doing.
struct SourceHealth {
  std::string_view method;
  std::string_view state;         // "starting", "running", "failed"
  std::string_view error;         // with its cure; empty: none
  std::optional<bool> simulated;  // unknown before its first tick
  std::optional<std::size_t> gpus;
  std::optional<base::WallTime> last_tick;
  std::uint64_t ticks = 0;
  std::uint64_t missed_ticks = 0;
  std::uint64_t device_timeouts = 0;
  std::chrono::microseconds last_tick_duration{0};
};

// The settings file, and how the last look at it went.
struct SettingsHealth {
  std::string file;                  // empty: there is none
  std::string error;                 // what is wrong with it now; empty: nothing
  std::vector<std::string> restart;  // settings whose new values are taken at the next start
};
// Where the agent records what it reads.
struct RecordingHealth {
  std::string file;
  std::string error;  // why nothing is written now; empty: it is
  std::uint64_t ticks = 0;
  std::uint64_t dropped_ticks = 0;
  std::uint64_t bytes = 0;
};
// The file in which the agent remembers.
struct HistoryHealth {
  std::string file;
  std::string error;  // why nothing is written now; empty: it is
  std::uint64_t ticks = 0;
  std::uint64_t dropped_ticks = 0;
  std::uint64_t bytes = 0;
  std::optional<base::WallTime> last_write;  // none: nothing was written yet
};
// How sending by remote write is doing.
struct RemoteWriteHealth {
  std::string server;  // its scheme, host and port
  std::string error;   // why nothing is sent now; empty: all is well
  std::uint64_t sent_samples = 0;
  std::uint64_t refused_samples = 0;
  std::uint64_t lost_ticks = 0;
  std::uint64_t pending_ticks = 0;
  std::chrono::microseconds lag{0};
  std::optional<base::WallTime> newest;  // tick that was sent
};
// How alerting is doing.
struct AlertingHealth {
  std::string error;  // what does not work now; empty: nothing
  std::size_t rules = 0;
  std::size_t pending = 0;
  std::size_t firing = 0;
  std::size_t silences = 0;  // in force
  std::optional<base::WallTime> last_evaluation;
};
// How people are told of alerts.
struct NotificationsHealth {
  std::string error;  // of the receivers that fail, and of what cannot be kept; empty: all is well
  bool durable = true;
  std::uint64_t receivers = 0;
  std::uint64_t queued = 0;  // messages that wait
  std::uint64_t failed = 0;  // that were given up
};
// What belongs to the agent as a whole.
struct AgentHealth {
  SettingsHealth settings;
  std::optional<RecordingHealth> recording;
  std::optional<HistoryHealth> history{};
  std::optional<RemoteWriteHealth> remote_write{};
  std::optional<AlertingHealth> alerting{};
  std::optional<NotificationsHealth> notifications{};
};

// One line of the agent's table of contents.
struct Endpoint {
  std::string_view name;
  std::string_view path;
};

// GET /: what this is and where things are. `primary` is the method it was started with.
// `more` adds members of its own.
using MoreMembers = std::function<void(JsonWriter&)>;
void append_service_document(std::string& out, std::string_view version,
                             const SourceHealth& primary, std::span<const Endpoint> endpoints,
                             const MoreMembers& more = {});
// GET /health: `status` is "healthy" or "degraded"; `sources` starts with the primary.
void append_health_document(std::string& out, std::string_view status, std::string_view version,
                            std::span<const SourceHealth> sources, const AgentHealth& agent = {},
                            const MoreMembers& more = {});

}  // namespace gpuscope::wire

// The port through which everything that must outlive a restart is kept: states of alerts,
// silences, messages that wait, results, audit. Small records under a kind and a key.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gpuscope::model {

struct StateRecord {
  std::string key;
  std::string value;
  friend bool operator==(const StateRecord&, const StateRecord&) = default;
};

// Puts a record in the place of the one with the same kind and key; without a value: erases it,
// where it is there.
struct StateChange {
  std::string kind;
  std::string key;
  std::optional<std::string> value;
};

// Which records of a kind.
struct StatePage {
  std::string after{};  // those behind this key, in the order asked for; empty: from the first on
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  bool descending = false;  // the greatest key first
};

// Thread-safe. Kinds are few and fixed ("alert", "silence", "notification"); they and keys are
// UTF-8 without NUL, not empty, compared byte by byte. Values are UTF-8: JSON, as a rule, since
// people read them in the sqlite3 shell. A record is meant to be small (KiB, not MiB), a kind to
// have thousands of them, not millions.
//
// Every call may wait for the disk, and seconds for a lock on the file: keep it away from threads
// that must not wait. A change that succeeded survives the end of the process and of the machine
// where durable(). Errors are those of the file: kUnavailable (a full disk, another holds it: try
// again), kPermissionDenied (read-only), kInvalidArgument (damaged, or of somebody else); nothing
// of the call has then been done. Each call tries anew, so it works again once the cause is gone:
// whoever calls latches the error and shows it.
class StateStore {
 public:
  virtual ~StateStore() = default;

  // The value, or nullopt where there is no such record.
  virtual base::Result<std::optional<std::string>> get(std::string_view kind,
                                                       std::string_view key) = 0;
  // Those of one kind, by key.
  virtual base::Result<std::vector<StateRecord>> page(std::string_view kind,
                                                      const StatePage& which) = 0;
  // All of these changes, in order, or none of them.
  virtual base::Result<void> apply(std::span<const StateChange> changes) = 0;
  // Puts a record under a key of its own, and returns that: a number of 20 digits, one more than
  // the last one of this kind ever was, so that keys are in the order in which records came.
  virtual base::Result<std::string> append(std::string_view kind, std::string_view value) = 0;
  // Erases all records of a kind but those with the greatest keys, `keep` of them.
  virtual base::Result<void> trim(std::string_view kind, std::size_t keep) = 0;
  // Whether anything outlives this process.
  virtual bool durable() const = 0;

  base::Result<std::vector<StateRecord>> list(std::string_view kind) { return page(kind, {}); }
  base::Result<void> put(std::string_view kind, std::string_view key, std::string_view value) {
    const StateChange change{std::string(kind), std::string(key), std::string(value)};
    return apply({&change, 1});
  }
  base::Result<void> erase(std::string_view kind, std::string_view key) {
    const StateChange change{std::string(kind), std::string(key), std::nullopt};
    return apply({&change, 1});
  }
};

}  // namespace gpuscope::model

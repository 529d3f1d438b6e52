// Silences: alerts of which nobody is told for a while. Their rules are those of Alertmanager 0.25.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/labelled_series.h"
#include "model/labels.h"
#include "model/state_store.h"

namespace gpuscope::alert {

struct SilenceMatcher {
  std::string name;
  std::string value;
  bool is_regex = false;
  bool is_equal = true;  // false: what does not match
  friend bool operator==(const SilenceMatcher&, const SilenceMatcher&) = default;
};

struct Silence {
  std::string id;  // empty: a new one
  std::vector<SilenceMatcher> matchers;
  base::WallTime starts_at{};
  base::WallTime ends_at{};
  base::WallTime updated_at{};
  std::string created_by;  // who
  std::string comment;     // why
  friend bool operator==(const Silence&, const Silence&) = default;
};

enum class SilenceState : std::uint8_t { kPending, kActive, kExpired };
SilenceState state_of(const Silence& silence, base::WallTime now);
// "pending", "active", "expired".
std::string_view silence_state_name(SilenceState state);

// What the matchers fit: kInvalidArgument for what is none, such as a broken regular expression,
// and for matchers that all fit an empty label.
base::Result<std::vector<model::LabelMatcher>> compile(std::span<const SilenceMatcher> matchers);

std::string write_silence(const Silence& silence);
base::Result<Silence> read_silence(std::string_view text);

// Not thread-safe.
class Silences {
 public:
  // Those that are over are known for so long.
  static constexpr std::chrono::hours kKeepExpired{120};
  static constexpr std::size_t kMost = 10'000;

  // What an earlier run left. Returns how many could not be read: those are passed over.
  std::size_t restore(std::span<const model::StateRecord> silences);

  // Adds one, or changes the one with its id; returns its id, another one where the change is so
  // great that the old one ends. kInvalidArgument: what is wrong with it; kNotFound: no such id.
  base::Result<std::string> set(Silence silence, base::WallTime now);
  // Ends one. kNotFound; kInvalidArgument where it is over already.
  base::Result<void> expire(std::string_view id, base::WallTime now);
  // Forgets those that have been over for long.
  void clean(base::WallTime now);

  // By state, then by end.
  std::vector<Silence> all(base::WallTime now) const;
  std::optional<Silence> find(std::string_view id) const;
  // Whether one of them silences an alert with these labels now.
  bool silenced(const model::Labels& labels, base::WallTime now) const;

  // What is to be kept of what changed since the last call: changes for the store.
  std::vector<model::StateChange> take_changes();

 private:
  struct Entry {
    Silence silence;
    std::vector<model::LabelMatcher> matchers;
  };
  std::string put(Silence silence, std::vector<model::LabelMatcher> matchers);
  std::string new_id(const Silence& silence);

  std::map<std::string, Entry, std::less<>> silences_;
  std::vector<model::StateChange> changes_;
};

}  // namespace gpuscope::alert

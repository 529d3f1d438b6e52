// The opinions that were paid for, as long as their evidence is the same.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "advise/evidence_hash.h"
#include "base/clock.h"
#include "base/result.h"
#include "model/opinion.h"
#include "model/state_store.h"

namespace gpuscope::advise {

// One opinion for each GPU and whom it works for; the oldest goes where there are too many. Not
// thread-safe.
class OpinionCache {
 public:
  static constexpr std::size_t kMostOpinions = 20'000;
  static constexpr std::string_view kKind = "ai_opinion";

  // `asked` says how the model is asked: an opinion that was asked for otherwise is not used.
  OpinionCache(std::string asked, std::chrono::seconds keep)
      : asked_(std::move(asked)), keep_(keep) {}

  // What was kept; what is damaged or too old is passed over. `store` may be null.
  base::Result<void> load(model::StateStore* store, base::WallTime now);

  // The opinion on evidence that is the same but for noise, with the new score as its raw one.
  std::optional<model::Opinion> find(const model::UseEvidence& evidence, base::WallTime now) const;
  // Sets its evidence_hash and keeps it.
  void put(const model::UseEvidence& evidence, model::Opinion& opinion);

  // What has changed since this was called last, to be written to a store.
  std::vector<model::StateChange> take_changes(base::WallTime now);
  // These could not be written: they are changes of the next time, too.
  void keep_changes(const std::vector<model::StateChange>& changes);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Features features{};
    model::Opinion opinion{};
  };
  bool is_old(const model::Opinion& opinion, base::WallTime now) const;
  void make_room(base::WallTime now);

  const std::string asked_;
  const std::chrono::seconds keep_;
  std::map<std::string, Entry> entries_;  // by the hash of evidence_key()
  std::set<std::string> changed_;         // keys, also of those that have gone
};

}  // namespace gpuscope::advise

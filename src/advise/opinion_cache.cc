#include "advise/opinion_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/json_writer.h"
#include "wire/opinions.h"

namespace gpuscope::advise {
namespace {

using model::StateChange;

std::string store_key(const model::UseEvidence& evidence) {
  return fmt::format("{:016x}", hash_text(evidence_key(evidence)));
}

// "v1 <asked> 1 2 3 …\n{opinion}": a header for us, and JSON.
std::string encode(std::string_view asked, const Features& features,
                   const model::Opinion& opinion) {
  std::string text = fmt::format("v1 {:016x}", hash_text(asked));
  for (const std::int32_t feature : features) text += fmt::format(" {}", feature);
  text += '\n';
  wire::JsonWriter json(text);
  wire::write_kept_opinion(json, opinion);
  return text;
}

std::optional<std::pair<Features, model::Opinion>> decode(std::string_view asked,
                                                          std::string_view text) {
  const std::string start = fmt::format("v1 {:016x}", hash_text(asked));
  if (!text.starts_with(start)) return std::nullopt;
  text.remove_prefix(start.size());
  std::pair<Features, model::Opinion> read;
  for (std::int32_t& feature : read.first) {
    if (!text.starts_with(' ')) return std::nullopt;
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), feature);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  auto opinion = wire::parse_kept_opinion(text);
  if (!opinion) return std::nullopt;
  read.second = std::move(*opinion);
  return read;
}

}  // namespace

bool OpinionCache::is_old(const model::Opinion& opinion, base::WallTime now) const {
  // One from the future is as doubtful as an old one: a clock was set back.
  return opinion.given_at + keep_ <= now || opinion.given_at > now + keep_;
}

base::Result<void> OpinionCache::load(model::StateStore* store, base::WallTime now) {
  if (store == nullptr) return {};
  auto records = store->list(kKind);
  if (!records) return std::unexpected(std::move(records.error()));
  for (const model::StateRecord& record : *records) {
    auto read = decode(asked_, record.value);
    if (!read || is_old(read->second, now)) {
      changed_.insert(record.key);
      continue;
    }
    entries_[record.key] = {.features = read->first, .opinion = std::move(read->second)};
  }
  make_room(now);
  return {};
}

std::optional<model::Opinion> OpinionCache::find(const model::UseEvidence& evidence,
                                                 base::WallTime now) const {
  const auto found = entries_.find(store_key(evidence));
  if (found == entries_.end() || is_old(found->second.opinion, now)) return std::nullopt;
  const Features rounded = round_evidence(evidence, &found->second.features);
  if (hash_evidence(evidence, rounded, asked_) != found->second.opinion.evidence_hash) {
    return std::nullopt;
  }
  model::Opinion opinion = found->second.opinion;
  opinion.raw_score = evidence.score;
  return opinion;
}

void OpinionCache::put(const model::UseEvidence& evidence, model::Opinion& opinion) {
  const Features rounded = round_evidence(evidence);
  opinion.evidence_hash = hash_evidence(evidence, rounded, asked_);
  const std::string key = store_key(evidence);
  entries_[key] = {.features = rounded, .opinion = opinion};
  changed_.insert(key);
}

void OpinionCache::make_room(base::WallTime now) {
  std::vector<std::pair<base::WallTime, std::string>> ages;
  for (const auto& [key, entry] : entries_) {
    ages.emplace_back(is_old(entry.opinion, now) ? base::WallTime::min() : entry.opinion.given_at,
                      key);
  }
  std::ranges::sort(ages);
  std::size_t left = ages.size();
  for (const auto& [age, key] : ages) {
    if (left <= kMostOpinions && age != base::WallTime::min()) break;
    entries_.erase(key);
    changed_.insert(key);
    --left;
  }
}

std::vector<StateChange> OpinionCache::take_changes(base::WallTime now) {
  make_room(now);
  std::vector<StateChange> changes;
  for (const std::string& key : std::exchange(changed_, {})) {
    StateChange change{.kind = std::string(kKind), .key = key, .value = std::nullopt};
    if (const auto found = entries_.find(key); found != entries_.end()) {
      change.value = encode(asked_, found->second.features, found->second.opinion);
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

void OpinionCache::keep_changes(const std::vector<StateChange>& changes) {
  for (const StateChange& change : changes) {
    if (change.kind == kKind) changed_.insert(change.key);
  }
}

}  // namespace gpuscope::advise

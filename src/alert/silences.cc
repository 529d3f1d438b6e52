#include "alert/silences.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "alert/record.h"
#include "base/text.h"
#include "query/query.h"

namespace gpuscope::alert {
namespace {

using base::ErrorKind;
using base::Result;
using base::WallTime;

constexpr std::size_t kMostMatchers = 50;
constexpr std::size_t kMostText = 4096;  // of each text in it

std::unexpected<base::Error> wrong_silence(std::string what) {
  return base::fail(ErrorKind::kInvalidArgument, "cannot take this silence: " + std::move(what));
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string_view operator_of(const SilenceMatcher& matcher) {
  if (matcher.is_regex) return matcher.is_equal ? "=~" : "!~";
  return matcher.is_equal ? "=" : "!=";
}

Result<void> check(const Silence& silence, WallTime now) {
  if (silence.starts_at >= silence.ends_at) return wrong_silence("it ends before it starts");
  if (silence.ends_at < now) return wrong_silence("its end is past");
  if (silence.matchers.empty()) return wrong_silence("it has no matchers");
  if (silence.matchers.size() > kMostMatchers) return wrong_silence("it has more than 50 matchers");
  if (silence.created_by.empty()) return wrong_silence("createdBy is missing: who is it?");
  for (const std::string_view text :
       {std::string_view(silence.created_by), std::string_view(silence.comment)}) {
    if (text.size() > kMostText) return wrong_silence("a text in it is longer than 4096 bytes");
  }
  for (const SilenceMatcher& matcher : silence.matchers) {
    if (matcher.name.size() + matcher.value.size() > kMostText) {
      return wrong_silence("a matcher is longer than 4096 bytes");
    }
  }
  return {};
}

// Whether a change leaves it the silence that it is.
bool may_become(const Silence& old, const Silence& next, WallTime now) {
  if (old.matchers != next.matchers) return false;
  const auto seconds = [](WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); };
  switch (state_of(old, now)) {
    case SilenceState::kActive:
      return seconds(next.starts_at) == seconds(old.starts_at);
    case SilenceState::kPending:
      return next.starts_at >= now;
    case SilenceState::kExpired:
      return false;
  }
  return false;
}

}  // namespace

SilenceState state_of(const Silence& silence, WallTime now) {
  if (silence.ends_at <= now) return SilenceState::kExpired;
  return silence.starts_at > now ? SilenceState::kPending : SilenceState::kActive;
}

std::string_view silence_state_name(SilenceState state) {
  return state == SilenceState::kPending  ? "pending"
         : state == SilenceState::kActive ? "active"
                                          : "expired";
}

Result<std::vector<model::LabelMatcher>> compile(std::span<const SilenceMatcher> matchers) {
  std::string selector = "{";
  for (const SilenceMatcher& matcher : matchers) {
    if (matcher.name.empty() || !std::ranges::all_of(matcher.name, base::is_name_char)) {
      return wrong_silence(fmt::format("'{}' is no name of a label", matcher.name));
    }
    selector += fmt::format("{}{}{}{}", selector.size() > 1 ? "," : "", matcher.name,
                            operator_of(matcher), quoted(matcher.value));
  }
  auto parsed = query::Expression::parse_selector(selector + "}");
  if (!parsed) return wrong_silence(fmt::format("{}: {}", selector + "}", parsed.error().message));
  return parsed;
}

std::string write_silence(const Silence& silence) {
  RecordWriter writer;
  writer.add("silence", silence.id);
  for (const SilenceMatcher& matcher : silence.matchers) {
    writer.add("matcher",
               fmt::format("{} {} {}", matcher.name, operator_of(matcher), matcher.value));
  }
  writer.add("starts_at", silence.starts_at);
  writer.add("ends_at", silence.ends_at);
  writer.add("updated_at", silence.updated_at);
  writer.add("created_by", silence.created_by);
  writer.add("comment", silence.comment);
  return writer.take();
}

Result<Silence> read_silence(std::string_view text) {
  const auto fields = read_record(text);
  if (!fields) return std::unexpected(fields.error());
  Silence silence;
  for (const RecordField& field : *fields) {
    if (field.name == "silence") silence.id = field.value;
    if (field.name == "created_by") silence.created_by = field.value;
    if (field.name == "comment") silence.comment = field.value;
    for (const auto& [name, time] :
         {std::pair{"starts_at", &silence.starts_at}, std::pair{"ends_at", &silence.ends_at},
          std::pair{"updated_at", &silence.updated_at}}) {
      if (field.name != name) continue;
      const auto read = time_of(field);
      if (!read) return std::unexpected(read.error());
      *time = *read;
    }
    if (field.name != "matcher") continue;
    const std::size_t first = field.value.find(' ');
    const std::size_t second = field.value.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      return wrong_silence("its record has a broken matcher");
    }
    const std::string op = field.value.substr(first + 1, second - first - 1);
    silence.matchers.push_back({field.value.substr(0, first), field.value.substr(second + 1),
                                op.ends_with('~'), op.starts_with('=')});
  }
  if (silence.id.empty()) return wrong_silence("its record has no id");
  return silence;
}

std::size_t Silences::restore(std::span<const model::StateRecord> silences) {
  std::size_t unread = 0;
  for (const model::StateRecord& record : silences) {
    auto silence = read_silence(record.value);
    auto matchers =
        silence ? compile(silence->matchers)
                : Result<std::vector<model::LabelMatcher>>(std::unexpected(silence.error()));
    if (matchers) {
      std::string id = silence->id;
      silences_.insert_or_assign(std::move(id), Entry{std::move(*silence), std::move(*matchers)});
    } else {
      ++unread;
    }
  }
  return unread;
}

std::string Silences::new_id(const Silence& silence) {
  // As many look as a UUID, which clients take ids for.
  for (std::uint64_t salt = 0;; ++salt) {
    const std::string seed = fmt::format("{}{}", write_silence(silence), salt);
    const std::string a = fingerprint(seed);
    const std::string b = fingerprint(seed + a);
    std::string id = fmt::format("{}-{}-4{}-8{}-{}{}", a.substr(0, 8), a.substr(8, 4),
                                 a.substr(13, 3), b.substr(1, 3), b.substr(4, 8), b.substr(12, 4));
    if (!silences_.contains(id)) return id;
  }
}

std::string Silences::put(Silence silence, std::vector<model::LabelMatcher> matchers) {
  std::string id = silence.id;
  changes_.push_back({std::string(kSilenceKind), id, write_silence(silence)});
  silences_.insert_or_assign(id, Entry{std::move(silence), std::move(matchers)});
  return id;
}

Result<std::string> Silences::set(Silence silence, WallTime now) {
  if (auto fine = check(silence, now); !fine) return std::unexpected(std::move(fine.error()));
  auto matchers = compile(silence.matchers);
  if (!matchers) return std::unexpected(std::move(matchers.error()));
  silence.updated_at = now;
  if (!silence.id.empty()) {
    const auto old = silences_.find(silence.id);
    if (old == silences_.end()) {
      return base::fail(ErrorKind::kNotFound, "cannot find the silence " + silence.id);
    }
    if (may_become(old->second.silence, silence, now)) {
      return put(std::move(silence), std::move(*matchers));
    }
    if (state_of(old->second.silence, now) != SilenceState::kExpired) {
      if (auto ended = expire(silence.id, now); !ended) return std::unexpected(ended.error());
    }
  }
  if (silences_.size() >= kMost) return wrong_silence("there are 10000 of them");
  silence.starts_at = std::max(silence.starts_at, now);
  silence.id = new_id(silence);
  return put(std::move(silence), std::move(*matchers));
}

Result<void> Silences::expire(std::string_view id, WallTime now) {
  const auto at = silences_.find(id);
  if (at == silences_.end()) {
    return base::fail(ErrorKind::kNotFound, fmt::format("cannot find the silence {}", id));
  }
  Silence silence = at->second.silence;
  if (state_of(silence, now) == SilenceState::kExpired) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot end the silence {}: it is over", id));
  }
  silence.starts_at = std::min(silence.starts_at, now);
  silence.ends_at = now;
  silence.updated_at = now;
  put(std::move(silence), std::move(at->second.matchers));
  return {};
}

void Silences::clean(WallTime now) {
  std::erase_if(silences_, [&](const auto& entry) {
    const bool old = entry.second.silence.ends_at + kKeepExpired < now;
    if (old) changes_.push_back({std::string(kSilenceKind), entry.first, std::nullopt});
    return old;
  });
}

std::vector<Silence> Silences::all(WallTime now) const {
  std::vector<Silence> found;
  for (const auto& [id, entry] : silences_) found.push_back(entry.silence);
  // Active ones before those to come before those that are over.
  const auto rank = [&](const Silence& silence) {
    switch (state_of(silence, now)) {
      case SilenceState::kActive:
        return 0;
      case SilenceState::kPending:
        return 1;
      case SilenceState::kExpired:
        break;
    }
    return 2;
  };
  std::ranges::sort(found, {}, [&](const Silence& silence) {
    return std::tuple(rank(silence), silence.ends_at, silence.id);
  });
  return found;
}

std::optional<Silence> Silences::find(std::string_view id) const {
  const auto at = silences_.find(id);
  return at == silences_.end() ? std::nullopt : std::optional(at->second.silence);
}

bool Silences::silenced(const model::Labels& labels, WallTime now) const {
  return std::ranges::any_of(silences_, [&](const auto& entry) {
    return state_of(entry.second.silence, now) == SilenceState::kActive &&
           model::fits(entry.second.matchers, labels);
  });
}

std::vector<model::StateChange> Silences::take_changes() { return std::exchange(changes_, {}); }

}  // namespace gpuscope::alert

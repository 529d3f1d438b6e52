#include "wire/opinions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "wire/json_members.h"

namespace gpuscope::wire {
namespace {

using base::ErrorKind;
using base::Result;
using base::trimmed;
using model::OpinionStatus;

std::optional<OpinionStatus> parse_status(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  for (const auto status :
       {OpinionStatus::kActive, OpinionStatus::kIdle, OpinionStatus::kSuspicious}) {
    if (value.get_ref<const std::string&>() == model::opinion_status_name(status)) return status;
  }
  return std::nullopt;
}

std::optional<double> number_within(const Json& value, double least, double most) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  if (!(number >= least && number <= most)) return std::nullopt;
  return number;
}

std::unexpected<base::Error> unreadable(std::string_view why) {
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot read the model's answer: {}", why));
}

void write_names(JsonWriter& json, const model::UseEvidence& evidence) {
  const auto name = [&json](std::string_view key, std::string_view text) {
    if (!text.empty()) json.key(key).string(tame_text(text, kMaxLabelBytes));
  };
  json.key("names").begin_object();
  name("pod", evidence.gpu.pod);
  name("namespace", evidence.gpu.name_space);
  name("host", evidence.gpu.hostname);
  json.end_object();
}

void write_series(JsonWriter& json, std::string_view key,
                  const std::optional<model::SeriesSummary>& series) {
  if (!series) return;
  json.key(key).begin_object().key("mean");
  write_rounded(json, series->mean, 2);
  if (const auto& spread = series->spread) {
    json.key("min");
    write_rounded(json, spread->minimum, 2);
    json.key("max");
    write_rounded(json, spread->maximum, 2);
    json.key("standard_deviation");
    write_rounded(json, spread->standard_deviation, 2);
    json.key("change_percent");
    if (spread->change_percent) {
      write_rounded(json, *spread->change_percent, 1);
    } else {
      json.null();
    }
  }
  json.end_object();
}

void write_known(JsonWriter& json, std::string_view key, std::optional<double> value,
                 int decimals) {
  if (!value) return;
  json.key(key);
  write_rounded(json, *value, decimals);
}

// What stands in the only code fence, or all of it.
std::string_view unfenced(std::string_view text) {
  constexpr std::string_view kFence = "```";
  const std::size_t open = text.find(kFence);
  if (open == std::string_view::npos) return text;
  const std::size_t begin = text.find('\n', open);
  if (begin == std::string_view::npos) return text;
  const std::size_t close = text.find(kFence, begin);
  if (close == std::string_view::npos) return text.substr(begin);
  return text.substr(begin, close - begin);
}

// Models that reason aloud put that first.
std::string_view behind_thoughts(std::string_view text) {
  constexpr std::string_view kOpen = "<think>";
  constexpr std::string_view kClose = "</think>";
  text = trimmed(text);
  if (!text.starts_with(kOpen)) return text;
  const std::size_t close = text.find(kClose);
  return close == std::string_view::npos ? std::string_view{} : text.substr(close + kClose.size());
}

Result<GivenOpinion> given_opinion(const Json& object) {
  GivenOpinion opinion;
  const auto status = parse_status(member(object, "status"));
  if (!status) return unreadable("status is not one of active, idle, suspicious");
  const auto confidence = number_within(member(object, "confidence"), 0, 1);
  if (!confidence) return unreadable("confidence is not a number from 0 to 1");
  const auto score = number_within(member(object, "adjusted_score"), 0, 100);
  if (!score) return unreadable("adjusted_score is not a number from 0 to 100");
  const Json& reason = member(object, "reason");
  const Json& recommendation = member(object, "recommendation");
  if (!reason.is_string() || !recommendation.is_string()) {
    return unreadable("reason and recommendation are not both texts");
  }
  opinion.status = *status;
  opinion.confidence = *confidence;
  opinion.adjusted_score = *score;
  opinion.reason = tame_text(reason.get_ref<const std::string&>(), kMaxReasonBytes);
  opinion.recommendation = tame_text(recommendation.get_ref<const std::string&>(), kMaxReasonBytes);
  if (opinion.reason.empty()) return unreadable("reason is empty");
  return opinion;
}

GivenOpinions all_unreadable(std::size_t count, std::string_view why) {
  return {.readable = false, .by_id = std::vector<Result<GivenOpinion>>(count, unreadable(why))};
}

std::optional<base::WallTime> time_of(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  return base::WallTime{std::chrono::microseconds{value.get<std::int64_t>()}};
}

void write_scores(JsonWriter& json, const model::Opinion& opinion) {
  json.key("raw_score");
  write_rounded(json, opinion.raw_score, 1);
  json.key("ai_adjusted_score");
  if (opinion.adjusted_score) {
    write_rounded(json, *opinion.adjusted_score, 1);
  } else {
    json.null();
  }
}

}  // namespace

void write_evidence(JsonWriter& json, std::string_view id, const model::UseEvidence& evidence,
                    bool names) {
  json.begin_object().key("id").string(id);
  json.key("gpu_model").string(tame_text(evidence.gpu.model_name, kMaxLabelBytes));
  if (names) write_names(json, evidence);
  json.key("window_seconds").number(evidence.known_for.value_or(evidence.window).count());
  write_known(json, "score", evidence.score, 1);
  write_series(json, "gpu_utilization_percent", evidence.utilization);
  write_series(json, "memory_copy_percent", evidence.memory_copy);
  write_series(json, "memory_used_mb", evidence.memory_used_mb);
  write_series(json, "power_watts", evidence.power_watts);
  write_known(json, "memory_total_mb", evidence.memory_total_mb, 0);
  write_known(json, "power_limit_watts", evidence.power_limit_watts, 0);
  write_known(json, "sm_clock_mhz", evidence.sm_clock_mhz, 0);
  write_known(json, "sm_active_percent", evidence.sm_active_percent, 1);
  write_known(json, "tensor_active_percent", evidence.tensor_active_percent, 1);
  write_known(json, "memory_bus_active_percent", evidence.memory_bus_active_percent, 1);
  if (evidence.detail) {
    write_known(json, "share_of_time_busy", evidence.detail->busy_share, 2);
    json.key("idle_at_end_seconds").number(evidence.detail->trailing_idle.count());
    write_known(json, "share_of_samples_present", evidence.detail->coverage, 2);
  }
  json.end_object();
}

GivenOpinions parse_opinions(std::string_view text, std::span<const std::string> ids) {
  text = trimmed(unfenced(behind_thoughts(text)));
  if (text.empty()) return all_unreadable(ids.size(), "it is empty");
  Json document = Json::parse(text, nullptr, false);
  if (document.is_object()) {
    if (ids.size() == 1 && !document.contains("id")) document["id"] = ids.front();
    document = Json::array({std::move(document)});
  }
  if (!document.is_array()) {
    return all_unreadable(
        ids.size(), document.is_discarded() ? "it is not JSON" : "it is no object and no array");
  }
  GivenOpinions given{.readable = true, .by_id = {}};
  for (const std::string& id : ids) {
    const Json* found = nullptr;
    bool twice = false;
    for (const Json& object : document) {
      if (text_of(member(object, "id")) != id) continue;
      twice = found != nullptr;
      found = &object;
      if (twice) break;
    }
    if (found == nullptr) {
      given.by_id.emplace_back(unreadable("it leaves this GPU out"));
    } else if (twice) {
      given.by_id.emplace_back(unreadable("it has this GPU twice"));
    } else {
      given.by_id.push_back(given_opinion(*found));
    }
  }
  return given;
}

void write_judgement(JsonWriter& json, const model::Opinion& opinion) {
  json.key("status").string(model::opinion_status_name(opinion.status)).key("confidence");
  write_rounded(json, opinion.confidence, 2);
  json.key("reason").string(opinion.reason);
  json.key("recommendation").string(opinion.recommendation);
}

void write_ai_analysis(JsonWriter& json, std::string_view gpu_id, const model::Opinion& opinion) {
  json.begin_object().key("gpu_id").string(gpu_id);
  write_judgement(json, opinion);
  write_scores(json, opinion);
  json.end_object();
}

void write_opinion(JsonWriter& json, const model::Opinion& opinion) {
  json.begin_object();
  write_judgement(json, opinion);
  json.key("verdict").string(opinion.verdict);
  json.key("given_by").string(opinion.given_by);
  json.key("given_at").time(opinion.given_at).end_object();
}

void write_kept_opinion(JsonWriter& json, const model::Opinion& opinion) {
  json.begin_object();
  write_judgement(json, opinion);
  write_scores(json, opinion);
  json.key("verdict").string(opinion.verdict);
  json.key("given_by").string(opinion.given_by);
  json.key("given_at_us").number(opinion.given_at.time_since_epoch().count());
  json.key("evidence").string(fmt::format("{:016x}", opinion.evidence_hash)).end_object();
}

Result<model::Opinion> parse_kept_opinion(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  const auto status = parse_status(member(document, "status"));
  const auto confidence = number_within(member(document, "confidence"), 0, 1);
  const auto raw = number_within(member(document, "raw_score"), 0, 100);
  const auto given_at = time_of(member(document, "given_at_us"));
  const std::string hash = text_of(member(document, "evidence"));
  model::Opinion opinion;
  const auto [end, error] =
      std::from_chars(hash.data(), hash.data() + hash.size(), opinion.evidence_hash, 16);
  if (!status || !confidence || !raw || !given_at || error != std::errc{} ||
      end != hash.data() + hash.size()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot read an opinion that was kept: it is damaged");
  }
  opinion.status = *status;
  opinion.confidence = *confidence;
  opinion.raw_score = *raw;
  opinion.given_at = *given_at;
  opinion.adjusted_score = number_within(member(document, "ai_adjusted_score"), 0, 100);
  opinion.reason = text_of(member(document, "reason"));
  opinion.recommendation = text_of(member(document, "recommendation"));
  opinion.given_by = text_of(member(document, "given_by"));
  opinion.verdict = text_of(member(document, "verdict"));
  return opinion;
}

std::string tame_text(std::string_view text, std::size_t max_bytes) {
  text = trimmed(text);
  std::string tame;
  while (!text.empty()) {
    const std::size_t size = base::utf8_length(text);
    if (tame.size() + std::max<std::size_t>(size, 1) > max_bytes) break;
    const auto byte = static_cast<unsigned char>(text.front());
    if (size > 1) {
      tame.append(text.substr(0, size));
    } else if (size == 1) {
      tame += byte < ' ' || byte == 0x7f ? ' ' : text.front();
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return tame;
}

void write_rounded(JsonWriter& json, double value, int decimals) {
  constexpr std::array<double, 7> kPowers{1, 10, 100, 1e3, 1e4, 1e5, 1e6};
  constexpr double kMost = 9e18;  // below 2^63
  const double scaled = value * kPowers[static_cast<std::size_t>(decimals)];
  if (!(std::abs(scaled) < kMost)) {
    json.null();
  } else {
    json.number(std::llround(scaled), decimals);
  }
}

}  // namespace gpuscope::wire

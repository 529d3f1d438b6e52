#include "api/alert_routes.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/responses.h"
#include "model/labelled_series.h"
#include "query/query.h"
#include "wire/alerts_document.h"
#include "wire/json_writer.h"
#include "wire/prometheus_api.h"

namespace gpuscope::api {
namespace {

using alert::Silence;
using alert::SilenceMatcher;
using base::ErrorKind;

http::Response alert_failure(const base::Error& error) {
  const int status = error.kind == ErrorKind::kNotFound          ? 404
                     : error.kind == ErrorKind::kInvalidArgument ? 400
                                                                 : 503;
  return http::error_response(status, error.message);
}

wire::SilenceDocument document_of(const Silence& silence, base::WallTime now) {
  wire::SilenceDocument document{.id = silence.id,
                                 .matchers = {},
                                 .starts_at = silence.starts_at,
                                 .ends_at = silence.ends_at,
                                 .updated_at = silence.updated_at,
                                 .created_by = silence.created_by,
                                 .comment = silence.comment,
                                 .state = alert::silence_state_name(alert::state_of(silence, now))};
  for (const SilenceMatcher& matcher : silence.matchers) {
    document.matchers.push_back({matcher.name, matcher.value, matcher.is_regex, matcher.is_equal});
  }
  return document;
}

Silence silence_of(wire::SilenceDocument document) {
  Silence silence{.id = std::move(document.id),
                  .matchers = {},
                  .starts_at = document.starts_at,
                  .ends_at = document.ends_at,
                  .updated_at = {},
                  .created_by = std::move(document.created_by),
                  .comment = std::move(document.comment)};
  for (wire::SilenceMatcherDocument& matcher : document.matchers) {
    silence.matchers.push_back(
        {std::move(matcher.name), std::move(matcher.value), matcher.is_regex, matcher.is_equal});
  }
  return silence;
}

// As Alertmanager filters: a matcher of the same name whose value fits.
bool has_matcher(const Silence& silence, const model::LabelMatcher& filter) {
  return std::ranges::any_of(silence.matchers, [&](const SilenceMatcher& matcher) {
    return matcher.name == filter.label && filter.fits(matcher.value);
  });
}

wire::RuleGroupDocument document_of(const alert::GroupView& view) {
  wire::RuleGroupDocument group{view.group->name, view.group->file, view.group->interval, {}};
  for (const alert::RuleView& rule : view.rules) {
    group.rules.push_back({.name = rule.rule->name,
                           .query = rule.rule->expression.text(),
                           .duration = rule.rule->hold,
                           .keep_firing = rule.rule->keep_firing,
                           .labels = rule.rule->label_texts,
                           .annotations = rule.rule->annotation_texts,
                           .alerts = rule.alerts,
                           .error = rule.run.error,
                           .last_evaluation = rule.run.time,
                           .evaluation_time = rule.run.duration});
  }
  return group;
}

}  // namespace

void AlertRoutes::configure(alert::Alerting* alerting, std::string why_none) {
  alerting_ = alerting;
  why_none_ = std::move(why_none);
}

template <typename Answer>
RouteHandler AlertRoutes::with_alerting(Answer answer) {
  return [this, answer](const http::Request& request,
                        Captures captures) -> std::optional<http::Response> {
    if (alerting_ == nullptr) return http::error_response(503, why_none_);
    return answer(request, captures);
  };
}

std::vector<Route> AlertRoutes::table() {
  using http::Request;
  return {
      {"GET", "/api/v1/alerts", "alerts", false,
       with_alerting([this](const Request&, Captures) { return alerts(); })},
      {"GET", "/api/v1/rules", "rules", false,
       with_alerting([this](const Request& request, Captures) { return rules(request); })},
      {"GET", "/api/v2/silences", "silences", false,
       with_alerting([this](const Request& request, Captures) { return silences(request); })},
      {"POST", "/api/v2/silences", "set_silence", true,
       with_alerting([this](const Request& request, Captures) { return set_silence(request); })},
      {"GET", "/api/v2/silence/{id}", "silence", false,
       with_alerting([this](const Request&, Captures at) { return silence(at.front()); })},
      {"DELETE", "/api/v2/silence/{id}", "expire_silence", true,
       with_alerting([this](const Request&, Captures at) { return expire_silence(at.front()); })},
  };
}

http::Response AlertRoutes::alerts() const {
  std::string body;
  wire::append_alerts_json(body, alerting_->alerts());
  return json_response(std::move(body));
}

http::Response AlertRoutes::rules(const http::Request& request) const {
  const auto type = request.query_value("type");
  if (type && *type != "alert" && *type != "record") {
    std::string body;
    wire::append_query_error(body, "bad_data", "cannot tell the type: alert and record are known");
    return json_response(std::move(body), 400);
  }
  std::vector<wire::RuleGroupDocument> groups;
  // There are no rules that record.
  const auto views = type == "record" ? std::vector<alert::GroupView>{} : alerting_->rules();
  for (const alert::GroupView& view : views) groups.push_back(document_of(view));
  std::string body;
  wire::append_rules_json(body, groups);
  return json_response(std::move(body));
}

http::Response AlertRoutes::silences(const http::Request& request) const {
  std::vector<model::LabelMatcher> filters;
  for (const auto& [name, value] : request.query) {
    if (name != "filter") continue;
    auto parsed = query::Expression::parse_selector("{" + value + "}");
    if (!parsed) return alert_failure(parsed.error());
    filters.insert(filters.end(), parsed->begin(), parsed->end());
  }
  std::vector<wire::SilenceDocument> documents;
  const base::WallTime now = alerting_->now();
  for (const Silence& silence : alerting_->silences()) {
    const bool wanted = std::ranges::all_of(
        filters, [&](const model::LabelMatcher& filter) { return has_matcher(silence, filter); });
    if (wanted) documents.push_back(document_of(silence, now));
  }
  std::string body;
  wire::append_silences_json(body, documents);
  return json_response(std::move(body));
}

http::Response AlertRoutes::silence(const std::string& id) const {
  const auto found = alerting_->silence(id);
  if (!found) return http::error_response(404, "cannot find the silence " + id);
  std::string body;
  wire::append_silence_json(body, document_of(*found, alerting_->now()));
  return json_response(std::move(body));
}

http::Response AlertRoutes::set_silence(const http::Request& request) {
  auto document = wire::parse_silence_json(request.body);
  if (!document) return alert_failure(document.error());
  const auto id = alerting_->set_silence(silence_of(std::move(*document)));
  if (!id) return alert_failure(id.error());
  std::string body;
  wire::JsonWriter(body).begin_object().key("silenceID").string(*id).end_object();
  return json_response(std::move(body));
}

http::Response AlertRoutes::expire_silence(const std::string& id) {
  const auto ended = alerting_->expire_silence(id);
  return ended ? json_response("") : alert_failure(ended.error());
}

}  // namespace gpuscope::api

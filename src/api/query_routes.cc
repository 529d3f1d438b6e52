#include "api/query_routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <variant>

#include "api/responses.h"
#include "base/duration.h"
#include "model/labels.h"
#include "query/query.h"
#include "wire/prometheus_api.h"

namespace gpuscope::api {
namespace {

using base::ErrorKind;
using base::Result;
using http::Response;
using std::chrono::milliseconds;

// Times and steps that fit milliseconds with room to spare.
constexpr double kMostSeconds = 9e12;

Response failure(int status, std::string_view type, std::string_view detail) {
  std::string body;
  wire::append_query_error(body, type, detail);
  return json_response(std::move(body), status);
}

Response bad_data(std::string_view detail) { return failure(400, "bad_data", detail); }

// Of an evaluation or a reading.
Response failure(const base::Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalidArgument:
      return failure(422, "execution", error.message);
    case ErrorKind::kDeadlineExceeded:
      return failure(503, "timeout", error.message);
    case ErrorKind::kInternal:
      return failure(500, "internal", error.message);
    default:
      return failure(503, "unavailable", error.message);
  }
}

std::unexpected<base::Error> wrong(std::string_view name, std::string_view text,
                                   std::string_view takes) {
  return base::fail(ErrorKind::kInvalidArgument,
                    fmt::format("cannot use {}: '{}' is not {}", name, text, takes));
}

std::optional<double> seconds_of(std::string_view text) {
  double seconds = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, seconds);
  if (error != std::errc{} || stop != end || !(std::abs(seconds) <= kMostSeconds)) {
    return std::nullopt;
  }
  return seconds;
}

std::int64_t ms_of(double seconds) { return std::llround(seconds * 1000); }

std::int64_t ms_of(base::WallTime time) {
  return std::chrono::floor<milliseconds>(time).time_since_epoch().count();
}

// Prometheus's own durations have weeks and years, too; nobody asks for steps of those.
Result<milliseconds> duration_of(std::string_view name, std::string_view text) {
  if (const auto seconds = seconds_of(text)) return milliseconds{ms_of(*seconds)};
  if (const auto duration = base::parse_duration(text)) return *duration;
  return wrong(name, text, "a number of seconds or a duration such as 15s");
}

void write_value(std::string& body, const query::Value& value, std::int64_t time_ms) {
  if (const auto* number = std::get_if<double>(&value)) {
    wire::append_scalar_answer(body, {time_ms, *number});
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    wire::append_string_answer(body, time_ms, *text);
  } else if (const auto* vector = std::get_if<query::Vector>(&value)) {
    wire::QueryAnswer answer(body, "vector");
    for (const query::Sample& sample : *vector) answer.add(*sample.labels, {time_ms, sample.value});
    answer.finish();
  } else {
    wire::QueryAnswer answer(body, "matrix");
    for (const query::Series& series : std::get<query::Matrix>(value)) {
      answer.add(*series.labels, std::span<const model::LabelledSample>(series.points));
    }
    answer.finish();
  }
}

}  // namespace

// The parameters of a request, in a form or behind its path: the form's come first.
struct QueryRoutes::Form {
  std::vector<std::pair<std::string, std::string>> fields;

  // None: the form cannot be read.
  static std::optional<Form> of(const http::Request& request) {
    Form form;
    if (request.method == "POST") {
      auto fields = http::decode_query(request.body);
      if (!fields) return std::nullopt;
      form.fields = std::move(*fields);
    }
    form.fields.insert(form.fields.end(), request.query.begin(), request.query.end());
    return form;
  }

  std::optional<std::string_view> value(std::string_view name) const {
    const auto at = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
    if (at == fields.end() || at->second.empty()) return std::nullopt;
    return at->second;
  }

  Result<std::int64_t> time(std::string_view name, base::WallTime now,
                            std::optional<std::int64_t> fallback) const {
    const auto text = value(name);
    if (!text && fallback) return *fallback;
    const std::string_view given = text.value_or("");
    if (const auto seconds = seconds_of(given)) return ms_of(*seconds);
    if (const auto moment = base::parse_moment(given, now)) return ms_of(*moment);
    return wrong(name, given, base::kMomentTakes);
  }

  Result<milliseconds> timeout() const {
    const auto text = value("timeout");
    if (!text) return kQueryLimit;
    const auto asked = duration_of("timeout", *text);
    if (!asked) return asked;
    return std::clamp<milliseconds>(*asked, milliseconds{1}, kQueryLimit);
  }

  Result<std::size_t> limit(std::size_t most) const {
    const auto text = value("limit");
    if (!text) return most;
    std::int64_t asked = 0;
    const char* const begin = text->data();
    const auto [end, error] = std::from_chars(begin, begin + text->size(), asked);
    if (error != std::errc{} || end != begin + text->size()) {
      return wrong("limit", *text, "a whole number");
    }
    // As Prometheus has it: 0 is no limit of the asker's.
    return asked <= 0 ? most : std::min(static_cast<std::size_t>(asked), most);
  }

  Result<query::Expression> expression() const {
    return query::Expression::parse(value("query").value_or(""));
  }

  Result<query::Steps> steps(base::WallTime now) const {
    const auto start = time("start", now, std::nullopt);
    if (!start) return std::unexpected(start.error());
    const auto end = time("end", now, std::nullopt);
    if (!end) return std::unexpected(end.error());
    if (*end < *start) {
      return base::fail(ErrorKind::kInvalidArgument,
                        "cannot use end: end timestamp must not be before start time");
    }
    const auto step = duration_of("step", value("step").value_or(""));
    if (!step) return std::unexpected(step.error());
    if (step->count() <= 0) {
      return base::fail(ErrorKind::kInvalidArgument,
                        "cannot use step: zero or negative query resolution step widths are not "
                        "accepted. Try a positive integer");
    }
    const query::Steps steps{*start, *end, step->count()};
    if (steps.count() > kMaxPoints) {
      return base::fail(ErrorKind::kInvalidArgument,
                        "cannot use step: exceeded maximum resolution of 11,000 points per "
                        "timeseries. Try decreasing the query resolution (?step=XX)");
    }
    return steps;
  }
};

base::Result<void> QueryRoutes::start(base::Clock& clock, QuerySetup setup) {
  clock_ = &clock;
  setup_ = std::move(setup);
  if (!setup_.series) return {};
  for (std::size_t i = 0; i < setup_.answers.workers; ++i) {
    gzips_.push_back(std::make_unique<wire::Gzip>());
  }
  return answers_.start(clock, setup_.answers, setup_.wake);
}

void QueryRoutes::stop() {
  stopping_ = true;
  answers_.stop();
}

std::optional<Response> QueryRoutes::answer(const http::Request& request, milliseconds limit,
                                            Work work) {
  if (!setup_.series) return failure(503, "unavailable", setup_.why_none);
  const bool gzip = request.accepts_gzip;
  const std::string key =
      fmt::format("{} {} {} {}", request.method, request.target, gzip, request.body);
  return answers_.answer(key, request, [&] {
    return [this, gzip, limit, work = std::move(work)](std::size_t worker) {
      const base::SteadyTime deadline = clock_->steady_now() + limit;
      Response response = work([this, deadline, limit]() -> Result<void> {
        if (stopping_) return base::fail(ErrorKind::kUnavailable, "cannot answer: the agent ends");
        if (clock_->steady_now() <= deadline) return {};
        return base::fail(ErrorKind::kDeadlineExceeded,
                          fmt::format("cannot answer within {} ms: ask for fewer series or less "
                                      "time",
                                      limit.count()));
      });
      if (gzip) compress(*gzips_[worker], response);
      return response;
    };
  });
}

query::Limits QueryRoutes::limits(GoOn go_on) const {
  return {.points = kMaxPoints,
          .samples = kMaxSamples,
          .subquery_step = setup_.subquery_step,
          .go_on = std::move(go_on)};
}

std::optional<Response> QueryRoutes::query(const http::Request& request) {
  const auto form = Form::of(request);
  if (!form) return bad_data("cannot read the form");
  const base::WallTime now = clock_ != nullptr ? clock_->wall_now() : base::WallTime{};
  const auto time = form->time("time", now, ms_of(now));
  if (!time) return bad_data(time.error().message);
  const auto limit = form->timeout();
  if (!limit) return bad_data(limit.error().message);
  auto expression = form->expression();
  if (!expression) return bad_data(expression.error().message);
  return answer(request, *limit, [this, expression = *expression, time = *time](const auto& go_on) {
    const auto value = query::instant(*setup_.series, expression, time, limits(go_on));
    if (!value) return failure(value.error());
    std::string body;
    write_value(body, *value, time);
    return json_response(std::move(body));
  });
}

std::optional<Response> QueryRoutes::query_range(const http::Request& request) {
  const auto form = Form::of(request);
  if (!form) return bad_data("cannot read the form");
  const auto steps = form->steps(clock_ != nullptr ? clock_->wall_now() : base::WallTime{});
  if (!steps) return bad_data(steps.error().message);
  const auto limit = form->timeout();
  if (!limit) return bad_data(limit.error().message);
  auto expression = form->expression();
  if (!expression) return bad_data(expression.error().message);
  if (expression->type() != query::Type::kScalar && expression->type() != query::Type::kVector) {
    return bad_data(
        fmt::format("cannot use query: invalid expression type {} for range query, "
                    "must be scalar or instant vector",
                    query::type_name(expression->type())));
  }
  return answer(request, *limit,
                [this, expression = *expression, steps = *steps](const auto& go_on) {
                  auto matrix = query::range(*setup_.series, expression, steps, limits(go_on));
                  if (!matrix) return failure(matrix.error());
                  std::string body;
                  write_value(body, query::Value(std::move(*matrix)), steps.start_ms);
                  return json_response(std::move(body));
                });
}

std::optional<Response> QueryRoutes::listing(
    const http::Request& request, bool needs_selector,
    std::function<Response(std::vector<model::LabelsPtr> found, std::size_t limit)> use) {
  const auto form = Form::of(request);
  if (!form) return bad_data("cannot read the form");
  const base::WallTime now = clock_ != nullptr ? clock_->wall_now() : base::WallTime{};
  model::SeriesRequest frame;
  // What is listed is what there is, at any time; a wrong time is still wrong.
  for (const auto& [name, fallback] : {std::pair{"start", std::int64_t{0}}, {"end", ms_of(now)}}) {
    const auto time = form->time(name, now, fallback);
    if (!time) return bad_data(time.error().message);
    (fallback == 0 ? frame.begin_ms : frame.end_ms) = *time;
  }
  const auto limit = form->limit(kMaxSeries);
  if (!limit) return bad_data(limit.error().message);
  std::vector<model::SeriesRequest> requests;
  for (const auto& [name, text] : form->fields) {
    if (name != "match[]") continue;
    auto matchers = query::Expression::parse_selector(text);
    if (!matchers) return bad_data(matchers.error().message);
    requests.push_back(frame);
    requests.back().matchers = std::move(*matchers);
  }
  if (requests.empty() && needs_selector) {
    return bad_data(
        "cannot tell which series: give match[], such as match[]=up or "
        "match[]={gpu_uuid=~\".+\"}");
  }
  if (requests.empty()) requests.push_back(frame);
  return answer(request, kQueryLimit,
                [this, requests = std::move(requests), limit = *limit,
                 use = std::move(use)](const auto& go_on) {
                  std::map<model::Labels, model::LabelsPtr> found;
                  for (const model::SeriesRequest& each : requests) {
                    if (auto on = go_on(); !on) return failure(on.error());
                    const auto labels =
                        setup_.series->labels(each, std::numeric_limits<std::size_t>::max());
                    if (!labels) return failure(labels.error());
                    for (const model::LabelsPtr& set : *labels) found.try_emplace(*set, set);
                  }
                  std::vector<model::LabelsPtr> sets;
                  sets.reserve(found.size());
                  for (const auto& [labels, set] : found) sets.push_back(set);
                  return use(std::move(sets), limit);
                });
}

std::optional<Response> QueryRoutes::series(const http::Request& request) {
  return listing(request, true, [](std::vector<model::LabelsPtr> found, std::size_t limit) {
    const bool truncated = found.size() > limit;
    if (truncated) found.resize(limit);
    std::string body;
    wire::append_series_answer(body, found, truncated);
    return json_response(std::move(body));
  });
}

namespace {

Response names_answer(const std::set<std::string>& names, std::size_t limit) {
  std::vector<std::string> list(names.begin(), names.end());
  if (list.size() > limit) list.resize(limit);
  std::string body;
  wire::append_names_answer(body, list);
  return json_response(std::move(body));
}

}  // namespace

std::optional<Response> QueryRoutes::labels(const http::Request& request) {
  return listing(request, false, [](const std::vector<model::LabelsPtr>& found, std::size_t limit) {
    std::set<std::string> names;
    for (const model::LabelsPtr& set : found) {
      for (const auto& [name, value] : *set) names.insert(name);
    }
    return names_answer(names, limit);
  });
}

std::optional<Response> QueryRoutes::label_values(const http::Request& request,
                                                  std::string_view label) {
  if (!model::is_label_name(label)) {
    return bad_data(fmt::format("cannot use the label's name '{}': it is none", label));
  }
  return listing(
      request, false,
      [label = std::string(label)](const std::vector<model::LabelsPtr>& found, std::size_t limit) {
        std::set<std::string> values;
        for (const model::LabelsPtr& set : found) {
          const std::string_view value = model::label_value(*set, label);
          if (!value.empty()) values.emplace(value);
        }
        return names_answer(values, limit);
      });
}

Response QueryRoutes::metadata(const http::Request& request) const {
  const auto form = Form::of(request);
  const auto limit = form ? form->limit(kMaxSeries) : kMaxSeries;
  if (!limit) return bad_data(limit.error().message);
  std::string body;
  wire::append_metadata_answer(body, form ? form->value("metric").value_or("") : "", *limit);
  return json_response(std::move(body));
}

Response QueryRoutes::buildinfo() const {
  std::string body;
  wire::append_buildinfo_answer(body, setup_.version);
  return json_response(std::move(body));
}

Response QueryRoutes::exemplars() const {
  std::string body;
  wire::append_empty_answer(body);
  return json_response(std::move(body));
}

}  // namespace gpuscope::api

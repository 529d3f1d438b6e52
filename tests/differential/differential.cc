// Compares the evaluator with a running Prometheus: random series are written to it, then random
// expressions are asked of both.
//   differential URL SEED SECONDS
// Ends after that many seconds; prints what differs, and how much was compared.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "expressions.h"
#include "http/web_client.h"
#include "prom/write_request.h"
#include "query/memory_series.h"
#include "query/query.h"

namespace gpuscope::differential {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kBegin = 1'700'000'000'000;
constexpr std::int64_t kLength = 2'400'000;
constexpr double kTolerance = 1e-9;
constexpr std::size_t kMostDifferences = 10;

// By labels, then time.
using Answer = std::map<std::string, std::map<std::int64_t, double>>;

std::string text_of(const model::Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += fmt::format("{}={};", name, value);
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

// One question: at an instant, or at the steps of a range.
struct Question {
  std::string expression;
  bool is_range = false;
  query::Steps steps;
};

std::string text_of(const Question& question) {
  if (!question.is_range)
    return fmt::format("{} at {}", question.expression, question.steps.start_ms);
  return fmt::format("{} from {} to {} every {}", question.expression, question.steps.start_ms,
                     question.steps.end_ms, question.steps.step_ms);
}

double number_of(const Json& value) {
  const auto text = value.get<std::string>();
  return std::strtod(text.c_str(), nullptr);
}

std::int64_t time_of(const Json& value) { return std::llround(value.get<double>() * 1000); }

std::string labels_of(const Json& metric) {
  std::string text;
  for (const auto& [name, value] : metric.items()) {
    text += fmt::format("{}={};", name, value.get<std::string>());
  }
  return text;
}

class Prometheus {
 public:
  explicit Prometheus(std::string url) : url_(std::move(url)) {
    http::WebClientOptions options;
    options.max_body_bytes = 64'000'000;
    client_ = std::move(*http::WebClient::create(options));
  }

  bool write(const std::vector<RandomSeries>& series) {
    prom::WriteRequest request;
    for (const RandomSeries& each : series) {
      std::vector<prom::Sample> samples;
      samples.reserve(each.samples.size());
      for (const auto& sample : each.samples) samples.push_back({sample.time_ms, sample.value});
      request.add(prom::encode_labels(each.labels), samples);
    }
    const auto response =
        client_->send({.method = "POST",
                       .url = url_ + "/api/v1/write",
                       .headers = {{"Content-Encoding", "snappy"},
                                   {"Content-Type", "application/x-protobuf"},
                                   {"X-Prometheus-Remote-Write-Version", "0.1.0"}},
                       .body = request.compressed()});
    if (response && response->status / 100 == 2) return true;
    fmt::print("cannot write: {}\n", response ? response->body : response.error().message);
    return false;
  }

  // None: it says that it cannot evaluate it.
  std::optional<Answer> ask(const Question& question) {
    const auto seconds = [](std::int64_t ms) {
      return fmt::format("{}.{:03}", ms / 1000, ms % 1000);
    };
    std::string form = "query=" + escaped(question.expression);
    if (question.is_range) {
      form += fmt::format("&start={}&end={}&step={}", seconds(question.steps.start_ms),
                          seconds(question.steps.end_ms), seconds(question.steps.step_ms));
    } else {
      form += "&time=" + seconds(question.steps.start_ms);
    }
    const std::string url = url_ + (question.is_range ? "/api/v1/query_range" : "/api/v1/query");
    const auto response =
        client_->send({.method = "POST",
                       .url = url,
                       .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                       .body = form});
    if (!response || (response->status != 200 && response->status != 422)) {
      fmt::print("cannot ask {}: {}\n", text_of(question),
                 response ? response->body : response.error().message);
      std::exit(2);
    }
    const Json document = Json::parse(response->body);
    if (response->status != 200) {
      said_ = document["error"].get<std::string>();
      return std::nullopt;
    }
    const Json& data = document["data"];
    const auto type = data["resultType"].get<std::string>();
    Answer answer;
    if (type == "scalar") {
      answer[""][time_of(data["result"][0])] = number_of(data["result"][1]);
      return answer;
    }
    for (const Json& series : data["result"]) {
      auto& points = answer[labels_of(series["metric"])];
      if (type == "vector") {
        points[time_of(series["value"][0])] = number_of(series["value"][1]);
      } else {
        for (const Json& point : series["values"]) points[time_of(point[0])] = number_of(point[1]);
      }
    }
    return answer;
  }
  const std::string& said() const { return said_; }

 private:
  std::string url_;
  std::unique_ptr<http::WebClient> client_;
  std::string said_;
};

base::Result<Answer> ask(const query::MemorySeries& series, const Question& question) {
  const auto expression = query::Expression::parse(question.expression);
  if (!expression) return std::unexpected(expression.error());
  Answer answer;
  if (question.is_range) {
    const auto matrix = query::range(series, *expression, question.steps);
    if (!matrix) return std::unexpected(matrix.error());
    for (const auto& each : *matrix) {
      for (const auto& point : each.points) {
        answer[text_of(*each.labels)][point.time_ms] = point.value;
      }
    }
    return answer;
  }
  const auto vector = query::Querier(series, question.steps.start_ms).vector(*expression);
  if (!vector) return std::unexpected(vector.error());
  for (const auto& sample : *vector) {
    answer[text_of(*sample.labels)][question.steps.start_ms] = sample.value;
  }
  return answer;
}

bool same(double left, double right) {
  if (std::isnan(left) || std::isnan(right)) return std::isnan(left) && std::isnan(right);
  if (left == right) return true;
  // Where it cancels, what is left is what a sum has lost in its order, which Prometheus takes from
  // a map.
  return std::abs(left - right) <= kTolerance * std::max({1.0, std::abs(left), std::abs(right)});
}

// Empty: they are the same.
std::string difference(const Answer& ours, const Answer& theirs) {
  for (const auto& [labels, points] : theirs) {
    const auto found = ours.find(labels);
    if (found == ours.end()) return fmt::format("we lack {{{}}}", labels);
    for (const auto& [time, value] : points) {
      const auto at = found->second.find(time);
      if (at == found->second.end()) return fmt::format("{{{}}}: we lack {}", labels, time);
      if (!same(at->second, value)) {
        return fmt::format("{{{}}} at {}: we have {}, Prometheus {}", labels, time, at->second,
                           value);
      }
    }
    if (found->second.size() != points.size()) return fmt::format("{{{}}}: we have more", labels);
  }
  return ours.size() == theirs.size() ? "" : "we have more series";
}

Question random_question(std::mt19937_64& random) {
  Question question{.expression = random_expression(random), .is_range = false, .steps = {}};
  const auto below = [&](std::int64_t end) {
    return std::uniform_int_distribution<std::int64_t>(0, end - 1)(random);
  };
  question.is_range = below(2) == 0;
  // Some before the series begin, some after they end.
  question.steps.start_ms = kBegin - 120'000 + below(kLength + 600'000);
  question.steps.end_ms = question.steps.start_ms;
  if (question.is_range) {
    question.steps.step_ms = 1000 * (1 + below(120));
    question.steps.end_ms += below(40) * question.steps.step_ms + below(500);
  }
  return question;
}

struct Counts {
  std::size_t asked = 0;
  std::size_t errors = 0;
  std::size_t points = 0;
  std::size_t empty = 0;
  std::size_t different = 0;
};

int run(const std::string& url, std::uint64_t seed, int seconds) {
  fmt::print("seed {}\n", seed);
  std::mt19937_64 random(seed);
  const auto written = random_series(random, kBegin, kLength);
  Prometheus prometheus(url);
  if (!prometheus.write(written)) return 2;
  query::MemorySeries series;
  for (const RandomSeries& each : written) series.add(each.labels, each.samples);

  const base::SystemClock clock;
  const auto end = clock.steady_now() + std::chrono::seconds(seconds);
  Counts counts;
  while (clock.steady_now() < end && counts.different < kMostDifferences) {
    const Question question = random_question(random);
    ++counts.asked;
    const auto theirs = prometheus.ask(question);
    const auto ours = ask(series, question);
    std::string differs;
    if (theirs && ours) {
      differs = difference(*ours, *theirs);
      for (const auto& [labels, points] : *theirs) counts.points += points.size();
      if (theirs->empty()) ++counts.empty;
    } else if (theirs) {
      differs = "we say: " + ours.error().message;
    } else if (ours) {
      differs = "Prometheus says: " + prometheus.said();
    } else {
      ++counts.errors;
    }
    if (differs.empty()) continue;
    ++counts.different;
    fmt::print("DIFFERENT {}\n  {}\n", text_of(question), differs);
  }
  fmt::print("{} expressions, {} points equal or not, {} empty, {} errors of both, {} different\n",
             counts.asked, counts.points, counts.empty, counts.errors, counts.different);
  return counts.different == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gpuscope::differential

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print("differential URL SEED SECONDS\n");
    return 2;
  }
  return gpuscope::differential::run(argv[1], std::strtoull(argv[2], nullptr, 10),
                                     std::atoi(argv[3]));
}

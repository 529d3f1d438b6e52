// The reader against an engine that answers as it is told, over real sockets on loopback.
#include "prom/prometheus_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex.h>

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "http/server.h"
#include "prom/engine.h"
#include "prom/usage_query.h"
#include "prom/vector_parser.h"

namespace gpuscope::prom {
namespace {

using base::ErrorKind;
using model::UsageMetric;
using testing::ElementsAre;
using testing::HasSubstr;

// ---- answers

struct Read {
  std::vector<std::string> series;
  base::Result<AnswerNotes> notes;
};

Read read(std::string_view text, std::size_t step, std::size_t piece_bytes) {
  std::vector<std::string> series;
  VectorParser parser(
      [&](const LabelViews& labels, double value) {
        std::string line;
        for (const auto& [name, of] : labels) line += fmt::format("{}={};", name, of);
        series.push_back(fmt::format("{}{}", line, value));
      },
      piece_bytes);
  for (std::size_t at = 0; at < text.size(); at += step) {
    if (!parser.add(text.substr(at, step))) break;
  }
  auto notes = parser.finish();
  return {std::move(series), std::move(notes)};
}

constexpr std::string_view kAnswer =
    R"({"status":"success","isPartial":true,"data":{"resultType":"vector","result":[)"
    R"({"metric":{"UUID":"GPU-a","pod":"a\"},{\"metric\":\n😀"},"value":[1795337910.781,"12.5"]},)"
    R"({"metric":{"UUID":"GPU-b"},"value":[1795337910,"NaN"]},)"
    R"({"metric":{},"value":[1,"+Inf"]},{"metric":{"x":""},"value":[1,"1e400"]},)"
    R"({"metric":{"h":"1"},"histogram":[1,{"count":"1"}]}]},)"
    R"("warnings":["one","one"],"infos":["two"],"stats":{"seriesFetched":"3"}})";

TEST(VectorParser, ReadsAnAnswerHoweverItIsCut) {
  for (std::size_t step = 1; step <= kAnswer.size(); ++step) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{100'000}}) {
      const Read found = read(kAnswer, step, piece);
      ASSERT_TRUE(found.notes) << found.notes.error().message;
      EXPECT_THAT(found.series, ElementsAre("UUID=GPU-a;pod=a\"},{\"metric\":\n😀;12.5",
                                            "UUID=GPU-b;nan", "inf", "x=;inf"));
      EXPECT_THAT(found.notes->warnings, ElementsAre("one", "two"));
      EXPECT_TRUE(found.notes->partial);
      EXPECT_EQ(found.notes->bytes, kAnswer.size());
    }
  }
}

TEST(VectorParser, TakesNothingElseForAnAnswer) {
  for (std::size_t size = 0; size < kAnswer.size(); ++size) {
    EXPECT_FALSE(read(kAnswer.substr(0, size), 7, 50).notes) << size;
  }
  for (const std::string_view text :
       {"[]", "{}", "<html>", R"({"status":"success"})", R"({"status":"success","data":null})",
        R"({"status":"success","data":{"resultType":"matrix","result":[]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[{"metric":1}]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1,"x"]}]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}})",
        R"({"status":"success","data":{"resultType":"vector","result":[]}}{})"}) {
    const Read found = read(text, 3, 10);
    ASSERT_FALSE(found.notes) << text;
    EXPECT_EQ(found.notes.error().kind, ErrorKind::kUnavailable);
  }
  const Read refused =
      read(R"({"status":"error","errorType":"bad_data","error":"no\nthing"})", 3, 10);
  ASSERT_FALSE(refused.notes);
  EXPECT_EQ(refused.notes.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(refused.notes.error().message, R"(it says: no\nthing)");
}

// ---- questions

TEST(Condition, IsReadAsPromqlHasIt) {
  EXPECT_EQ(join(*parse_condition(R"( { pod != "" , Hostname=~'a"\'.*', x=`\`,} )")),
            R"(pod!="",Hostname=~'a"\'.*',x=`\`)");
  EXPECT_EQ(join(*parse_condition("{}")), "");
  EXPECT_EQ(join(*parse_condition("")), "");
  for (const std::string_view text :
       {"pod", "{pod}", "{pod=}", "{pod=\"}", "{pod=\"a\"", "{=\"a\"}", "{a=\"b\"} or x",
        R"({a="b" c="d"})", "{pod>\"a\"}", "{a=\"b\\"}) {
    EXPECT_FALSE(parse_condition(text)) << text;
  }
}

bool fits(const std::string& matcher, const std::string& uuid) {
  if (matcher.empty()) return true;
  const bool negative = matcher.starts_with("UUID!~");
  const std::string pattern = "^(" + matcher.substr(7, matcher.size() - 8) + ")$";
  regex_t compiled{};
  EXPECT_EQ(regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB), 0) << pattern;
  const bool found = regexec(&compiled, uuid.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found != negative;
}

TEST(Pages, GiveEachGpuToOne) {
  for (const std::size_t shards : {1U, 3U, 16U}) {
    for (const std::size_t pages : {1U, 2U, 16U}) {
      std::map<std::size_t, std::size_t> sizes;
      std::vector<std::string> matchers;
      for (std::size_t shard = 0; shard < shards; ++shard) {
        for (std::size_t page = 0; page < pages; ++page) {
          matchers.push_back(uuid_matcher(page_of({shard, shards}, page, pages)));
        }
      }
      for (std::size_t bucket = 0; bucket < kUuidBuckets + 4; ++bucket) {
        const std::string uuid = bucket < kUuidBuckets        ? fmt::format("GPU-0{:02x}", bucket)
                                 : bucket == kUuidBuckets     ? "simulated"
                                 : bucket == kUuidBuckets + 1 ? ""
                                                              : "GPU-AbCD";
        std::size_t found = 0;
        for (std::size_t i = 0; i < matchers.size(); ++i) {
          if (!fits(matchers[i], uuid)) continue;
          ++found;
          ++sizes[i];
        }
        ASSERT_EQ(found, 1) << uuid << " of " << fmt::format("{}", fmt::join(matchers, " "));
      }
      for (const auto& [page, size] : sizes) {
        EXPECT_NEAR(static_cast<double>(size), 256.0 / static_cast<double>(shards * pages), 5)
            << matchers[page];
      }
    }
  }
}

TEST(Names, AreThoseOfTheNamingTable) {
  EXPECT_EQ(names_to_ask(UsageMetric::kPower, {}).front().name, "DCGM_FI_DEV_POWER_USAGE");
  const auto both =
      names_to_ask(UsageMetric::kGpuUtil, {"DCGM_FI_DEV_GPU_UTIL_RATIO", "DCGM_FI_DEV_GPU_UTIL",
                                           "gpuscope_gpu_utilization_ratio_mean"});
  ASSERT_EQ(both.size(), 2);
  EXPECT_EQ(both[0].name, "DCGM_FI_DEV_GPU_UTIL");
  EXPECT_EQ(both[1].name, "DCGM_FI_DEV_GPU_UTIL_RATIO");
  const auto own = names_to_ask(UsageMetric::kMemUsed, {"gpuscope_gpu_memory_used_bytes_mean"});
  ASSERT_EQ(own.size(), 1);
  EXPECT_EQ(own[0].factor * 1048576, 1);
  EXPECT_EQ(names_to_ask(UsageMetric::kGpuUtil, {"gpuscope_gpu_utilization_ratio_mean"})[0].factor,
            100);
}

TEST(Expression, AsksForTheMeanOfTheWindow) {
  UsageQuery query{UsageMetric::kGpuUtil, {{"A", 1}, {"B", 100}}, "pod!=\"\"", false};
  EXPECT_EQ(expression(query, {}),
            "avg by (UUID,GPU_I_ID,pod,namespace,exported_pod,exported_namespace,Hostname,hostname,"
            "kubernetes_node,modelName,model_name) (avg_over_time(A{pod!=\"\"}[600s1ms:30s]) or "
            "100 * avg_over_time(B{pod!=\"\"}[600s1ms:30s]))");
  query = {UsageMetric::kPower, {{"A", 1}}, "", true};
  EXPECT_EQ(expression(query, {}),
            "avg by (UUID,GPU_I_ID,pod,namespace,exported_pod,exported_namespace) "
            "(avg_over_time((A{} > -Inf < Inf)[600s1ms:30s]))");
}

// ---- the reader

// An engine that has one GPU, or what a test puts in place of its answers.
class Engines : public testing::Test {
 protected:
  void SetUp() override {
    auto server = http::Server::listen({.port = 0}, [this](const http::Request& request) {
      return std::optional(answer(request));
    });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    server_->start();
    options_.engine.url = fmt::format("http://127.0.0.1:{}/base/", server_->port());
    options_.engine.pause = std::chrono::milliseconds(1);
  }
  void TearDown() override { server_->stop(); }

  http::Response answer(const http::Request& request) {
    std::string path;
    for (const std::string& each : request.path) path += "/" + each;
    const auto form = http::decode_query(request.body);
    const std::string query = form && !form->empty() ? form->front().second : "";
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(path + " " + query);
    }
    if (path == "/base/api/v1/labels") return json(labels_);
    if (path == "/base/api/v1/label/__name__/values") return json(names_);
    if (request.method == "GET") return json(vector("1", ""));
    if (instead_) {
      if (auto found = instead_(query)) return std::move(*found);
    }
    return json(vector(number_of(query), more_));
  }
  static http::Response json(std::string body) {
    return http::text_response(200, "application/json", std::move(body));
  }
  static std::string series(const std::string& labels, const std::string& value) {
    return fmt::format(R"({{"metric":{{{}}},"value":[1,"{}"]}})", labels, value);
  }
  static std::string of(const std::string& content, const std::string& more = "") {
    return fmt::format(R"({{"status":"success","data":{{"resultType":"vector","result":[{}]}}{}}})",
                       content, more);
  }
  static std::string vector(const std::string& value, const std::string& more) {
    return of(
        series(R"("UUID":"GPU-a","pod":"p","namespace":"n","Hostname":"h","modelName":"m")", value),
        more);
  }
  static std::string number_of(const std::string& query) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNumbers{
        {{"GPU_UTIL", "50"},
         {"MEM_COPY", "40"},
         {"FB_USED", "600"},
         {"FB_FREE", "400"},
         {"POWER_USAGE", "125"},
         {"SM_CLOCK", "1500"},
         {"POWER_LIMIT", "700"}}};
    for (const auto& [name, number] : kNumbers) {
      if (query.contains(name)) return std::string(number);
    }
    return "0";
  }
  std::unique_ptr<PrometheusReader> reader() {
    auto made = PrometheusReader::create(clock_, options_);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<std::string> queries(std::string_view part = "/api/v1/query ") {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& each : asked_) {
      if (each.contains(part)) found.push_back(each);
    }
    return found;
  }

  base::SystemClock clock_;
  ReaderOptions options_;
  std::string labels_ = R"({"status":"success","data":["UUID","pod"]})";
  std::string names_ = R"({"status":"success","data":["DCGM_FI_DEV_GPU_UTIL"]})";
  std::string more_;
  std::function<std::optional<http::Response>(const std::string& query)> instead_;
  std::unique_ptr<http::Server> server_;
  std::mutex mutex_;
  std::vector<std::string> asked_;
};

TEST_F(Engines, AreAskedSixTimesForAFleet) {
  const auto all = reader();
  const auto answer = all->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->gpus.size(), 1);
  const model::GpuUsage& gpu = answer->gpus[0];
  EXPECT_EQ(gpu.gpu.gpu_id, "GPU-a");
  EXPECT_EQ(gpu.gpu.pod, "p");
  EXPECT_EQ(gpu.gpu.name_space, "n");
  EXPECT_EQ(gpu.gpu.hostname, "h");
  EXPECT_EQ(gpu.gpu.model_name, "m");
  EXPECT_EQ(gpu.means[UsageMetric::kGpuUtil], 50);
  EXPECT_EQ(gpu.means[UsageMetric::kMemUsed], 600);
  EXPECT_EQ(gpu.means[UsageMetric::kSmClock], 1500);
  EXPECT_EQ(gpu.means[UsageMetric::kPowerLimit], std::nullopt);
  EXPECT_EQ(answer->requests, 6);
  EXPECT_EQ(queries().size(), 6);
  for (const std::string& query : queries()) EXPECT_THAT(query, HasSubstr("pod!=\"\""));
  ASSERT_TRUE(all->read({.end = clock_.wall_now()}));
  EXPECT_EQ(queries("/labels").size(), 1) << "names are looked for once";
  EXPECT_LE(server_->counters().connections, 2) << "connections are kept";
  const auto more = all->read({.end = clock_.wall_now(), .power_limit = true});
  ASSERT_TRUE(more);
  EXPECT_EQ(more->requests, 7);
  EXPECT_EQ(more->gpus[0].means[UsageMetric::kPowerLimit], 700);
  EXPECT_TRUE(all->probe());
}

TEST_F(Engines, SayWhatTheyCouldNotAsk) {
  more_ = R"(,"warnings":["store 2 is away"],"isPartial":true)";
  const auto answer = reader()->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->partial);
  EXPECT_THAT(answer->warnings, ElementsAre("store 2 is away"));
}

TEST_F(Engines, AreAskedAgainForWhatIsNoNumber) {
  instead_ = [](const std::string& query) -> std::optional<http::Response> {
    if (!query.contains("MEM_COPY") || query.contains("> -Inf < Inf")) return std::nullopt;
    return json(vector("NaN", ""));
  };
  const auto answer = reader()->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->requests, 7);
  EXPECT_EQ(answer->gpus[0].means[UsageMetric::kMemCopy], 40);
}

TEST_F(Engines, KeepAGpuOfWhichThereAreNoNumbers) {
  instead_ = [](const std::string& query) -> std::optional<http::Response> {
    if (!query.contains("GPU_UTIL")) return std::nullopt;
    return json(query.contains("> -Inf") ? of("") : vector("NaN", ""));
  };
  const auto answer = reader()->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->gpus.size(), 1);
  EXPECT_EQ(answer->gpus[0].means[UsageMetric::kGpuUtil], std::nullopt);
}

TEST_F(Engines, AreGivenSmallerQuestionsWhereOneIsTooLarge) {
  instead_ = [](const std::string& query) -> std::optional<http::Response> {
    if (query.contains("UUID") && query.contains("~\"")) return std::nullopt;
    return http::text_response(422, "application/json",
                               R"({"status":"error","error":"query exceeds the limit"})");
  };
  const auto all = reader();
  const auto answer = all->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->gpus.size(), 1);
  EXPECT_EQ(answer->requests, 24) << "four pages";
}

TEST_F(Engines, AreAskedByTheLabelsThatAScrapeMoved) {
  labels_ = R"({"status":"success","data":["UUID","exported_pod","pod"]})";
  instead_ = [](const std::string&) {
    return json(
        of(series(R"("UUID":"GPU-a","exported_pod":"train","pod":"dcgm-exporter-x")", "1")));
  };
  const auto answer = reader()->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->gpus[0].gpu.pod, "train");
  for (const std::string& query : queries()) EXPECT_THAT(query, HasSubstr("{exported_pod!=\"\"}"));
}

TEST_F(Engines, MayBeDownForAWhile) {
  std::atomic<int> failures = 4;
  instead_ = [&](const std::string&) -> std::optional<http::Response> {
    if (failures-- <= 0) return std::nullopt;
    return failures % 2 == 0 ? http::text_response(503, "text/html", "<html>down</html>")
                             : json(vector("1", "").substr(0, 100));
  };
  options_.engine.attempts = 9;
  const auto answer = reader()->read({.end = clock_.wall_now()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->requests, 10);
  EXPECT_EQ(answer->gpus[0].means[UsageMetric::kGpuUtil], 50)
      << "failed attempts count for nothing";
}

TEST_F(Engines, SayWhyNot) {
  const struct {
    int status;
    std::string body;
    ErrorKind kind;
    std::string words;
  } cases[] = {
      {401, "", ErrorKind::kPermissionDenied, "wants other credentials"},
      {400, R"({"status":"error","error":"parse error"})", ErrorKind::kInvalidArgument,
       "HTTP status 400: parse error"},
      {503, "no\nhealthy upstream", ErrorKind::kUnavailable, R"(no\nhealthy upstream)"},
      {200, "<html>", ErrorKind::kUnavailable, "not that of the Prometheus HTTP API"},
      {200, R"({"status":"error","error":"broken"})", ErrorKind::kInvalidArgument, "broken"},
  };
  for (const auto& each : cases) {
    instead_ = [&](const std::string&) {
      return http::text_response(each.status, "text/plain", each.body);
    };
    const auto answer = reader()->read({.end = clock_.wall_now()});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, each.kind) << answer.error().message;
    EXPECT_THAT(answer.error().message, HasSubstr(each.words));
    EXPECT_THAT(answer.error().message, testing::StartsWith("cannot read from http://127.0.0.1:"));
  }
  server_->stop();
  EXPECT_EQ(reader()->read({.end = clock_.wall_now()}).error().kind, ErrorKind::kUnavailable);
  EXPECT_FALSE(reader()->probe());
}

TEST_F(Engines, AreLeftAtOnceWhenTheProgramEnds) {
  options_.engine.pause = std::chrono::hours(1);
  const auto all = reader();
  instead_ = [&](const std::string&) {
    all->cancel();
    return http::text_response(503, "text/plain", "");
  };
  EXPECT_FALSE(all->read({.end = clock_.wall_now()}));
  server_->stop();  // its thread may still be in cancel()
}

TEST(Reader, RefusesWhatCannotBe) {
  base::SystemClock clock;
  EXPECT_FALSE(PrometheusReader::create(clock, {.condition = "pod"}));
  EXPECT_FALSE(PrometheusReader::create(clock, {.shard = {3, 3}}));
  EXPECT_FALSE(PrometheusReader::create(clock, {.shard = {0, 300}}));
}

}  // namespace
}  // namespace gpuscope::prom

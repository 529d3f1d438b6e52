#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "act/controller.h"
#include "act/pauses.h"
#include "base/fake_clock.h"
#include "base/mutex.h"
#include "http/scripted_server.h"
#include "model/memory_state_store.h"
#include "model/opinion.h"
#include "wire/control.h"

namespace gpuscope::act {
namespace {

using http::ScriptedAnswer;
using http::ScriptedRequest;
using http::ScriptedServer;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr double kThreshold = 20;

model::GpuUse use(const std::string& id, std::optional<double> raw, std::optional<double> score) {
  model::GpuUse gpu;
  gpu.gpu = {.gpu_id = id, .pod = "pod-" + id, .name_space = "ml", .hostname = "node"};
  gpu.raw_score = raw;
  gpu.score = score;
  gpu.status = !score ? model::UseStatus::kUnknown : model::UseStatus::kIdle;
  return gpu;
}

// A control service that answers as it is told.
class ActTest : public testing::Test {
 protected:
  ActTest()
      : server_([this](const ScriptedRequest& request) {
          base::MutexLock lock(mutex_);
          bodies_.push_back(request.body);
          heads_.push_back(request.head);
          return answer_(bodies_.size());
        }) {}

  std::unique_ptr<Controller> controller(std::function<void(Options&)> change = nullptr) {
    Options options{.enabled = true, .url = server_.url("/control")};
    if (change) change(options);
    auto made = Controller::create(clock_, options, store_);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<std::string> bodies() {
    base::MutexLock lock(mutex_);
    return std::exchange(bodies_, {});
  }
  void answer_with(std::function<ScriptedAnswer(std::size_t)> answer) {
    base::MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  static std::size_t count(const Controller& controller, Effect effect) {
    return controller.status().last_run[static_cast<std::size_t>(effect)];
  }

  base::FakeClock clock_;
  model::MemoryStateStore store_;
  base::Mutex mutex_;
  std::vector<std::string> bodies_ GUARDED_BY(mutex_);
  std::vector<std::string> heads_ GUARDED_BY(mutex_);
  std::function<ScriptedAnswer(std::size_t)> answer_ GUARDED_BY(mutex_) = [](std::size_t) {
    return ScriptedAnswer::status(200, "", "ok");
  };
  ScriptedServer server_;  // ends first
};

TEST_F(ActTest, CallsForThoseWhoseTwoScoresAreLow) {
  std::vector<model::GpuUse> gpus{
      use("low", 12, 12),    use("raised", 12, 55),  // an opinion in its favour
      use("lowered", 55, 5),                         // an opinion alone
      use("both", 19.9, 3),  use("border", 20, 20), use("unknown", std::nullopt, std::nullopt)};
  gpus[3].ai_analysis = std::make_shared<model::Opinion>(
      model::Opinion{.status = model::OpinionStatus::kIdle, .confidence = 0.9, .reason = "r"});
  const auto controller = this->controller();
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), ElementsAre(wire::control_call(gpus[3]), wire::control_call(gpus[0])));
  {
    base::MutexLock lock(mutex_);
    EXPECT_THAT(heads_.front(), StartsWith("POST /control "));
    EXPECT_THAT(heads_.front(), HasSubstr("Content-Type: application/json"));
  }
  EXPECT_EQ(count(*controller, Effect::kCalled), 2U);
  const auto actions = controller->actions(10);
  ASSERT_TRUE(actions);
  ASSERT_THAT(*actions, SizeIs(2));
  EXPECT_THAT(actions->front(), HasSubstr(R"("gpu_id":"low")"));
  EXPECT_THAT(actions->front(), HasSubstr(R"("why":"score 12.0 is under 20")"));
  EXPECT_THAT(actions->back(), HasSubstr("raw score 19.9 and adjusted score 3.0 are under 20"));
  EXPECT_THAT(actions->back(), HasSubstr(R"("answer":"200: ok")"));
  const std::string document = control_document(controller->status(), *actions);
  EXPECT_THAT(document, HasSubstr(R"("last_run":{"called":2,"dry_run":0,)"));
  std::string metrics;
  append_metrics(controller->status(), wire::MetricsFormat::kPrometheus, metrics);
  EXPECT_THAT(metrics, HasSubstr("gpuscope_control_gpus_total{effect=\"called\"} 2\n"));
  EXPECT_THAT(document, HasSubstr(R"("last_error":null,"actions":[{"at":)"));
}

TEST_F(ActTest, LeavesAGpuAloneUntilItHasCooledDownEvenOverARestart) {
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  auto controller = this->controller();
  controller->run(gpus, kThreshold);
  controller->run(gpus, kThreshold);
  EXPECT_EQ(count(*controller, Effect::kCoolingDown), 1U);
  controller = this->controller();
  controller->run(gpus, kThreshold);
  EXPECT_EQ(count(*controller, Effect::kCoolingDown), 1U);
  EXPECT_THAT(bodies(), SizeIs(1));
  clock_.advance(seconds{241});
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), SizeIs(1));
  EXPECT_EQ(controller->status().total[static_cast<std::size_t>(Effect::kCalled)], 1U);
  // The clock was set back by days: nobody waits that long.
  clock_.advance(-std::chrono::hours{72});
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), SizeIs(1));
}

TEST_F(ActTest, MakesSoManyCallsARunAndTakesTurns) {
  std::vector<model::GpuUse> gpus;
  for (const char* id : {"a", "b", "c", "d", "e"}) gpus.push_back(use(id, 1, 1));
  const auto controller = this->controller([](Options& options) {
    options.most_per_run = 2;
    options.cool_down = seconds{0};
  });
  std::vector<std::string> called;
  for (int run = 0; run < 3; ++run) {
    controller->run(gpus, kThreshold);
    for (const std::string& body : bodies()) called.push_back(body.substr(11, 1));
    clock_.advance(minutes{5});
  }
  EXPECT_THAT(called, ElementsAre("a", "b", "c", "d", "e", "a"));
  EXPECT_EQ(count(*controller, Effect::kOverCap), 3U);
}

TEST_F(ActTest, DoesEverythingButTheCallWhenDry) {
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  const auto controller = this->controller([](Options& options) { options.dry_run = true; });
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), IsEmpty());
  EXPECT_EQ(count(*controller, Effect::kDryRun), 1U);
  EXPECT_THAT(controller->actions(1)->front(), HasSubstr(R"("effect":"dry_run")"));
}

TEST_F(ActTest, BacksOffFromAGpuThatTheServiceDoesNotWant) {
  answer_with([](std::size_t) { return ScriptedAnswer::status(404, "", "no such pod"); });
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  const auto controller = this->controller();
  int calls = 0;
  for (int run = 0; run < 12; ++run) {  // an hour
    controller->run(gpus, kThreshold);
    calls += static_cast<int>(bodies().size());
    clock_.advance(minutes{5});
  }
  EXPECT_EQ(calls, 4);  // after 0, 5, 15 and 35 minutes: 4, 8, 16 and 32 minutes between
  EXPECT_EQ(controller->status().backing_off_until, std::nullopt);
  EXPECT_THAT(controller->status().last_error.message,
              HasSubstr("cannot act on a: " + server_.url("").substr(0, 16)));
  EXPECT_THAT(controller->status().last_error.message, HasSubstr("404: no such pod"));
}

TEST_F(ActTest, BacksOffFromAServiceThatFails) {
  answer_with([](std::size_t) { return ScriptedAnswer::status(500); });
  std::vector<model::GpuUse> gpus;
  for (const char* id : {"a", "b", "c", "d", "e"}) gpus.push_back(use(id, 1, 1));
  const auto controller = this->controller();
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), SizeIs(3));
  EXPECT_EQ(count(*controller, Effect::kFailed), 3U);
  EXPECT_EQ(count(*controller, Effect::kBackingOff), 2U);
  EXPECT_EQ(controller->status().backing_off_until, clock_.wall_now() + seconds{60});
  // One try when the time is over; then twice as long.
  clock_.advance(seconds{61});
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), SizeIs(1));
  EXPECT_EQ(controller->status().backing_off_until, clock_.wall_now() + seconds{120});
  clock_.advance(seconds{200});
  answer_with([](std::size_t) { return ScriptedAnswer::status(200); });
  controller->run(gpus, kThreshold);
  EXPECT_EQ(count(*controller, Effect::kFailed), 0U);
  EXPECT_EQ(count(*controller, Effect::kCalled), 4U);  // d, which failed last, waits on
}

TEST_F(ActTest, WaitsAsLongAsTheServiceAsks) {
  answer_with([](std::size_t) { return ScriptedAnswer::status(429, "Retry-After: 120\r\n"); });
  const std::vector<model::GpuUse> gpus{use("a", 1, 1), use("b", 1, 1)};
  const auto controller = this->controller();
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), SizeIs(1));
  EXPECT_EQ(controller->status().backing_off_until, clock_.wall_now() + seconds{120});
}

TEST_F(ActTest, EndsACallThatHangs) {
  answer_with(
      [](std::size_t) { return ScriptedAnswer{.bytes = "", .then = ScriptedAnswer::Then::kHang}; });
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  const auto controller =
      this->controller([](Options& options) { options.timeout = std::chrono::milliseconds{100}; });
  controller->run(gpus, kThreshold);
  EXPECT_EQ(count(*controller, Effect::kFailed), 1U);
}

TEST_F(ActTest, ActsOnNobodyWhenNothingCanBeKept) {
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  const auto controller = this->controller();
  store_.fail_with(base::Error{base::ErrorKind::kUnavailable, "cannot write: disk full"});
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), IsEmpty());
  EXPECT_THAT(controller->status().last_error.message, HasSubstr("disk full"));
  EXPECT_FALSE(Controller::create(clock_, {.url = server_.url()}, store_));
}

TEST_F(ActTest, StopsForGood) {
  const std::vector<model::GpuUse> gpus{use("a", 1, 1)};
  const auto controller = this->controller();
  controller->stop();
  controller->run(gpus, kThreshold);
  EXPECT_THAT(bodies(), IsEmpty());
  EXPECT_FALSE(Controller::create(clock_, {.url = "not a url"}, store_));
}

TEST(PausesTest, PassOverWhatIsDamagedAndForgetWhatIsOld) {
  model::MemoryStateStore store;
  const base::WallTime now{std::chrono::hours{500'000}};
  Pauses pauses;
  const Pause pause{.called = now, .until = now + minutes{4}, .failures = 2};
  ASSERT_TRUE(pauses.put("a", pause, store));
  for (const char* damaged : {"", "1", "1 2", "1 2 -3", "1 2 3 4", "x y z"}) {
    ASSERT_TRUE(store.put(kPauseKind, damaged + std::string("!"), damaged));
  }
  Pauses again;
  ASSERT_TRUE(again.load(store));
  ASSERT_NE(again.find("a", now), nullptr);
  EXPECT_EQ(*again.find("a", now), pause);
  EXPECT_EQ(again.find("1 2!", now), nullptr);
  ASSERT_TRUE(again.forget_old(now + std::chrono::hours{25}, store));
  EXPECT_EQ(again.find("a", now), nullptr);
  EXPECT_EQ(store.get(kPauseKind, "a")->has_value(), false);
}

}  // namespace
}  // namespace gpuscope::act

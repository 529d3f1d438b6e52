// The whole way from ticks to a server, over real sockets on loopback; time is the test's own.
#include "prom/remote_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/fake_clock.h"
#include "http/scripted_server.h"
#include "prom/fake_tick_reader.h"
#include "prom/send_position.h"
#include "prom/write_request.h"
#include "prom/write_request_testing.h"
#include "wire/test_snapshot.h"

namespace gpuscope::prom {
namespace {

using base::ErrorKind;
using http::ScriptedAnswer;
using http::ScriptedRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// A server that keeps what it has answered with success, as far as the power of the first GPU.
class Receiver {
 public:
  using Script = std::function<ScriptedAnswer(int request)>;

  Receiver() : server_([this](const ScriptedRequest& request) { return answer(request); }) {}

  std::string url() const { return server_.url("/api/v1/write"); }
  // Asked with the number of the request, from 0 on; the usual answer is 204.
  void script(Script script) {
    base::MutexLock lock(mutex_);
    script_ = std::move(script);
    requests_ = 0;
  }
  std::vector<ReadSample> taken() const {
    base::MutexLock lock(mutex_);
    return taken_;
  }
  std::string last_head() const {
    base::MutexLock lock(mutex_);
    return head_;
  }
  int requests() const {
    base::MutexLock lock(mutex_);
    return requests_;
  }
  // The power in each request that came, whatever was answered.
  std::vector<std::vector<ReadSample>> asked() const {
    base::MutexLock lock(mutex_);
    return asked_;
  }

 private:
  ScriptedAnswer answer(const ScriptedRequest& request) {
    std::vector<ReadSample> power;
    for (const ReadSeries& series : read_request(request.body)) {
      if (series.label("__name__") == "gpu_power_watts") power = series.samples;
    }
    base::MutexLock lock(mutex_);
    head_ = request.head;
    asked_.push_back(power);
    const int number = requests_++;
    ScriptedAnswer answer = script_ ? script_(number) : ScriptedAnswer::status(204);
    if (answer.bytes.starts_with("HTTP/1.1 20") && answer.bytes.ends_with("\r\n\r\n")) {
      taken_.insert(taken_.end(), power.begin(), power.end());
    }
    return answer;
  }

  mutable base::Mutex mutex_;
  Script script_ GUARDED_BY(mutex_);
  int requests_ GUARDED_BY(mutex_) = 0;
  std::string head_ GUARDED_BY(mutex_);
  std::vector<ReadSample> taken_ GUARDED_BY(mutex_);
  std::vector<std::vector<ReadSample>> asked_ GUARDED_BY(mutex_);
  http::ScriptedServer server_;  // last: its thread uses the others
};

class RemoteWriterTest : public testing::Test {
 protected:
  RemoteWriterTest() {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    dir_ = testing::TempDir() + "remote_writer_" + test->name();
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    options_.url = receiver_.url();
    options_.position_file = dir_ + "/position";
    limits_.request_timeout = seconds{20};
  }

  // Nothing was sent yet, and all that there is is to be sent.
  void begin_at_first_tick() {
    auto file = PositionFile::open(options_.position_file);
    ASSERT_TRUE(
        file->write({.sent = {1, 0}, .newest = std::nullopt, .sending = std::nullopt}, true));
  }
  SendPosition saved() const {
    const auto position = PositionFile::open(options_.position_file)->read();
    return position ? position->value_or(SendPosition{}) : SendPosition{};
  }

  static base::WallTime time_of(int number) {
    return base::WallTime{seconds{1'780'000'000 + number}};
  }
  // One a second; the power says which it is.
  void add_ticks(int count) {
    for (int i = 0; i < count; ++i) add_tick_at(time_of(next_));
  }
  void add_tick_at(base::WallTime time) {
    model::Snapshot tick = wire::test_snapshot();
    tick.time = time;
    tick.devices[0].at(model::Metric::kPower) = model::Reading::of(next_++);
    ticks_->add(std::move(tick));
  }
  static ReadSample sample_of(int number) {
    return {time_of(number).time_since_epoch() / milliseconds{1}, number / 1000.0};
  }
  static std::vector<ReadSample> samples(int from, int to) {
    std::vector<ReadSample> all;
    for (int i = from; i < to; ++i) all.push_back(sample_of(i));
    return all;
  }

  void start() {
    auto writer = RemoteWriter::start(clock_, options_, {},
                                      std::make_unique<FakeTickReader>(ticks_), limits_);
    ASSERT_TRUE(writer) << writer.error().message;
    writer_ = std::move(*writer);
  }
  // Lets time pass until it is so.
  void wait_until(const std::function<bool()>& is_so, const char* what) {
    const auto end = std::chrono::steady_clock::now() + seconds{60};
    while (!is_so()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "in vain: " << what;
      clock_.advance(milliseconds{100});
      std::this_thread::sleep_for(milliseconds{1});
    }
  }
  void wait_until_sent(int ticks) {
    wait_until([&] { return receiver_.taken().size() >= static_cast<std::size_t>(ticks); },
               "ticks arrive");
    wait_until([&] { return writer_->status().pending_ticks == 0; }, "nothing is left");
  }

  std::string dir_;
  base::FakeClock clock_;
  Receiver receiver_;
  std::shared_ptr<FakeTicks> ticks_ = std::make_shared<FakeTicks>();
  int next_ = 0;
  RemoteWriteOptions options_;
  RemoteWriteLimits limits_;
  std::unique_ptr<RemoteWriter> writer_;
};

TEST_F(RemoteWriterTest, SendsEveryTickInOrderAndOnce) {
  begin_at_first_tick();
  limits_.max_samples = 2000;
  add_ticks(200);
  start();
  wait_until_sent(200);
  add_ticks(100);
  wait_until_sent(300);
  EXPECT_EQ(receiver_.taken(), samples(0, 300));
  EXPECT_GT(receiver_.requests(), 5);
  const RemoteWriteStatus status = writer_->status();
  EXPECT_FALSE(status.failing);
  EXPECT_GT(status.sent_samples, 300U * 50);
  EXPECT_EQ(status.requests, static_cast<std::uint64_t>(receiver_.requests()));
  EXPECT_EQ(status.failed_requests + status.refused_samples + status.lost_ticks, 0U);
  EXPECT_EQ(status.newest, time_of(299));
  EXPECT_EQ(status.lag.count(), 0);
}

TEST_F(RemoteWriterTest, SpeaksTheProtocol) {
  begin_at_first_tick();
  add_ticks(1);
  start();
  wait_until_sent(1);
  const std::string head = receiver_.last_head();
  EXPECT_THAT(head, testing::StartsWith("POST /api/v1/write HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Type: application/x-protobuf\r\n"));
  EXPECT_THAT(head, HasSubstr("Content-Encoding: snappy\r\n"));
  EXPECT_THAT(head, HasSubstr("X-Prometheus-Remote-Write-Version: 0.1.0\r\n"));
  EXPECT_THAT(head, HasSubstr("User-Agent: gpuscope"));
  EXPECT_THAT(head, testing::Not(HasSubstr("Authorization")));
}

TEST_F(RemoteWriterTest, BeginsWithWhatIsReadFromNowOn) {
  add_ticks(50);
  start();
  wait_until([&] { return saved().sent == model::TickPosition{1, 50}; }, "it has begun");
  add_ticks(1);
  wait_until_sent(1);
  EXPECT_EQ(receiver_.taken(), samples(50, 51));
}

TEST_F(RemoteWriterTest, BeginsWithWhatIsKeptWhereItIsToldTo) {
  add_ticks(50);
  options_.from_start = true;
  start();
  wait_until_sent(50);
  EXPECT_EQ(receiver_.taken(), samples(0, 50));
  // Once: it knows where it was.
  writer_.reset();
  add_ticks(1);
  start();
  wait_until_sent(51);
  EXPECT_EQ(receiver_.taken(), samples(0, 51));
}

TEST_F(RemoteWriterTest, AsksSeldomAtADoorThatIsShut) {
  begin_at_first_tick();
  receiver_.script([](int) { return ScriptedAnswer::status(403); });
  add_ticks(1);
  start();
  const auto begin = clock_.steady_now();
  wait_until([&] { return clock_.steady_now() - begin > seconds{300}; }, "five minutes");
  EXPECT_GE(receiver_.requests(), 2);
  EXPECT_LE(receiver_.requests(), 11);
  EXPECT_EQ(writer_->status().pending_ticks, 1U);
  EXPECT_EQ(writer_->status().refused_samples, 0U);
}

TEST_F(RemoteWriterTest, ProvesWhoItIs) {
  begin_at_first_tick();
  options_.user = "me";
  options_.password.text = "pass";
  options_.headers.file = dir_ + "/headers";
  std::ofstream(options_.headers.file) << "X-Scope-OrgID: gpus\r\n\nX-Two:  2 \n";
  add_ticks(1);
  start();
  wait_until_sent(1);
  EXPECT_THAT(receiver_.last_head(), HasSubstr("Authorization: Basic bWU6cGFzcw==\r\n"));
  EXPECT_THAT(receiver_.last_head(), HasSubstr("X-Scope-OrgID: gpus\r\n"));
  EXPECT_THAT(receiver_.last_head(), HasSubstr("X-Two: 2\r\n"));
}

// 401 is no reason to give samples up, and a new token is taken as soon as it is there.
TEST_F(RemoteWriterTest, WaitsForATokenThatIsWelcome) {
  begin_at_first_tick();
  options_.token.file = dir_ + "/token";
  receiver_.script([](int) { return ScriptedAnswer::status(401, "", "who are you?"); });
  add_ticks(2);
  start();
  wait_until([&] { return writer_->status().failing; }, "the token is missing");
  EXPECT_THAT(writer_->status().error.message, HasSubstr(dir_ + "/token"));
  EXPECT_EQ(receiver_.requests(), 0);
  std::ofstream(options_.token.file) << "old\n";
  wait_until([&] { return receiver_.requests() > 2; }, "it tries again");
  EXPECT_THAT(receiver_.last_head(), HasSubstr("Authorization: Bearer old\r\n"));
  wait_until([&] { return writer_->status().error.message.find("401") != std::string::npos; },
             "it says so");
  EXPECT_THAT(writer_->status().error.message, HasSubstr("answers 401: who are you?; see to"));
  std::ofstream(options_.token.file) << "new\n";
  receiver_.script(nullptr);
  wait_until_sent(2);
  EXPECT_THAT(receiver_.last_head(), HasSubstr("Authorization: Bearer new\r\n"));
  EXPECT_EQ(receiver_.taken(), samples(0, 2));
  EXPECT_EQ(writer_->status().refused_samples, 0U);
  EXPECT_FALSE(writer_->status().failing);
}

TEST_F(RemoteWriterTest, LosesNothingWhateverTheServerDoes) {
  begin_at_first_tick();
  using Then = ScriptedAnswer::Then;
  limits_.request_timeout = milliseconds{300};
  limits_.max_samples = 3000;
  const ScriptedAnswer bad[] = {
      ScriptedAnswer::status(500, "", "oops"),
      ScriptedAnswer::status(503, "Retry-After: 1\r\n"),
      ScriptedAnswer::status(429, "Retry-After: nonsense\r\n"),
      ScriptedAnswer::status(307, "Location: http://127.0.0.1:1/\r\n"),
      {"", Then::kClose},
      {"HTTP/1.1 204 No Con", Then::kClose},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Then::kClose},
      {"", Then::kHang},
      ScriptedAnswer::status(500, "", std::string(1'000'000, 'x')),
  };
  receiver_.script([&](int request) {
    // Each one before a good one.
    const std::size_t at = static_cast<std::size_t>(request) / 2;
    return request % 2 == 0 && at < std::size(bad) ? bad[at] : ScriptedAnswer::status(204);
  });
  add_ticks(500);
  start();
  wait_until_sent(500);
  EXPECT_EQ(receiver_.taken(), samples(0, 500));
  // libcurl itself tries again where a connection ends that it had kept.
  EXPECT_GE(writer_->status().failed_requests, std::size(bad) - 2);
  EXPECT_EQ(writer_->status().lost_ticks + writer_->status().refused_samples, 0U);
}

TEST_F(RemoteWriterTest, WaitsAsLongAsTheServerAsks) {
  begin_at_first_tick();
  receiver_.script([](int request) {
    return request == 0 ? ScriptedAnswer::status(429, "Retry-After: 120\r\n")
                        : ScriptedAnswer::status(204);
  });
  add_ticks(1);
  start();
  const auto begin = clock_.steady_now();
  wait_until([&] { return writer_->status().failed_requests == 1; }, "it is turned away");
  wait_until_sent(1);
  EXPECT_GE(clock_.steady_now() - begin, seconds{120});
  EXPECT_LT(clock_.steady_now() - begin, seconds{600});
}

TEST_F(RemoteWriterTest, TriesEverMoreSeldom) {
  begin_at_first_tick();
  receiver_.script([](int) { return ScriptedAnswer::status(500); });
  add_ticks(1);
  start();
  const auto begin = clock_.steady_now();
  wait_until([&] { return clock_.steady_now() - begin > seconds{300}; }, "five minutes");
  // 0.5, 1, 2, … 30 s, at least half of each.
  EXPECT_GE(receiver_.requests(), 8);
  EXPECT_LE(receiver_.requests(), 30);
  EXPECT_EQ(writer_->status().pending_ticks, 1U);
  EXPECT_GE(writer_->status().lag, seconds{300});
}

TEST_F(RemoteWriterTest, GivesUpWhatTheServerWillNeverTake) {
  begin_at_first_tick();
  limits_.max_ticks = 10;
  receiver_.script([](int request) {
    return request == 1 ? ScriptedAnswer::status(400, "", "out of bounds")
                        : ScriptedAnswer::status(204);
  });
  add_ticks(30);
  start();
  wait_until_sent(20);
  auto expected = samples(0, 10);
  const auto last = samples(20, 30);
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(receiver_.taken(), expected);
  EXPECT_EQ(receiver_.requests(), 3) << "and does not ask again";
  EXPECT_GT(writer_->status().refused_samples, 10U);
  EXPECT_EQ(writer_->status().failed_requests, 0U);
}

TEST_F(RemoteWriterTest, GoesOnWhereItWasStopped) {
  begin_at_first_tick();
  for (int run = 1; run <= 5; ++run) {
    add_ticks(20);
    start();
    wait_until_sent(20 * run);
    writer_->stop();
    EXPECT_EQ(saved().sent, (model::TickPosition{1, static_cast<std::uint64_t>(20 * run)}));
    EXPECT_EQ(saved().sending, std::nullopt);
  }
  EXPECT_EQ(receiver_.taken(), samples(0, 100));
  EXPECT_EQ(writer_->status().newest, time_of(99));
}

// A server that had taken a batch takes it as known when it comes again, but not half of another.
TEST_F(RemoteWriterTest, SendsTheSameBatchAgainAfterACrash) {
  begin_at_first_tick();
  receiver_.script([](int request) {
    return request == 0 ? ScriptedAnswer::status(204)
                        : ScriptedAnswer{"", ScriptedAnswer::Then::kHang};
  });
  add_ticks(5);
  start();
  wait_until_sent(5);
  add_ticks(5);
  wait_until([&] { return receiver_.requests() == 2; }, "a batch is on its way");
  writer_->stop();  // leaves behind what a crash would
  EXPECT_EQ(saved().sent, (model::TickPosition{1, 5}));
  EXPECT_EQ(saved().sending, (model::TickPosition{1, 10}));
  add_ticks(5);
  receiver_.script(nullptr);
  start();
  wait_until_sent(15);
  EXPECT_EQ(receiver_.taken(), samples(0, 15));
  const auto asked = receiver_.asked();
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(asked[2], samples(5, 10));
  EXPECT_EQ(asked[3], samples(10, 15));
}

TEST_F(RemoteWriterTest, KnowsAfterARestartWhichSeriesThereWere) {
  begin_at_first_tick();
  add_ticks(3);
  start();
  wait_until_sent(3);
  writer_->stop();
  model::Snapshot tick = wire::test_snapshot();
  tick.time = time_of(3);
  tick.devices[0].at(model::Metric::kPower) = model::Reading::none(model::Absence::kGone);
  ticks_->add(std::move(tick));
  start();
  wait_until_sent(4);
  EXPECT_EQ(receiver_.taken().back(), (ReadSample{sample_of(3).time_ms, stale_marker()}));
}

TEST_F(RemoteWriterTest, CountsWhatWasRemovedBeforeItWasSent) {
  begin_at_first_tick();
  limits_.max_ticks = 10;
  receiver_.script([](int request) { return ScriptedAnswer::status(request == 0 ? 204 : 500); });
  add_ticks(100);
  start();
  wait_until([&] { return writer_->status().failing; }, "the server is down");
  EXPECT_EQ(writer_->status().pending_ticks, 90U);
  ticks_->remove(40);
  wait_until([&] { return writer_->status().lost_ticks == 20; }, "the loss is told of at once");
  receiver_.script(nullptr);
  wait_until_sent(80);
  auto expected = samples(0, 20);  // the batch under way is not lost
  const auto last = samples(40, 100);
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(receiver_.taken(), expected);
}

TEST_F(RemoteWriterTest, SendsNothingOutOfOrderWhenAClockGoesBack) {
  begin_at_first_tick();
  add_ticks(10);
  add_tick_at(time_of(3));
  add_tick_at(time_of(9));
  add_tick_at(time_of(10));
  start();
  wait_until_sent(11);
  auto expected = samples(0, 10);
  expected.push_back({sample_of(10).time_ms, 0.012});
  EXPECT_EQ(receiver_.taken(), expected);
  EXPECT_EQ(writer_->status().disordered_ticks, 2U);
}

TEST_F(RemoteWriterTest, ForgetsAClockThatWasWrong) {
  begin_at_first_tick();
  add_tick_at(clock_.wall_now() + std::chrono::hours{24 * 365});
  start();
  wait_until_sent(1);
  add_tick_at(clock_.wall_now());
  add_tick_at(clock_.wall_now() + seconds{1});
  wait_until_sent(3);
  EXPECT_EQ(writer_->status().disordered_ticks, 0U);
}

TEST_F(RemoteWriterTest, SendsOneTickAnInterval) {
  begin_at_first_tick();
  options_.interval = seconds{15};
  add_ticks(60);
  start();
  wait_until_sent(4);
  writer_->stop();
  add_ticks(60);
  start();
  wait_until_sent(8);
  // 1,780,000,000 is 10 s behind a multiple of 15.
  std::vector<ReadSample> expected;
  for (const int number : {0, 5, 20, 35, 50, 65, 80, 95, 110})
    expected.push_back(sample_of(number));
  EXPECT_EQ(receiver_.taken(), expected);
}

TEST_F(RemoteWriterTest, BeginsAnewWithAnotherHistory) {
  {
    auto file = PositionFile::open(options_.position_file);
    ASSERT_TRUE(
        file->write({.sent = {1, 1000}, .newest = time_of(2), .sending = {{1, 1004}}}, true));
  }
  add_ticks(10);
  start();
  wait_until_sent(7);
  EXPECT_EQ(receiver_.taken(), samples(3, 10)) << "what was sent before is not sent again";
}

TEST_F(RemoteWriterTest, GoesOnFromNowOnWhenItsPositionIsDamaged) {
  std::ofstream(options_.position_file) << "nonsense";
  add_ticks(10);
  start();
  wait_until([&] { return saved().sent == model::TickPosition{1, 10}; }, "it has begun");
  add_ticks(1);
  wait_until_sent(1);
  EXPECT_EQ(receiver_.taken(), samples(10, 11));
}

TEST_F(RemoteWriterTest, PassesOverWhatIsDamagedInTheHistory) {
  begin_at_first_tick();
  add_ticks(10);
  ticks_->fail_once({ErrorKind::kInvalidArgument, "cannot read block 1: it is damaged"});
  start();
  wait_until_sent(10);
  EXPECT_EQ(receiver_.taken(), samples(0, 10));
  EXPECT_THAT(writer_->status().error.message, HasSubstr("block 1"));
  EXPECT_FALSE(writer_->status().failing);
}

TEST_F(RemoteWriterTest, EndsAtOnceWhileAServerHangs) {
  begin_at_first_tick();
  limits_.request_timeout = std::chrono::hours{1};
  receiver_.script([](int) { return ScriptedAnswer{"", ScriptedAnswer::Then::kHang}; });
  add_ticks(1);
  start();
  wait_until([&] { return receiver_.requests() == 1; }, "it waits for an answer");
  writer_->stop();  // would take the hour
  EXPECT_EQ(receiver_.taken().size(), 0U);
}

}  // namespace
}  // namespace gpuscope::prom

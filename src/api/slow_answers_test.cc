#include "api/slow_answers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <string>
#include <thread>

#include "base/fake_clock.h"

namespace gpuscope::api {
namespace {

using std::chrono::milliseconds;

// The work waits until the test lets it go.
class SlowAnswersTest : public testing::Test {
 protected:
  void start(SlowAnswersOptions options) {
    answers_.start(clock_, options, [this] { woken_.release(); });
  }
  std::optional<http::Response> ask(const std::string& key, milliseconds waited) {
    http::Request request;
    request.waited = waited;
    return answers_.answer(key, request, [&] {
      return [this, key](std::size_t) {
        begun_.release();
        go_.acquire();
        return http::text_response(200, "text/plain", key + " " + std::to_string(++made_));
      };
    });
  }
  // What came of it: the body, or the status of an error; empty: not yet.
  std::string outcome(const std::string& key, milliseconds waited) {
    const auto response = ask(key, waited);
    if (!response) return "";
    return response->status == 200 ? *response->body : std::to_string(response->status);
  }
  void TearDown() override {
    go_.release(100);
    answers_.stop();
  }

  base::FakeClock clock_;
  SlowAnswers answers_;
  std::atomic<int> made_{0};
  std::counting_semaphore<1000> begun_{0};
  std::counting_semaphore<1000> go_{0};
  std::counting_semaphore<1000> woken_{0};
};

TEST_F(SlowAnswersTest, AnswersOnceItIsWorkedOutAndWakes) {
  start({});
  EXPECT_FALSE(ask("a", milliseconds{0}));
  begun_.acquire();
  EXPECT_FALSE(ask("a", milliseconds{20}));
  go_.release();
  woken_.acquire();
  EXPECT_EQ(outcome("a", milliseconds{0}), "a 1") << "less than a millisecond may have passed";
}

TEST_F(SlowAnswersTest, SharesWhatIsUnderWayAndAsksAnewAfterwards) {
  start({.workers = 1});
  EXPECT_FALSE(ask("a", milliseconds{0}));
  EXPECT_FALSE(ask("a", milliseconds{0}));
  go_.release();
  woken_.acquire();
  EXPECT_EQ(outcome("a", milliseconds{5}), "a 1");
  EXPECT_EQ(outcome("a", milliseconds{5}), "a 1");
  EXPECT_FALSE(ask("a", milliseconds{0})) << "a later question gets a fresh answer";
  go_.release();
  woken_.acquire();
  EXPECT_EQ(outcome("a", milliseconds{5}), "a 2");
}

TEST_F(SlowAnswersTest, ForgetsWhatNobodyCollected) {
  start({.workers = 1});
  EXPECT_FALSE(ask("a", milliseconds{0}));
  go_.release();
  woken_.acquire();
  clock_.advance(milliseconds{1001});
  EXPECT_FALSE(ask("a", milliseconds{0}));
}

TEST_F(SlowAnswersTest, RefusesWhatIsTooMuchOrTakesTooLong) {
  start({.workers = 1, .queue = 1, .limit = milliseconds{100}});
  EXPECT_FALSE(ask("a", milliseconds{0}));
  begun_.acquire();
  EXPECT_FALSE(ask("b", milliseconds{0}));
  EXPECT_EQ(outcome("c", milliseconds{0}), "503");
  EXPECT_EQ(outcome("b", milliseconds{100}), "503");
}

TEST_F(SlowAnswersTest, RefusesWhenItIsStopped) {
  EXPECT_EQ(outcome("a", milliseconds{0}), "503") << "not started";
  start({});
  go_.release(10);
  answers_.stop();
  EXPECT_EQ(outcome("a", milliseconds{0}), "503");
}

}  // namespace
}  // namespace gpuscope::api

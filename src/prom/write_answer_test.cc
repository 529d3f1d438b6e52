#include "prom/write_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuscope::prom {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(WriteAnswer, TellsServersThatFailFromSamplesThatAreUnwelcome) {
  for (const int status : {200, 202, 204}) EXPECT_EQ(judge(status), Outcome::kTaken) << status;
  for (const int status : {400, 402, 409, 413, 415, 422, 499}) {
    EXPECT_EQ(judge(status), Outcome::kNever) << status;
  }
  for (const int status :
       {0, 101, 301, 307, 401, 403, 404, 405, 407, 408, 429, 500, 502, 503, 599, 600}) {
    EXPECT_EQ(judge(status), Outcome::kLater) << status;
  }
}

TEST(WriteAnswer, ReadsRetryAfter) {
  // 2026-11-22T09:24:42Z, a Sunday.
  const base::WallTime now{seconds{1'795'339'482}};
  EXPECT_EQ(parse_retry_after("0", now), milliseconds{0});
  EXPECT_EQ(parse_retry_after("120", now), seconds{120});
  EXPECT_EQ(parse_retry_after("9000000000000000000", now), seconds{1'000'000'000});
  EXPECT_EQ(parse_retry_after("Sun, 22 Nov 2026 09:25:00 GMT", now), seconds{18});
  EXPECT_EQ(parse_retry_after("Sun, 22 Nov 2026 09:24:00 GMT", now), seconds{0});
  for (const char* bad : {"", "-1", "1s", "1.5", "99999999999999999999", "soon",
                          "Sun, 31 Feb 2026 09:25:00 GMT", "Sun, 22 Xyz 2026 09:25:00 GMT",
                          "Sun, 22 ovD 2026 09:25:00 GMT", "Sunday, 22-Nov-26 09:25:00 GMT"}) {
    EXPECT_EQ(parse_retry_after(bad, now), std::nullopt) << bad;
  }
}

TEST(WriteAnswer, IsToldInOneLineWithTheCure) {
  EXPECT_EQ(answer_error("http://h:1", 500, "", ""), "cannot write to http://h:1: it answers 500");
  EXPECT_EQ(answer_error("http://h:1", 400, "", "out of\n\x1b[31m  order\xff sample.\n"),
            "cannot write to http://h:1: it answers 400: out of [31m order sample");
  EXPECT_THAT(answer_error("http://h:1", 401, "", "no"), HasSubstr("token"));
  EXPECT_THAT(answer_error("http://h:1", 404, "", "no"), HasSubstr("path in the URL"));
  EXPECT_THAT(answer_error("http://h:1", 308, "https://h/x", ""),
              HasSubstr("points to https://h/x: name that as the URL"));
  EXPECT_LT(answer_error("http://h:1", 500, "", std::string(5000, 'x')).size(), 300U);
}

}  // namespace
}  // namespace gpuscope::prom

#include "prom/write_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gpuscope::prom {
namespace {

using testing::HasSubstr;

TEST(WriteAnswer, TellsServersThatFailFromSamplesThatAreUnwelcome) {
  for (const int status : {200, 202, 204}) EXPECT_EQ(judge(status), Outcome::kTaken) << status;
  for (const int status : {400, 402, 409, 413, 415, 422, 499}) {
    EXPECT_EQ(judge(status), Outcome::kNever) << status;
  }
  for (const int status : {0, 101, 301, 307, 408, 429, 500, 502, 503, 599, 600}) {
    EXPECT_EQ(judge(status), Outcome::kLater) << status;
  }
  for (const int status : {401, 403, 404, 405, 407}) {
    EXPECT_EQ(judge(status), Outcome::kShut) << status;
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

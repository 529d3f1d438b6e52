// The table-valued function in the shell that people have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "history/history_testing.h"

namespace gpuscope::history {
namespace {

using model::Metric;
using std::chrono::seconds;
using testing::HasSubstr;

class TicksExtension : public StoreFixture {
 protected:
  void SetUp() override {
    if (std::system("command -v sqlite3 >/dev/null") != 0) GTEST_SKIP() << "sqlite3 is not there";
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "a thread sanitizer cannot be loaded into another program";
#endif
  }
  // What the shell says to these lines, errors among it.
  std::string shell(const std::string& sql) {
    const std::string script = folder_ / "script";
    std::ofstream(script) << ".load " GPUSCOPE_HISTORY_EXTENSION "\n" << sql << "\n";
    // The shell needs the sanitizer that its extension is built with.
    const std::string command = "LD_PRELOAD='" GPUSCOPE_SANITIZER_RUNTIME
                                "' ASAN_OPTIONS=detect_leaks=0 sqlite3 -batch -readonly '" +
                                options_.path + "' <'" + script + "' 2>&1";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
    std::string text;
    for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
    return text;
  }
};

TEST_F(TicksExtension, GivesEveryTickOfBlocksAndTail) {
  append_ticks(kHour - seconds{50}, 101);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(shell("SELECT count(*), min(time), max(time) FROM ticks('GPU-1', 'energy_joules');"),
            "101|1780001950000000|1780002050000000\n");
  double sum = 0;
  std::size_t present = 0;
  for (int i = 0; i < 101; ++i) {
    const auto reading = test_reading(0, Metric::kPower, kHour - seconds{50} + seconds{i});
    sum += reading.present() ? static_cast<double>(reading.value) / 1000 : 0;
    present += reading.present() ? 1U : 0U;
  }
  EXPECT_EQ(shell("SELECT count(value), count(absence), abs(sum(value) - " + std::to_string(sum) +
                  ") < 0.01 FROM ticks('GPU-0', 'power_watts');"),
            std::to_string(present) + "|" + std::to_string(101 - present) +
                (present > 0 ? "|1\n" : "|\n"));
  EXPECT_EQ(shell("SELECT timestamp, time FROM ticks WHERE gpu='GPU-0' AND metric='power_watts'"
                  " AND time >= 1780001999000000 AND time < 1780002001000000 ORDER BY time;"),
            "2026-05-28T20:59:59.000000+00:00|1780001999000000\n"
            "2026-05-28T21:00:00.000000+00:00|1780002000000000\n");
  EXPECT_EQ(shell("SELECT uuid, count(*) FROM gpu_info, ticks(uuid, 'power_watts') GROUP BY 1;"),
            "GPU-0|101\nGPU-1|101\n");
}

TEST_F(TicksExtension, SaysWhatIsMissing) {
  append_ticks(kHour, 20);
  ASSERT_TRUE(store().commit());
  EXPECT_EQ(shell("SELECT count(*) FROM ticks('GPU-9', 'power_watts');"), "0\n");
  EXPECT_EQ(shell("SELECT count(*) FROM ticks('GPU-0', 'power_watts', 3);"), "0\n");
  EXPECT_THAT(shell("SELECT count(*) FROM ticks('GPU-0', 'power');"),
              HasSubstr("there is no metric power"));
  EXPECT_THAT(shell("SELECT count(*) FROM ticks;"), HasSubstr("name a GPU and a metric"));
  // Nothing that is stored refers to it: the file opens without the extension.
  EXPECT_EQ(query("SELECT count(*) FROM sqlite_master WHERE sql LIKE '%ticks(%'"), "0");
}

}  // namespace
}  // namespace gpuscope::history

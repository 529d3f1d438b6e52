#include "api/process_stats.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace gpuscope::api {
namespace {

using std::chrono::milliseconds;

class ProcessStats : public testing::Test {
 protected:
  ProcessStats()
      : root_(std::filesystem::path(testing::TempDir()) / ("proc-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(root_ / "self" / "fd");
  }
  ~ProcessStats() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }

  std::filesystem::path root_;
};

TEST_F(ProcessStats, ReadWhatTheKernelWrites) {
  const std::int64_t hertz = sysconf(_SC_CLK_TCK);
  write("self/stat", "42 (a) name (b)) S 1 42 42 0 -1 4194560 1 2 3 4 " +
                         std::to_string(2 * hertz) + " " + std::to_string(hertz) +
                         " 0 0 20 0 7 0 " + std::to_string(5 * hertz) +
                         " 8192000 25 18446744073709551615 1 1\n");
  write("stat", "cpu 1 2 3\nintr 5 btime 9\nbtime 1780000000\nprocesses 5\n");
  write("self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 524288               files     \n");
  write("self/fd/0", "");
  write("self/fd/1", "");
  const wire::ProcessMetrics stats = read_process_stats(root_.string());
  EXPECT_EQ(stats.cpu, milliseconds{3000});
  EXPECT_EQ(stats.threads, 7);
  EXPECT_EQ(stats.virtual_bytes, 8'192'000);
  EXPECT_EQ(stats.resident_bytes, 25 * sysconf(_SC_PAGESIZE));
  EXPECT_EQ(stats.start, milliseconds{1'780'000'005'000});
  EXPECT_EQ(stats.max_fds, 1024);
  EXPECT_EQ(stats.open_fds, 2);
}

TEST_F(ProcessStats, WhatCannotBeReadIsAbsent) {
  const wire::ProcessMetrics none = read_process_stats((root_ / "nowhere").string());
  EXPECT_FALSE(none.cpu || none.threads || none.start || none.open_fds || none.max_fds);
  write("self/stat", "42 (name) S 1");
  write("self/limits",
        "Max open files            unlimited            unlimited            files\n");
  const wire::ProcessMetrics cut = read_process_stats(root_.string());
  EXPECT_FALSE(cut.cpu || cut.threads || cut.resident_bytes || cut.start || cut.max_fds);
}

TEST_F(ProcessStats, AgreeWithThisProcess) {
  const wire::ProcessMetrics stats = read_process_stats("/proc");
  const std::int64_t resident = stats.resident_bytes.value_or(0);
  EXPECT_GT(resident, 1'000'000);
  EXPECT_GE(stats.virtual_bytes.value_or(0), resident);
  EXPECT_GE(stats.open_fds.value_or(0), 3);
  const auto since = std::chrono::system_clock::now().time_since_epoch() -
                     stats.start.value_or(std::chrono::milliseconds{0});
  EXPECT_GT(since, std::chrono::seconds{-2});
  EXPECT_LT(since, std::chrono::hours{1});
}

}  // namespace
}  // namespace gpuscope::api

// The source over real children: our stand-ins for the tools, broken while they are used.
#include "device/smi/smi_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "base/allocation_count.h"
#include "base/clock.h"
#include "base/subprocess.h"
#include "base/temporary_folder.h"

namespace gpuscope::device::smi {
namespace {

using base::ErrorKind;
using model::Absence;
using model::DeviceSample;
using model::Fact;
using model::Health;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr seconds kPatience{60};

class SmiSource : public testing::Test {
 protected:
  SmiSource() {
    set("GPUSCOPE_SIM_TOOL_FAULTS_FILE", folder_ / "faults");
    options_.nvidia_smi = SIMULATED_NVIDIA_SMI;
    options_.dcgmi = "/nonexistent/dcgmi";
    options_.interval = milliseconds{100};
    options_.shortest_refresh = milliseconds{100};
    options_.longest_refresh = milliseconds{300};
    options_.shortest_patience = milliseconds{1500};
    options_.tool_timeout = milliseconds{3000};
    options_.dcgmi_timeout = milliseconds{3000};
    options_.dcgmi_interval = milliseconds{200};
    options_.root = folder_.path();
  }
  ~SmiSource() override {
    source_.reset();
    for (const auto& name : variables_) unsetenv(name.c_str());
  }

  void set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    variables_.insert(name);
  }
  // From here on, in every run of a tool; whole at once.
  void break_with(const std::string& faults) {
    std::ofstream(folder_ / "draft") << faults;
    std::filesystem::rename(folder_ / "draft", folder_ / "faults");
  }

  base::Result<std::shared_ptr<const model::Inventory>> open() {
    source_ = make_smi_source(options_, clock_);
    return source_->open();
  }
  const DeviceSample& read(std::size_t gpu = 0) {
    source_->read(gpu, clock_.wall_now(), out_);
    return out_;
  }
  Reading at(Metric metric, std::size_t gpu = 0) { return read(gpu).at(metric); }

  model::SourceVerdict verdict(std::size_t gpu = 0) {
    return read(gpu).source_verdict.value_or(
        model::SourceVerdict{Health::kUnknown, "no verdict at all"});
  }
  std::string trouble() const { return source_->trouble().value_or(base::Error{}).message; }

  template <typename Condition>
  bool eventually(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) {
        ADD_FAILURE() << "what was waited for never came; trouble: " << trouble();
        return false;
      }
      std::this_thread::sleep_for(milliseconds{10});
    }
    return true;
  }
  bool trouble_says(const std::string& text) const { return trouble().contains(text); }

  const base::TemporaryFolder folder_;
  std::set<std::string> variables_;
  base::SystemClock clock_;
  Options options_;
  std::unique_ptr<model::Source> source_;
  DeviceSample out_;
};

TEST_F(SmiSource, AnOpenEndsWhenItIsToldTo) {
  options_.tool_timeout = std::chrono::hours{1};
  break_with("nvidia-smi=hang");
  source_ = make_smi_source(options_, clock_);
  base::Result<std::shared_ptr<const model::Inventory>> inventory;
  std::thread opener([&] { inventory = source_->open(); });
  source_->interrupt();  // at any time: also before
  opener.join();
  ASSERT_FALSE(inventory);
  EXPECT_THAT(inventory.error().message, HasSubstr("interrupted"));
  EXPECT_FALSE(source_->open()) << "for good";
}

TEST_F(SmiSource, KnowsEveryGpuAfterOneOpen) {
  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  EXPECT_EQ((*inventory)->method, "smi");
  EXPECT_TRUE((*inventory)->simulated);
  ASSERT_EQ((*inventory)->gpus.size(), 3U);
  const model::GpuInfo& gpu = (*inventory)->gpus[1];
  EXPECT_EQ(gpu.name(), "SIM-RTX3080");
  EXPECT_EQ(gpu.uuid(), "GPU-1b2c3d4e-5f6a-7b8c-9d0e-112233445566");
  EXPECT_TRUE(gpu.fact(Fact::kComputeCapability).present());
  EXPECT_FALSE(source_->devices_may_block());
  EXPECT_FALSE(source_->lost());
  EXPECT_FALSE(source_->trouble());
  EXPECT_TRUE(at(Metric::kTemperature, 1).present());
  EXPECT_TRUE(at(Metric::kPower, 2).present());
  EXPECT_FALSE(read().source_verdict);
}

TEST_F(SmiSource, FollowsTheLoopFromTheSecondTickOn) {
  options_.shortest_refresh = options_.longest_refresh = seconds{60};
  ASSERT_TRUE(open());
  std::set<std::int64_t> seen;
  eventually([&] {
    const Reading power = at(Metric::kPower);
    if (power.present()) seen.insert(power.value);
    return seen.size() >= 3;
  });
  EXPECT_FALSE(source_->trouble());
}

TEST_F(SmiSource, ReadsTheDocumentAgainAndAgain) {
  ASSERT_TRUE(open());
  std::set<std::int64_t> seen;  // only the document has it
  eventually([&] {
    const Reading sent = at(Metric::kPcieTx);
    if (sent.present()) seen.insert(sent.value);
    return seen.size() >= 3;
  });
}

TEST_F(SmiSource, AllocatesNothingInASteadyTick) {
  set("GPUSCOPE_SIM_TIME", "2026-05-01T12:00:00Z");
  ASSERT_TRUE(open());
  for (int i = 0; i < 10; ++i) read();
  eventually([&] { return at(Metric::kPower).present(); });
  const std::size_t before = base::thread_allocation_count();
  for (int i = 0; i < 100; ++i) read();
  EXPECT_EQ(base::thread_allocation_count() - before, 0U);
}

TEST_F(SmiSource, MarksAGpuThatVanishedAndAsksForAnOpenWhenOneCame) {
  set("GPUSCOPE_SIM_GPUS", "4");
  break_with("nvidia-smi=gpus:3");
  ASSERT_TRUE(open());
  break_with("nvidia-smi=gpus:2");
  eventually([&] { return at(Metric::kTemperature, 2).absence == Absence::kGone; });
  EXPECT_TRUE(at(Metric::kTemperature, 0).present());
  EXPECT_TRUE(at(Metric::kMinorNumber, 2).present());
  EXPECT_FALSE(source_->lost());
  break_with("");
  eventually([&] { return source_->lost(); });
  const auto inventory = source_->open();
  ASSERT_TRUE(inventory);
  EXPECT_EQ((*inventory)->gpus.size(), 4U);
  EXPECT_FALSE(source_->lost());
}

TEST_F(SmiSource, OneLostGpuDoesNotHideTheOthers) {
  ASSERT_TRUE(open());
  break_with("nvidia-smi=lost:1");
  eventually([&] { return at(Metric::kTemperature, 1).absence == Absence::kGone; });
  // The loop is started again without it.
  eventually([&] {
    return at(Metric::kTemperature, 0).present() && at(Metric::kTemperature, 2).present() &&
           !source_->trouble();
  });
  EXPECT_EQ(at(Metric::kTemperature, 1).absence, Absence::kGone);
  EXPECT_FALSE(source_->lost());
  break_with("");
  eventually([&] { return at(Metric::kTemperature, 1).present(); });
}

TEST_F(SmiSource, OpensBesideALostGpuWhereTheKernelNamesThem) {
  for (const char* id : {"0000:01:00.0", "0000:02:00.0", "0000:03:00.0"}) {
    std::filesystem::create_directories(folder_ / "proc/driver/nvidia/gpus/" + id);
  }
  break_with("nvidia-smi=lost:1");
  const auto inventory = open();
  ASSERT_TRUE(inventory) << inventory.error().message;
  ASSERT_EQ((*inventory)->gpus.size(), 3U);
  EXPECT_EQ((*inventory)->gpus[0].name(), "SIM-RTX4090");
  EXPECT_EQ((*inventory)->gpus[1].fact(Fact::kName).absence, Absence::kGone);
  EXPECT_EQ((*inventory)->gpus[1].fact(Fact::kPciBusId).value, "00000000:02:00.0");
  EXPECT_EQ(at(Metric::kTemperature, 1).absence, Absence::kGone);
  EXPECT_TRUE(at(Metric::kTemperature, 2).present());
}

TEST_F(SmiSource, SaysWhatIsWrongWithTheDriver) {
  break_with("nvidia-smi=mismatch");
  auto inventory = open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(inventory.error().message, HasSubstr("differ in version"));
  break_with("");
  ASSERT_TRUE(open());
  break_with("nvidia-smi=not_loaded");
  eventually([&] { return source_->lost(); });
  inventory = source_->open();
  ASSERT_FALSE(inventory);
  EXPECT_THAT(inventory.error().message, HasSubstr("modprobe nvidia"));
}

struct Broken {
  const char* fault;
  const char* words;  // of the trouble
};

class WhenBroken : public SmiSource, public testing::WithParamInterface<Broken> {};

// The document fails: its values end when they are too old, the loop's go on, and all is well once
// the tool is.
TEST_P(WhenBroken, TheDocumentIsMissedAndPickedUpAgain) {
  options_.tool_timeout = milliseconds{1500};
  ASSERT_TRUE(open());
  break_with(std::string("xml=") + GetParam().fault);
  eventually([&] { return trouble_says(GetParam().words); });
  eventually([&] { return at(Metric::kPcieTx).absence == Absence::kTimedOut; });
  eventually([&] { return at(Metric::kTemperature).present(); });
  EXPECT_TRUE(at(Metric::kMinorNumber).present());
  EXPECT_FALSE(source_->lost());
  break_with("");
  eventually([&] { return at(Metric::kPcieTx).present() && !source_->trouble(); });
}

// The loop fails: its values are taken from newer documents, and all is well once the tool is.
TEST_P(WhenBroken, TheLoopIsMissedAndStartedAgain) {
  options_.tool_timeout = milliseconds{1500};
  ASSERT_TRUE(open());
  read();
  std::this_thread::sleep_for(milliseconds{1});
  read();  // the second tick starts the loop
  break_with(std::string("query=") + GetParam().fault);
  eventually([&] { return trouble_says("nvidia-smi"); });
  eventually([&] { return at(Metric::kTemperature).present(); });
  break_with("");
  eventually([&] { return !source_->trouble() && at(Metric::kTemperature).present(); });
}

INSTANTIATE_TEST_SUITE_P(Tools, WhenBroken,
                         testing::Values(Broken{"hang", "did not end within 1500 ms"},
                                         Broken{"flood", "wrote more than"},
                                         Broken{"binary", "cannot understand"},
                                         Broken{"signal:11", "signal 11"},
                                         Broken{"exit:3", "status 3"},
                                         Broken{"cut:40", "cannot understand"}),
                         [](const auto& of) {
                           std::string name = of.param.fault;
                           return name.substr(0, name.find(':'));
                         });

TEST_F(SmiSource, ALoopThatVanishesIsStartedAgain) {
  options_.shortest_refresh = options_.longest_refresh = seconds{60};
  ASSERT_TRUE(open());
  break_with("query=vanish");
  eventually([&] { return at(Metric::kPower).present() && trouble_says("ended with status 0"); });
  break_with("");
  eventually([&] { return !source_->trouble(); });
}

TEST_F(SmiSource, AGpuThatNeedsAResetSaysSo) {
  ASSERT_TRUE(open());
  break_with("query=reset:1");
  eventually([&] { return at(Metric::kRecoveryAction, 1) == Reading::of(1); });
  EXPECT_EQ(at(Metric::kMemoryUsed, 1), Reading::none(Absence::kFailed));
  EXPECT_TRUE(at(Metric::kMemoryUsed, 0).present());
}

TEST_F(SmiSource, SkipsAWarningInFrontOfTheDocument) {
  break_with("nvidia-smi=junk");
  ASSERT_TRUE(open());
  EXPECT_TRUE(at(Metric::kTemperature).present());
}

TEST_F(SmiSource, FindsTheNamesOfMigInstances) {
  set("GPUSCOPE_SIM_SCENARIO", "mig");
  ASSERT_TRUE(open());
  const DeviceSample& sample = read();
  ASSERT_EQ(sample.mig_instances.size(), 7U);
  for (const model::MigInstance& instance : sample.mig_instances) {
    EXPECT_EQ(instance.uuid.substr(0, 4), "MIG-");
    EXPECT_EQ(instance.profile.substr(0, 3), "1g.");
    EXPECT_TRUE(instance.row[model::column(Metric::kMigMemoryTotal)].present());
  }
}

TEST_F(SmiSource, CarriesTheVerdictOfDcgmiToTheRightGpu) {
  options_.dcgmi = SIMULATED_DCGMI;
  set("GPUSCOPE_SIM_SCENARIO", "ecc_failing");
  set("GPUSCOPE_SIM_GPUS", "4");
  ASSERT_TRUE(open());
  int failing = 0;
  for (std::size_t gpu = 0; gpu < 4; ++gpu) {
    const bool errors = at(Metric::kEccUncorrectedVolatile, gpu).value > 0;
    EXPECT_EQ(verdict(gpu).health, errors ? Health::kCritical : Health::kHealthy);
    EXPECT_EQ(verdict(gpu).text.substr(0, 13), errors ? "Memory system" : "");
    failing += errors ? 1 : 0;
  }
  EXPECT_GT(failing, 0);
  EXPECT_LT(failing, 4);
}

TEST_F(SmiSource, ARefusalOfDcgmiIsNoVerdictAndNoTrouble) {
  options_.dcgmi = SIMULATED_DCGMI;
  break_with("health=not_enabled");
  ASSERT_TRUE(open());
  EXPECT_EQ(verdict().health, Health::kUnknown);
  EXPECT_THAT(verdict().text, HasSubstr("Health watches not enabled"));
  EXPECT_FALSE(source_->trouble());
  break_with("");
  eventually([&] { return verdict().health == Health::kHealthy; });
}

TEST_F(SmiSource, ADcgmiThatBreaksIsToldAndGpusAreReadOn) {
  options_.dcgmi = SIMULATED_DCGMI;
  options_.dcgmi_timeout = milliseconds{5000};  // far more than it takes, also on a busy machine
  ASSERT_TRUE(open());
  for (const Broken& broken : {Broken{"hang", "did not end"}, Broken{"signal:9", "signal 9"},
                               Broken{"flood", "wrote more"}}) {
    break_with(std::string("dcgmi=") + broken.fault);
    eventually([&] { return trouble_says(broken.words) && trouble_says("dcgmi"); });
    EXPECT_EQ(verdict().health, Health::kUnknown);
    EXPECT_NE(verdict().text, "no verdict at all");
    EXPECT_TRUE(at(Metric::kTemperature).present());
    break_with("");
    eventually([&] { return !source_->trouble(); });
  }
}

TEST_F(SmiSource, EndsAtOnceWhileEveryToolHangs) {
  ASSERT_TRUE(open());
  eventually([&] { return at(Metric::kPower).present(); });
  options_.tool_timeout = seconds{60};
  break_with("*=hang");
  eventually([&] { return at(Metric::kPower).absence == Absence::kTimedOut; });
  const auto begun = std::chrono::steady_clock::now();
  source_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kPatience);
  EXPECT_EQ(base::unreaped_children(), 0U);
}

}  // namespace
}  // namespace gpuscope::device::smi

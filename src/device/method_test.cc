#include "device/method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_clock.h"
#include "device/auto_source.h"

namespace gpuscope::device {
namespace {

using base::ErrorKind;
using ::testing::HasSubstr;

// Opens when told to; says which one it is in the GPU's temperature.
class FakeSource final : public model::Source {
 public:
  struct State {
    bool opens = true;
    bool lost = false;
    bool interrupted = false;
    std::optional<base::Error> trouble;
    int opened = 0;
  };

  FakeSource(std::string method, int mark, std::shared_ptr<State> state)
      : method_(std::move(method)), mark_(mark), state_(std::move(state)) {}

  base::Result<std::shared_ptr<const model::Inventory>> open() override {
    ++state_->opened;
    if (!state_->opens) return base::fail(ErrorKind::kPermissionDenied, "cannot use " + method_);
    auto inventory = std::make_shared<model::Inventory>();
    inventory->method = method_;
    inventory->gpus.resize(1);
    return inventory;
  }
  bool devices_may_block() const override { return mark_ == 1; }
  void read(std::size_t /*device*/, base::WallTime /*tick*/, model::DeviceSample& out) override {
    out.at(model::Metric::kTemperature) = model::Reading::of(mark_);
  }
  bool lost() const override { return state_->lost; }
  void interrupt() override { state_->interrupted = true; }
  std::optional<base::Error> trouble() const override { return state_->trouble; }

 private:
  const std::string method_;
  const int mark_;
  const std::shared_ptr<State> state_;
};

struct Auto {
  Auto() {
    std::vector<Candidate> candidates;
    candidates.push_back({"one", std::make_unique<FakeSource>("one", 1, first)});
    candidates.push_back({"two", std::make_unique<FakeSource>("two", 2, second)});
    source = make_auto_source(std::move(candidates));
  }

  std::int64_t read() const {
    model::DeviceSample sample;
    source->read(0, {}, sample);
    return sample.at(model::Metric::kTemperature).value;
  }

  std::shared_ptr<FakeSource::State> first = std::make_shared<FakeSource::State>();
  std::shared_ptr<FakeSource::State> second = std::make_shared<FakeSource::State>();
  std::unique_ptr<model::Source> source;
};

TEST(Method, HasANameForEachWayAndAnOlderOneForSmi) {
  EXPECT_EQ(parse_method("nvml"), Method::kNvml);
  EXPECT_EQ(parse_method("smi"), Method::kSmi);
  EXPECT_EQ(parse_method("bash"), Method::kSmi);
  EXPECT_EQ(parse_method("sim"), Method::kSim);
  EXPECT_EQ(parse_method("auto"), Method::kAuto);
  EXPECT_EQ(parse_method("replay"), Method::kReplay);
  EXPECT_EQ(parse_method("NVML"), std::nullopt);
  EXPECT_EQ(parse_method(""), std::nullopt);
  for (const Method method : {Method::kNvml, Method::kSmi, Method::kSim, Method::kAuto}) {
    EXPECT_EQ(parse_method(method_name(method)), method);
  }
}

TEST(Method, RefusesAnUnknownNameWithThoseThatThereAre) {
  const base::FakeClock clock;
  const auto source = make_source("cuda", {}, clock);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_THAT(source.error().message, HasSubstr("'cuda'"));
  EXPECT_THAT(source.error().message, HasSubstr("nvml, smi, bash, sim, replay, auto"));
}

TEST(Method, ReplayNeedsARecording) {
  base::FakeClock clock;
  const auto source = make_source("replay", {}, clock);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, base::ErrorKind::kUnavailable);
  EXPECT_THAT(source.error().message, HasSubstr("--replay FILE"));
  DeviceOptions options;
  options.replay = replay::Options{.path = "/no/such/recording"};
  const auto opened = (*make_source("replay", options, clock))->open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, base::ErrorKind::kNotFound);
}

TEST(Method, SaysHowToFindTheCommandLineToolsWhereTheyAreMissing) {
  const base::FakeClock clock;
  DeviceOptions options;
  options.smi.nvidia_smi = "/nonexistent/nvidia-smi";
  const auto source = make_source("bash", options, clock);
  ASSERT_TRUE(source);
  const auto inventory = (*source)->open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(inventory.error().message, HasSubstr("cannot run /nonexistent/nvidia-smi"));
  EXPECT_THAT(inventory.error().message, HasSubstr("--nvidia-smi"));
}

TEST(Method, MakesASimulatedSource) {
  const base::FakeClock clock;
  const auto source = make_source("sim", {}, clock);
  ASSERT_TRUE(source);
  const auto inventory = (*source)->open();
  ASSERT_TRUE(inventory);
  EXPECT_EQ((*inventory)->method, "sim");
}

TEST(Method, AutoSaysWhatIsWrongWithEachWay) {
  const base::FakeClock clock;
  DeviceOptions options;
  options.nvml.library = "/nonexistent/libnvidia-ml.so.1";
  options.smi.nvidia_smi = "/nonexistent/nvidia-smi";
  const auto source = make_source("auto", options, clock);
  ASSERT_TRUE(source);
  const auto inventory = (*source)->open();
  ASSERT_FALSE(inventory);
  EXPECT_THAT(inventory.error().message, HasSubstr("cannot find any GPU: nvml: cannot load"));
  EXPECT_THAT(inventory.error().message, HasSubstr("; smi: cannot run"));
}

TEST(AutoSource, ReadsFromTheFirstThatOpens) {
  const Auto both;
  ASSERT_TRUE(both.source->open());
  EXPECT_EQ(both.read(), 1);
  EXPECT_TRUE(both.source->devices_may_block());
  EXPECT_EQ(both.second->opened, 0);
}

TEST(AutoSource, FallsBackAndTriesTheFirstAgainAtTheNextOpen) {
  const Auto both;
  both.first->opens = false;
  auto inventory = both.source->open();
  ASSERT_TRUE(inventory);
  EXPECT_EQ((*inventory)->method, "two");
  EXPECT_EQ(both.read(), 2);
  EXPECT_FALSE(both.source->devices_may_block());

  EXPECT_FALSE(both.source->lost());
  both.second->lost = true;
  EXPECT_TRUE(both.source->lost());
  both.first->opens = true;
  ASSERT_TRUE(both.source->open());
  EXPECT_EQ(both.read(), 1);
  EXPECT_FALSE(both.source->lost());
}

TEST(AutoSource, HasTheTroubleOfTheOneThatOpened) {
  const Auto both;
  both.second->trouble = base::Error{ErrorKind::kUnavailable, "cannot follow two"};
  EXPECT_EQ(both.source->trouble(), std::nullopt);
  ASSERT_TRUE(both.source->open());
  EXPECT_EQ(both.source->trouble(), std::nullopt);
  both.first->opens = false;
  ASSERT_TRUE(both.source->open());
  ASSERT_TRUE(both.source->trouble());
  EXPECT_EQ(both.source->trouble()->message, "cannot follow two");
}

TEST(AutoSource, InterruptsAllAndOpensNoneAfterwards) {
  const Auto both;
  both.source->interrupt();
  EXPECT_TRUE(both.first->interrupted);
  EXPECT_TRUE(both.second->interrupted);
  EXPECT_FALSE(both.source->open());
  EXPECT_EQ(both.first->opened + both.second->opened, 0);
}

TEST(AutoSource, ReportsEveryReasonWhenNoneOpens) {
  const Auto both;
  both.first->opens = false;
  both.second->opens = false;
  const auto inventory = both.source->open();
  ASSERT_FALSE(inventory);
  EXPECT_EQ(inventory.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(inventory.error().message,
            "cannot find any GPU: one: cannot use one; two: cannot use two");
  EXPECT_FALSE(both.source->lost());
}

}  // namespace
}  // namespace gpuscope::device

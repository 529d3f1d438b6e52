// XIDs, and what held the clocks between two ticks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string_view>
#include <thread>

#include "device/nvml/nvml_source_testing.h"

namespace gpuscope::device::nvml {
namespace {

using model::Event;
using model::EventKind;
using model::Metric;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NvmlEventsTest : public NvmlSourceTest {
 protected:
  // Ticks of one device until it has events.
  std::vector<Event> events_of(std::size_t device) {
    model::DeviceSample sample;
    do {
      time_ += seconds{1};
      source_->read(device, time_, sample);
      std::this_thread::yield();
    } while (sample.events.empty());
    return sample.events;
  }
};

TEST_F(NvmlEventsTest, AnXidComesWithTheNextTickOfItsGpu) {
  fake_.devices = 2;
  ASSERT_TRUE(open());
  EXPECT_EQ(fake_.count("nvmlEventSetCreate"), 0) << "who reads once starts no thread";
  for (int i = 0; i < 3; ++i) tick();
  fake_.send_xid(1, 79);
  const std::vector<Event> one = events_of(1);
  EXPECT_THAT(one, ElementsAre(Event{EventKind::kXid, 79, time_}));
  EXPECT_THAT(tick().events, IsEmpty());
  fake_.send_xid(0, 13);
  fake_.send_xid(7, 43);  // of nobody
  fake_.send_xid(0, 45);
  std::vector<Event> both = events_of(0);
  if (both.size() == 1) both.push_back(events_of(0).front());
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].code, 13U);
  EXPECT_EQ(both[1].code, 45U);
  EXPECT_THAT(tick().events, IsEmpty()) << "once";
}

TEST_F(NvmlEventsTest, EndsItsThreadAndItsSetWithTheSource) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 3; ++i) tick();
  while (fake_.count("nvmlEventSetWait_v2") == 0) std::this_thread::yield();
  source_.reset();
  EXPECT_EQ(fake_.sets, 0);
  EXPECT_EQ(fake_.count("nvmlShutdown"), 1);
}

TEST_F(NvmlEventsTest, GpusWithoutEventsAreFine) {
  fake_.devices = 2;
  fake_.event_result = [](std::string_view function, int device) {
    return function == "nvmlDeviceRegisterEvents" && device == 0 ? NVML_ERROR_NOT_SUPPORTED
                                                                 : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 4; ++i) tick();
  fake_.send_xid(1, 48);
  const std::vector<Event> one = events_of(1);
  EXPECT_THAT(one, ElementsAre(Event{EventKind::kXid, 48, time_}));
  EXPECT_TRUE(tick().at(Metric::kTemperature).present());

  // None at all: the thread ends by itself.
  source_.reset();
  fake_.event_result = [](std::string_view function, int /*device*/) {
    return function == "nvmlDeviceRegisterEvents" ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 4; ++i) tick();
  while (fake_.count("nvmlDeviceRegisterEvents") < 4) std::this_thread::yield();
  source_.reset();
  EXPECT_EQ(fake_.sets, 0);
}

TEST_F(NvmlEventsTest, AWaitThatHangsHoldsUpNobody) {
  std::promise<void> entered;
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  fake_.event_result = [&entered, gate, first = true](std::string_view function, int) mutable {
    if (function == "nvmlEventSetWait_v2" && std::exchange(first, false)) {
      entered.set_value();
      gate.wait();
    }
    return NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 3; ++i) tick();
  entered.get_future().wait();
  EXPECT_TRUE(tick().at(Metric::kTemperature).present());
  source_.reset();
  EXPECT_EQ(fake_.count("nvmlShutdown"), 0) << "not under a call";
  let_go.set_value();
  while (fake_.count("nvmlShutdown") == 0) std::this_thread::yield();
}

TEST_F(NvmlEventsTest, TellsWhatHeldTheClocksBetweenTwoTicks) {
  std::atomic<unsigned long long> capped{1000};
  fake_.field = [&](int /*device*/, nvmlFieldValue_t& value) {
    if (value.fieldId == NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP) {
      value.value.ullVal = capped;
    }
    return NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  EXPECT_THAT(tick().events, IsEmpty());
  EXPECT_THAT(tick().events, IsEmpty());
  capped += 5'000'000;
  constexpr std::uint64_t kIdleAndPowerCap = 0b101;  // the fake says idle at every tick
  tick();
  EXPECT_THAT(sample_.events, ElementsAre(Event{EventKind::kClockEvents, kIdleAndPowerCap, time_}));
  EXPECT_THAT(tick().events, IsEmpty());
}

}  // namespace
}  // namespace gpuscope::device::nvml

// XIDs, and what held the clocks between two ticks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
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

// Of a driver that counts no time of what holds the clocks, events tell of what came and went
// between two ticks.
TEST_F(NvmlEventsTest, LooksAtTheClocksWhenTheDriverSaysThatTheyChanged) {
  fake_.field = [](int /*device*/, nvmlFieldValue_t& value) {
    return value.fieldId == NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN
               ? NVML_ERROR_NOT_SUPPORTED
               : NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 3; ++i) tick();
  constexpr unsigned long long kPowerBrake = 0x80;
  fake_.reasons = kPowerBrake;
  fake_.send_event(0, nvmlEventTypeClock, 0);
  const Event throttle{EventKind::kClockEvents, kPowerBrake, {}};
  EXPECT_EQ(events_of(0).front().code, throttle.code);
  EXPECT_EQ(fake_.registered, nvmlEventTypeXidCriticalError | nvmlEventTypeClock);
  // A storm of them is drained, costs no call each, and keeps no XID.
  const int before = fake_.count("nvmlDeviceGetCurrentClocksEventReasons");
  const base::WallTime begun = time_;
  for (int i = 0; i < 500; ++i) fake_.send_event(0, nvmlEventTypeClock, 0);
  fake_.send_xid(0, 79);
  std::vector<Event> events;
  do {
    events = events_of(0);
  } while (events.front().kind != EventKind::kXid);
  EXPECT_EQ(events.front().code, 79U);
  const auto ticks = static_cast<int>((time_ - begun) / seconds{1});  // each asks once itself
  EXPECT_LT(fake_.count("nvmlDeviceGetCurrentClocksEventReasons") - before - ticks, 250);
}

TEST_F(NvmlEventsTest, SparesADriverThatCountsTimesTheEventsOfItsClocks) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 3; ++i) tick();
  while (fake_.count("nvmlEventSetWait_v2") == 0) std::this_thread::yield();
  EXPECT_EQ(fake_.registered, nvmlEventTypeXidCriticalError);
}

TEST_F(NvmlEventsTest, SaysHowGpusReachEachOther) {
  using model::PeerLink;
  fake_.devices = 3;
  fake_.nvlink_peer = NVML_P2P_STATUS_NOT_SUPPORTED;
  ASSERT_TRUE(open());
  for (int i = 0; i < 3; ++i) tick();
  EXPECT_EQ(fake_.count("nvmlDeviceGetP2PStatus"), 0) << "who reads once starts no thread";
  while (tick().peers.empty()) std::this_thread::yield();
  EXPECT_THAT(sample_.peers, ElementsAre(PeerLink::kNotKnownYet, PeerLink::kNotSupported,
                                         PeerLink::kNotSupported));
  // All that is between two rounds is a copy.
  model::DeviceSample last;
  do {
    source_->read(2, time_, last);
    std::this_thread::yield();
  } while (last.peers.empty());
  EXPECT_EQ(fake_.count("nvmlDeviceGetP2PStatus"), 6);

  // A GPU that is lost has none.
  lost_ = true;
  fake_.result = [this](std::string_view, int) {
    return lost_ ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
  };
  for (int i = 0; i < 3; ++i) tick();
  EXPECT_THAT(sample_.peers, IsEmpty());
}

TEST_F(NvmlEventsTest, APairThatHangsHoldsUpNobody) {
  std::promise<void> entered;
  std::promise<void> let_go;
  auto gate = let_go.get_future().share();
  fake_.devices = 2;
  fake_.result = [&entered, gate, first = std::make_shared<std::atomic<bool>>(true)](
                     std::string_view function, int) {
    if (function == "nvmlDeviceGetP2PStatus" && first->exchange(false)) {
      entered.set_value();
      gate.wait();
    }
    return NVML_SUCCESS;
  };
  ASSERT_TRUE(open());
  for (int i = 0; i < 4; ++i) tick();
  entered.get_future().wait();
  fake_.send_xid(0, 45);
  EXPECT_EQ(events_of(0).front().code, 45U);
  source_.reset();
  EXPECT_EQ(fake_.count("nvmlShutdown"), 0) << "not under a call";
  let_go.set_value();
  while (fake_.count("nvmlShutdown") == 0) std::this_thread::yield();
}

}  // namespace
}  // namespace gpuscope::device::nvml

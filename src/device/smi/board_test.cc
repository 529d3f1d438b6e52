#include "device/smi/board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/allocation_count.h"
#include "base/fake_clock.h"

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::DeviceSample;
using model::Metric;
using model::Reading;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr milliseconds kReportLimit{30'000};
constexpr milliseconds kRowLimit{5'000};

class BoardTest : public testing::Test {
 protected:
  static DeviceSample report(std::int64_t temperature) {
    DeviceSample sample;
    sample.mark_absent(Absence::kUnsupported, false);
    sample.at(Metric::kTemperature) = Reading::of(temperature);
    sample.at(Metric::kMinorNumber) = Reading::of(3);
    sample.at(Metric::kPcieTx) = Reading::of(7);
    sample.at(Metric::kFanSpeedPercent) = Reading::of(4000);
    sample.processes_absence = Absence::kPresent;
    sample.processes.resize(2);
    sample.processes[0].name = "a name that does not fit into the string itself";
    sample.mig_instances.resize(1);
    sample.mig_instances[0].uuid = "MIG-0a1b2c3d-4e5f-6172-8192-334455667788";
    return sample;
  }
  static model::GpuRow row(std::int64_t temperature) {
    model::GpuRow row;
    row.fill(Reading::none(Absence::kNotYet));
    row[model::column(Metric::kTemperature)] = Reading::of(temperature);
    row[model::column(Metric::kFanSpeedPercent)] = Reading::none(Absence::kUnsupported);
    row[model::column(Metric::kClockEventIdle)] = Reading::of(0);
    return row;
  }
  void idle(bool now) {
    model::GpuRow one = row(500);
    one[model::column(Metric::kClockEventIdle)] = Reading::of(now ? 1 : 0);
    board_.put_row(0, one);
  }

  const DeviceSample& read() {
    board_.read(0, clock_.wall_now(), out_);
    return out_;
  }
  Reading at(Metric metric) { return read().at(metric); }
  std::string trouble() const { return board_.trouble().value_or(base::Error{}).message; }

  base::FakeClock clock_;
  const std::vector<Metric> metrics_{Metric::kTemperature, Metric::kFanSpeedPercent,
                                     Metric::kClockEventIdle};
  Board board_{clock_, 1, metrics_, kRowLimit};
  DeviceSample out_;
};

TEST_F(BoardTest, GivesWhatTheLoopSaysOverWhatTheDocumentSaid) {
  board_.put_report(0, report(450), kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(450));
  clock_.advance(seconds{1});
  board_.put_row(0, row(470));
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(470));
  EXPECT_EQ(at(Metric::kPcieTx), Reading::of(7));
  // The loop has no word for it; the document has.
  EXPECT_EQ(at(Metric::kFanSpeedPercent), Reading::of(4000));
  clock_.advance(seconds{1});
  board_.put_report(0, report(480), kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(470));
}

TEST_F(BoardTest, ALoopThatHangsIsTimedOutAndNeverStale) {
  board_.put_report(0, report(450), kReportLimit);
  clock_.advance(seconds{1});
  board_.put_row(0, row(470));
  clock_.advance(kRowLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(470));
  clock_.advance(milliseconds{1});
  EXPECT_EQ(at(Metric::kTemperature), Reading::none(Absence::kTimedOut));
  EXPECT_EQ(at(Metric::kPcieTx), Reading::of(7));
  EXPECT_EQ(at(Metric::kFanSpeedPercent), Reading::of(4000));
  // A document that was read since then is newer than the loop's last word.
  board_.put_report(0, report(480), kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(480));
}

TEST_F(BoardTest, ADocumentThatIsTooOldIsTimedOutButForWhatNeverChanges) {
  board_.put_report(0, report(450), kReportLimit);
  clock_.advance(kReportLimit + milliseconds{1});
  EXPECT_EQ(at(Metric::kTemperature), Reading::none(Absence::kTimedOut));
  EXPECT_EQ(at(Metric::kPcieTx), Reading::none(Absence::kTimedOut));
  EXPECT_EQ(at(Metric::kMinorNumber), Reading::of(3));
  EXPECT_EQ(read().processes_absence, Absence::kTimedOut);
  EXPECT_THAT(read().processes, IsEmpty());
  board_.put_row(0, row(470));
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(470));
  EXPECT_EQ(at(Metric::kFanSpeedPercent), Reading::none(Absence::kUnsupported));
  board_.put_report(0, report(480), kReportLimit);
  EXPECT_EQ(read().processes.size(), 2U);
}

TEST_F(BoardTest, AGpuThatIsGoneIsGoneUntilTheDocumentHasItAgain) {
  board_.put_report(0, report(450), kReportLimit);
  board_.put_gone(0, kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::none(Absence::kGone));
  EXPECT_EQ(at(Metric::kMinorNumber), Reading::of(3));
  clock_.advance(2 * kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::none(Absence::kGone));
  board_.put_report(0, report(460), kReportLimit);
  EXPECT_EQ(at(Metric::kTemperature), Reading::of(460));
}

TEST_F(BoardTest, ALineThatSaysLostIsBelievedAtOnce) {
  board_.put_report(0, report(450), kReportLimit);
  model::GpuRow lost = row(0);
  lost[model::column(Metric::kTemperature)] = Reading::none(Absence::kGone);
  board_.put_row(0, lost);
  EXPECT_EQ(at(Metric::kPcieTx), Reading::none(Absence::kGone));
  EXPECT_EQ(at(Metric::kMinorNumber), Reading::of(3));
}

TEST_F(BoardTest, CarriesAVerdictAsLongAsItCounts) {
  board_.put_report(0, report(450), kReportLimit);
  EXPECT_FALSE(read().source_verdict);
  board_.put_verdict(0, model::SourceVerdict{model::Health::kWarning, "PCIe"}, seconds{90});
  EXPECT_EQ(read().source_verdict.value_or(model::SourceVerdict{}).text, "PCIe");
  clock_.advance(seconds{20});
  board_.put_report(0, report(450), kReportLimit);
  EXPECT_TRUE(read().source_verdict);
  clock_.advance(seconds{71});
  board_.put_report(0, report(450), kReportLimit);
  EXPECT_FALSE(read().source_verdict);
  board_.put_verdict(0, model::SourceVerdict{model::Health::kHealthy, {}}, seconds{90});
  EXPECT_TRUE(read().source_verdict);
  board_.put_gone(0, kReportLimit);
  EXPECT_FALSE(read().source_verdict);
}

TEST_F(BoardTest, TellsOfClockEventsWhenTheyChange) {
  board_.put_report(0, report(450), kReportLimit);
  EXPECT_THAT(read().events, IsEmpty());
  idle(false);
  EXPECT_THAT(read().events, IsEmpty());  // the first look is no change
  idle(true);
  const base::WallTime tick = clock_.wall_now();
  EXPECT_THAT(read().events, ElementsAre(model::Event{model::EventKind::kClockEvents, 1, tick}));
  EXPECT_THAT(read().events, IsEmpty());
  clock_.advance(2 * kRowLimit);  // not known for a while
  EXPECT_THAT(read().events, IsEmpty());
  idle(true);
  EXPECT_THAT(read().events, IsEmpty());
  idle(false);
  EXPECT_EQ(read().events.size(), 1U);
}

TEST_F(BoardTest, HasTheFirstOfItsTroubles) {
  using Part = Board::Part;
  EXPECT_EQ(trouble(), "");
  board_.set_trouble(Part::kDcgmi, base::Error{base::ErrorKind::kUnavailable, "d"});
  board_.set_trouble(Part::kReport, base::Error{base::ErrorKind::kUnavailable, "r"});
  EXPECT_EQ(trouble(), "r");
  board_.set_trouble(Part::kReport, std::nullopt);
  EXPECT_EQ(trouble(), "d");
  board_.set_trouble(Part::kDcgmi, std::nullopt);
  EXPECT_EQ(trouble(), "");
}

TEST_F(BoardTest, ReadsWithoutAllocatingOnceTheSampleHasItsRoom) {
  board_.put_report(0, report(450), kReportLimit);
  board_.put_verdict(0, model::SourceVerdict{model::Health::kWarning, std::string(200, 'x')},
                     kReportLimit);
  board_.put_row(0, row(470));
  read();
  const std::size_t before = base::thread_allocation_count();
  for (int i = 0; i < 100; ++i) read();
  EXPECT_EQ(base::thread_allocation_count() - before, 0U);
}

}  // namespace
}  // namespace gpuscope::device::smi

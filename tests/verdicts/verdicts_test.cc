// Simulated machines on which one thing is wrong, tick by tick: which rule sees it, with what
// evidence, and when it is over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "collect/trend.h"
#include "device/sim/machine.h"
#include "device/sim/sim_source.h"
#include "health/health.h"

namespace gpuscope {
namespace {

using device::sim::Fault;
using device::sim::FaultKind;
using model::Health;
using model::Metric;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::IsEmpty;

// A GPU that is busy all the time, one that has nothing to do with the fault beside it.
class Machine {
 public:
  Machine(FaultKind kind, double amount, seconds from, seconds until, double utilization = 90) {
    device::sim::Options options;
    options.gpus = 2;
    options.scenario.emplace();
    options.scenario->card.emplace();
    options.scenario->phases.resize(1);
    options.scenario->phases[0].duration = device::sim::kMaxPeriod;
    options.scenario->phases[0].utilization_percent = utilization;
    options.scenario->phases[0].power_percent = 40;
    options.scenario->faults.push_back(
        Fault{.kind = kind, .gpus = {0}, .from = from, .until = until, .amount = amount});
    source_ = device::sim::make_sim_source(options);
    snapshot_.inventory = *source_->open();
    snapshot_.devices.resize(2);
    snapshot_.time = device::sim::kBoot;  // the first period begins: nothing has happened yet
    now_ = base::SteadyTime{std::chrono::hours{1}};
  }

  // Ticks for so long; the verdict on a GPU at the last.
  void pass(seconds time) {
    for (seconds passed{0}; passed < time; passed += seconds{1}) {
      snapshot_.time += seconds{1};
      now_ += seconds{1};
      for (std::size_t i = 0; i < 2; ++i) {
        source_->read(i, snapshot_.time, snapshot_.devices[i]);
      }
      trends_.follow(snapshot_, now_);
    }
  }
  model::Verdict verdict(std::size_t gpu = 0) const {
    return health::judge(model::RuleSet::kHardware, snapshot_.devices[gpu], &snapshot_.trends[gpu],
                         snapshot_.time);
  }
  std::set<std::string> rules(std::size_t gpu = 0) const {
    std::set<std::string> names;
    for (const model::Finding& finding : verdict(gpu).findings()) names.emplace(finding.rule);
    return names;
  }
  model::Finding finding(std::string_view rule) const {
    for (const model::Finding& each : verdict().findings()) {
      if (each.rule == rule) return each;
    }
    ADD_FAILURE() << rule << " did not fire";
    return {};
  }

 private:
  std::unique_ptr<model::Source> source_;
  model::Snapshot snapshot_;
  base::SteadyTime now_{};
  collect::Trends trends_{collect::Trends::Options{}};
};

struct Case {
  const char* name;
  FaultKind kind;
  double amount;
  std::set<std::string> rules;  // while it holds
  std::set<std::string> after;  // five minutes later
  Health overall;
};

class OneFault : public testing::TestWithParam<Case> {};

TEST_P(OneFault, IsSeenAndNoOther) {
  const Case& c = GetParam();
  // From the third minute on, for three: until then nothing is wrong, though the GPU is under load.
  Machine machine(c.kind, c.amount, minutes{3}, minutes{6});
  machine.pass(seconds{170});
  EXPECT_THAT(machine.rules(), IsEmpty());
  machine.pass(minutes{2});
  EXPECT_EQ(machine.rules(), c.rules);
  EXPECT_EQ(machine.verdict().overall, c.overall);
  EXPECT_THAT(machine.rules(1), IsEmpty()) << "a GPU that has no part in it";
  machine.pass(minutes{7});
  EXPECT_EQ(machine.rules(), c.after) << "when it is over";
}

using Names = std::set<std::string>;
INSTANTIATE_TEST_SUITE_P(
    Kinds, OneFault,
    testing::Values(
        Case{"ecc_uncorrected", FaultKind::kEccUncorrected, 2,
             Names{"ecc_uncorrected", "xid_application"}, Names{"ecc_uncorrected"},
             Health::kCritical},
        Case{"remap_pending", FaultKind::kRemapPending, 0,
             Names{"row_remap_pending", "recovery_reset"}, Names{}, Health::kCritical},
        Case{"remap_failure", FaultKind::kRemapFailure, 0,
             Names{"row_remap_failure", "recovery_reset", "spare_rows_used_up"}, Names{},
             Health::kCritical},
        Case{"lost", FaultKind::kLost, 0, Names{"gpu_lost", "xid_restart_machine"},
             Names{"xid_restart_machine"}, Health::kCritical},
        Case{"nvlink_down", FaultKind::kNvlinkDown, 2, Names{"nvlink_down", "xid_nvlink"},
             Names{"xid_nvlink"}, Health::kCritical},
        Case{"pcie_degraded", FaultKind::kPcieDegraded, 4, Names{"pcie_width_degraded"}, Names{},
             Health::kWarning},
        Case{"pcie_slow", FaultKind::kPcieSlow, 3, Names{"pcie_generation_degraded"}, Names{},
             Health::kCaution},
        Case{"pcie_replays", FaultKind::kPcieReplays, 500, Names{"pcie_replays"}, Names{},
             Health::kWarning},
        Case{"xid_119", FaultKind::kXid, 119, Names{"xid_reset"}, Names{"xid_reset"},
             Health::kCritical},
        Case{"xid_54", FaultKind::kXid, 54, Names{"xid_power_cable"}, Names{"xid_power_cable"},
             Health::kWarning},
        Case{"xid_78", FaultKind::kXid, 78, Names{"xid_update"}, Names{"xid_update"},
             Health::kWarning},
        Case{"xid_123", FaultKind::kXid, 123, Names{"xid_support"}, Names{"xid_support"},
             Health::kWarning},
        Case{"xid_31", FaultKind::kXid, 31, Names{"xid_application"}, Names{}, Health::kHealthy},
        Case{"xid_43", FaultKind::kXid, 43, Names{}, Names{}, Health::kHealthy}),
    [](const auto& of) { return std::string(of.param.name); });

TEST(OneFault, AnXidCountsLongAfterwards) {
  Machine machine(FaultKind::kXid, 119, minutes{1}, minutes{2});
  machine.pass(minutes{60});
  EXPECT_EQ(machine.finding("xid_reset").value, model::Reading::of(119));
  EXPECT_FALSE(machine.finding("xid_reset").limit.present());
  machine.pass(seconds{30});
  EXPECT_EQ(machine.rules(), Names{"xid_reset"});
}

TEST(OneFault, EvidenceSaysWhatWasSeen) {
  Machine down(FaultKind::kNvlinkDown, 3, minutes{1}, minutes{9});
  down.pass(minutes{2});
  EXPECT_EQ(down.finding("nvlink_down").value, model::Reading::of(15));
  EXPECT_EQ(down.finding("nvlink_down").limit, model::Reading::of(18));
  EXPECT_EQ(down.finding("nvlink_down").component, "Links");
  Machine replays(FaultKind::kPcieReplays, 600, seconds{0}, minutes{59});
  replays.pass(minutes{6});
  const model::Finding finding = replays.finding("pcie_replays");
  // Sixteen lanes of the fifth generation: 31 a minute.
  EXPECT_EQ(finding.limit, model::Reading::of(155));
  EXPECT_NEAR(static_cast<double>(finding.value.value), 3000, 150);
}

// A link that saves power while nothing uses it is no fault.
TEST(OneFault, AGpuAtRestMayHaveASlowLink) {
  Machine machine(FaultKind::kPcieSlow, 1, seconds{0}, minutes{59}, 5);
  machine.pass(minutes{5});
  EXPECT_THAT(machine.rules(), IsEmpty());
}

TEST(OneFault, WithoutAnybodyWhoFollowsOnlyTheTickIsJudged) {
  model::DeviceSample device;
  device.at(Metric::kTemperature) = model::Reading::of(500);
  device.at(Metric::kEccUncorrectedVolatile) = model::Reading::of(0);
  device.at(Metric::kNvlinkActiveLinks) = model::Reading::of(0);
  EXPECT_THAT(health::judge(model::RuleSet::kHardware, device).findings(), IsEmpty());
}

}  // namespace
}  // namespace gpuscope

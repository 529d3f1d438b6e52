// What the tools write besides the big document: lines of a query, lists, dcgmi's reports, and what
// they say when they cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "device/smi/dcgmi.h"
#include "device/smi/listing.h"
#include "device/smi/query.h"
#include "device/smi/refresher.h"
#include "device/smi/tools.h"

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Health;
using model::Metric;
using model::Reading;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Reading at(const QueryRow& row, Metric metric) { return row.row[model::column(metric)]; }

constexpr const char* kHelp = R"(List of valid properties to query for the switch "--query-gpu=":

"uuid" or "gpu_uuid"
This value is the globally unique immutable alphanumeric identifier of the GPU.

"index"
Zero based index of the GPU. Can change at each boot.

"temperature.gpu"
"memory.used"
"memory.total"
"power.draw.instant" or "gpu.power.draw.instant"
"power.draw"
"clocks.current.sm" or "clocks.sm"
"clocks_event_reasons.active" or "clocks_throttle_reasons.active"
"gpu_recovery_action"
)";

TEST(Query, AsksOnlyForWhatTheToolKnowsAndForTheBetterOfTwo) {
  const Query query(kHelp);
  EXPECT_EQ(query.fields(),
            "index,uuid,memory.used,memory.total,temperature.gpu,power.draw.instant,"
            "clocks.current.sm,clocks_event_reasons.active,gpu_recovery_action");
  EXPECT_THAT(query.metrics(), testing::Contains(Metric::kMemoryUsagePercent));
  EXPECT_THAT(query.metrics(), testing::Contains(Metric::kClockEventDisplayClocks));
  EXPECT_THAT(query.metrics(), Not(testing::Contains(Metric::kFanSpeedPercent)));
}

TEST(Query, TakesOldNamesFromOldTools) {
  const Query query(
      "\"index\"\n\"uuid\" or \"gpu_uuid\"\n\"clocks.sm\"\n\"power.draw\"\n"
      "\"clocks_throttle_reasons.active\"\n");
  EXPECT_EQ(query.fields(), "index,uuid,power.draw,clocks.sm,clocks_throttle_reasons.active");
}

TEST(Query, WorksOutNoShareOfWhatItDoesNotAskFor) {
  const Query query(R"("index" "uuid" "memory.used")");
  EXPECT_EQ(query.fields(), "index,uuid,memory.used");
  EXPECT_THAT(query.metrics(), testing::ElementsAre(Metric::kMemoryUsed));
}

TEST(Query, AsksForWhatEveryDriverHasWhenTheToolDoesNotSay) {
  for (const char* help : {"", "nvidia-smi: no help\n", "\"\"\"\" \"a b\""}) {
    EXPECT_EQ(Query(help).fields(),
              "index,uuid,utilization.gpu,utilization.memory,memory.used,memory.free,memory.total,"
              "temperature.gpu,power.draw,clocks.sm,clocks.mem,clocks.gr,pstate,fan.speed");
  }
}

TEST(Query, ReadsALineByItsPlaces) {
  const auto row =
      Query(kHelp).parse("3, GPU-1, 512, 2048, 45, 46.10, 2100, 0x0000000000000084, Reset");
  ASSERT_TRUE(row) << row.error().message;
  EXPECT_EQ(row->index, 3U);
  EXPECT_EQ(row->uuid, "GPU-1");
  EXPECT_EQ(at(*row, Metric::kMemoryUsed), Reading::of(512LL << 20U));
  EXPECT_EQ(at(*row, Metric::kMemoryUsagePercent), Reading::of(2500));
  EXPECT_EQ(at(*row, Metric::kTemperature), Reading::of(450));
  EXPECT_EQ(at(*row, Metric::kPower), Reading::of(46100));
  EXPECT_EQ(at(*row, Metric::kSmClock), Reading::of(2100));
  EXPECT_EQ(at(*row, Metric::kClockEventSwPowerCap), Reading::of(1));
  EXPECT_EQ(at(*row, Metric::kClockEventHwPowerBrake), Reading::of(1));
  EXPECT_EQ(at(*row, Metric::kClockEventIdle), Reading::of(0));
  EXPECT_EQ(at(*row, Metric::kRecoveryAction), Reading::of(1));
  EXPECT_EQ(at(*row, Metric::kFanSpeedPercent), Reading::none(Absence::kNotYet));
}

TEST(Query, KeepsTheReasonOfEachCell) {
  const auto row = Query(kHelp).parse(
      "0, GPU-1, [Insufficient Permissions], N/A, [Unknown Error], [N/A], "
      "[Requested functionality has been deprecated], [Not Supported], None");
  ASSERT_TRUE(row);
  EXPECT_EQ(at(*row, Metric::kMemoryUsed), Reading::none(Absence::kDenied));
  EXPECT_EQ(at(*row, Metric::kMemoryTotal), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(at(*row, Metric::kMemoryUsagePercent), Reading::none(Absence::kDenied));
  EXPECT_EQ(at(*row, Metric::kTemperature), Reading::none(Absence::kFailed));
  EXPECT_EQ(at(*row, Metric::kPower), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(at(*row, Metric::kSmClock), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(at(*row, Metric::kClockEventIdle), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(at(*row, Metric::kRecoveryAction), Reading::of(0));
}

TEST(Query, DoesNotBelieveTheMemoryOfAGpuThatNeedsAReset) {
  const auto row = Query(kHelp).parse(
      "0, GPU-1, 0, 0, [GPU requires reset], [GPU requires reset], 210, 0x0, [N/A]");
  ASSERT_TRUE(row);
  EXPECT_EQ(at(*row, Metric::kMemoryUsed), Reading::none(Absence::kFailed));
  EXPECT_EQ(at(*row, Metric::kMemoryUsagePercent), Reading::none(Absence::kFailed));
  EXPECT_EQ(at(*row, Metric::kSmClock), Reading::of(210));
  EXPECT_EQ(at(*row, Metric::kRecoveryAction), Reading::of(1));
}

TEST(Query, RefusesLinesThatAreNoAnswer) {
  const Query query(kHelp);
  for (const char* line :
       {"", ",", "Failed to initialize NVML: Unknown Error",
        "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.",
        "0, GPU-1, 512, 2048, 45, 46.10, 2100, 0x0",            // one too few
        "0, GPU-1, 512, 2048, 45, 46.10, 2100, 0x0, None, 1",   // one too many
        "[N/A], [N/A], 512, 2048, 45, 46.10, 2100, 0x0, None",  // whose is it?
        "index, uuid, memory.used [MiB], memory.total [MiB], temperature.gpu, a, b, c, d"}) {
    EXPECT_FALSE(query.parse(line)) << line;
  }
}

TEST(Listing, HasGpusAndTheirMigInstances) {
  const auto gpus = parse_listing(
      "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aa)\n"
      "  MIG 3g.40gb     Device  0: (UUID: MIG-1)\n"
      "  MIG 1c.2g.20gb  Device  1: (UUID: MIG-GPU-aa/5/0)\r\n"
      "WARNING: infoROM is corrupted at gpu 0000:02:00.0\n"
      "GPU 1: A (odd: name) (UUID: GPU-bb)\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gpus[0].uuid, "GPU-aa");
  ASSERT_EQ(gpus[0].mig.size(), 2U);
  EXPECT_EQ(gpus[0].mig[1].index, 1);
  EXPECT_EQ(gpus[0].mig[1].profile, "1c.2g.20gb");
  EXPECT_EQ(gpus[0].mig[1].uuid, "MIG-GPU-aa/5/0");
  EXPECT_EQ(gpus[1].index, 1);
  EXPECT_EQ(gpus[1].name, "A (odd: name)");
  EXPECT_TRUE(gpus[1].mig.empty());
  EXPECT_THAT(parse_listing("No devices were found\n"), IsEmpty());
  EXPECT_THAT(parse_listing("  MIG 1g.10gb Device 0: (UUID: MIG-1)\n"), IsEmpty());
}

TEST(Discovery, ReadsTheTableOfGpusAlone) {
  const auto gpus = parse_discovery(
      "2 GPUs found.\n"
      "+--------+-----------------------------+\n"
      "| GPU ID | Device Information          |\n"
      "+--------+-----------------------------+\n"
      "| 0      | Name: <<<NULL>>>            |\n"
      "|        | PCI Bus ID: 00000000:4c:00.0|\n"
      "|        | Device UUID: GPU-aa         |\n"
      "+--------+-----------------------------+\n"
      "| 4      | Name: NVIDIA H100           |\n"
      "|        | PCI Bus ID: 00000000:5D:00.0|\n"
      "|        | Device UUID: <<<NULL>>>     |\n"
      "+--------+-----------------------------+\n"
      "1 CPUs found.\n"
      "+--------+-----------------------------+\n"
      "| CPU ID | Device Information          |\n"
      "+--------+-----------------------------+\n"
      "| 7      | Name: Grace                 |\n"
      "+--------+-----------------------------+\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_EQ(gpus[0].id, 0);
  EXPECT_EQ(gpus[0].bus_id, "00000000:4C:00.0");
  EXPECT_EQ(gpus[0].uuid, "GPU-aa");
  EXPECT_EQ(gpus[1].id, 4);
  EXPECT_EQ(gpus[1].uuid, "");
}

TEST(HealthReport, HasTheMessagesOfEachGpuJoinedAgain) {
  const auto health = parse_health(R"(Warning: something before
{
  "body" : {
    "GPU" : { "children" : {
      "0" : { "value" : "Warning", "children" : { "Errors" : { "children" : {
          "Power system" : { "value" : "Warning", "overflow" : [
            "Detected clocks event due to power violation in GPU 0.",
            "Monitor the power conditions. This GPU can still",
            "perform workload."] } } } } },
      "3" : { "value" : "Failure", "children" : { "Errors" : { "children" : {
          "Memory system" : { "value" : "Failure", "overflow" : ["A DBE has been detected. "] },
          "Internal error" : { "value" : "Failure", "overflow" : ["XID 79"] } } } } }
    } },
    "Overall Health" : { "value" : "Failure" }
  },
  "header" : [ "Health Monitor Report" ]
}
)");
  ASSERT_TRUE(health) << health.error().message;
  EXPECT_EQ(health->overall, Health::kCritical);
  EXPECT_EQ(health->of(0).health, Health::kWarning);
  EXPECT_EQ(health->of(0).text,
            "Power system: Detected clocks event due to power violation in GPU 0. Monitor the "
            "power conditions. This GPU can still perform workload.");
  EXPECT_EQ(health->of(3).health, Health::kCritical);
  EXPECT_EQ(health->of(3).text, "Internal error: XID 79; Memory system: A DBE has been detected.");
  EXPECT_EQ(health->of(1).health, Health::kHealthy);
}

TEST(HealthReport, JoinsAWordThatWasCutInTwo) {
  const std::string word(54, 'x');
  const auto health = parse_health(
      R"({"body":{"Overall Health":{"value":"Warning"},"GPU":{"children":{"0":{"value":"Warning",)"
      R"("children":{"Errors":{"children":{"S":{"value":"Warning","overflow":[")" +
      word + R"(","yy","z"]}}}}}}}}})");
  ASSERT_TRUE(health) << health.error().message;
  EXPECT_EQ(health->of(0).text, "S: " + word + "yy z");
}

TEST(HealthReport, ThatNamesNoGpuIsHealthyOnlyWhereAllIsWell) {
  const auto well = parse_health(R"({"body":{"Overall Health":{"value":"Healthy"}}})");
  ASSERT_TRUE(well);
  EXPECT_EQ(well->of(0).health, Health::kHealthy);
  const auto ill = parse_health(R"({"body":{"Overall Health":{"value":"Warning"}}})");
  ASSERT_TRUE(ill);
  EXPECT_EQ(ill->of(0).health, Health::kUnknown);
  EXPECT_THAT(ill->of(0).text, HasSubstr("names no GPU"));
}

TEST(HealthReport, ThatIsNoneIsNeverHealthy) {
  const auto refused = parse_health("Error: Health watches not enabled. Please enable watches. \n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "cannot get a verdict from dcgmi health: Error: Health watches not enabled. Please "
            "enable watches.");
  for (const char* text : {"", "{", "}{", "{}", "[]", R"({"body":[]})", R"({"body":{"GPU":{}}})",
                           "Healthy", "\xff{\xfe}"}) {
    EXPECT_FALSE(parse_health(text)) << text;
  }
}

TEST(Failure, NamesTheGpuThatKeepsTheToolFromAnswering) {
  for (const char* text :
       {"Unable to determine the device handle for GPU 0000:0b:00.0: GPU is lost.  Reboot the "
        "system to recover this GPU\n",
        "Unable to determine the device handle for GPU0000:0B:00.0: Unknown Error\n"}) {
    const ToolFailure failure = explain_failure(text, {}, {.signal = {}, .code = 15});
    EXPECT_EQ(failure.lost_gpu, "00000000:0B:00.0");
    EXPECT_FALSE(failure.driver);
    EXPECT_THAT(failure.error.message, HasSubstr("Unable to determine"));
  }
}

TEST(Failure, OfTheDriverSaysItsCure) {
  struct Case {
    const char* text;
    base::ErrorKind kind;
    const char* cure;
  };
  for (const Case& one : {
           Case{"Failed to initialize NVML: Driver/library version mismatch\nNVML library version: "
                "550.54\n",
                base::ErrorKind::kUnavailable, "reboot"},
           Case{
               "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make "
               "sure that the latest NVIDIA driver is installed and running.\n",
               base::ErrorKind::kUnavailable, "modprobe nvidia"},
           Case{"No devices were found\n", base::ErrorKind::kNotFound, "NVRM"},
           Case{"Failed to initialize NVML: Insufficient Permissions\n",
                base::ErrorKind::kPermissionDenied, "/dev/nvidia"},
           Case{"Failed to initialize NVML: Unknown Error\n", base::ErrorKind::kUnavailable,
                "start it again"},
       }) {
    const ToolFailure failure = explain_failure(one.text, {}, {.signal = {}, .code = 9});
    EXPECT_TRUE(failure.driver) << one.text;
    EXPECT_EQ(failure.error.kind, one.kind) << one.text;
    EXPECT_THAT(failure.error.message, HasSubstr(one.cure));
  }
}

TEST(Failure, ThatIsNotKnownIsToldInItsOwnWords) {
  EXPECT_EQ(explain_failure("\n \x01"
                            "bad\nmore",
                            {}, {.signal = {}, .code = 3})
                .error.message,
            "cannot read GPUs through nvidia-smi: it ended with status 3 and wrote: ?bad");
  EXPECT_EQ(explain_failure({}, "sh: no\n", {.signal = 11, .code = 0}).error.message,
            "cannot read GPUs through nvidia-smi: it was ended by signal 11 (Segmentation fault) "
            "and wrote: sh: no");
  EXPECT_FALSE(explain_failure("x", {}, {}).driver);
}

TEST(Known, IsFoundByUuidAndByAddress) {
  const std::vector<Known> known{{"GPU-a", "00000000:01:00.0"},
                                 {"", "00000000:02:00.0"},
                                 {"GPU-0", "00000000:03:00.0"},
                                 {"GPU-0", "00000000:04:00.0"}};
  EXPECT_EQ(find_known(known, "GPU-a", ""), 0U);
  EXPECT_EQ(find_known(known, "GPU-a", "00000000:01:00.0"), 0U);
  EXPECT_EQ(find_known(known, "GPU-x", "00000000:01:00.0"), std::nullopt);  // another card there
  EXPECT_EQ(find_known(known, "GPU-x", "00000000:02:00.0"), 1U);
  EXPECT_EQ(find_known(known, "GPU-0", "00000000:04:00.0"), 3U);  // masked UUIDs are all alike
  EXPECT_EQ(find_known(known, "", ""), std::nullopt);
}

TEST(MigInstances, TakeTheirNamesFromTheListByDevice) {
  Report report;
  GpuReport& gpu = report.gpus.emplace_back();
  gpu.info.fact(model::Fact::kUuid) = model::Text::of("GPU-aa");
  gpu.sample.mig_instances.resize(2);
  gpu.mig_indices = {1, 5};
  name_mig_instances(parse_listing("GPU 0: A (UUID: GPU-zz)\n"
                                   "GPU 1: B (UUID: GPU-aa)\n"
                                   "  MIG 2g.20gb Device 0: (UUID: MIG-0)\n"
                                   "  MIG 1g.10gb Device 1: (UUID: MIG-1)\n"),
                     report);
  EXPECT_EQ(gpu.sample.mig_instances[0].uuid, "MIG-1");
  EXPECT_EQ(gpu.sample.mig_instances[0].profile, "1g.10gb");
  EXPECT_EQ(gpu.sample.mig_instances[1].uuid, "");
}

}  // namespace
}  // namespace gpuscope::device::smi

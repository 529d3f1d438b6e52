#include "device/smi/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Fact;
using model::Metric;
using model::ProcessType;
using model::Reading;
using testing::HasSubstr;

std::string document(const std::string& gpu, const std::string& before = {}) {
  return before +
         "<?xml version=\"1.0\" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM \"nvsmi_device_v12.dtd\">\n"
         "<nvidia_smi_log><driver_version>570.1</driver_version><gpu id=\"0000:06:00.0\">" +
         gpu + "</gpu></nvidia_smi_log>";
}

GpuReport read(const std::string& gpu) {
  auto report = parse_report(document(gpu));
  EXPECT_TRUE(report) << report.error().message;
  return report && report->gpus.size() == 1 ? std::move(report->gpus.front()) : GpuReport{};
}

Reading at(const GpuReport& gpu, Metric metric) { return gpu.sample.at(metric); }

TEST(Report, TakesFactsAndValues) {
  const GpuReport gpu = read(
      "<product_name>NVIDIA L4</product_name><product_architecture>Ada Lovelace"
      "</product_architecture><uuid>GPU-1</uuid><serial>N/A</serial>"
      "<temperature><gpu_temp>32 C</gpu_temp></temperature>");
  EXPECT_EQ(gpu.bus_id, "00000000:06:00.0");
  EXPECT_EQ(gpu.info.name(), "NVIDIA L4");
  EXPECT_EQ(gpu.info.fact(Fact::kArchitecture).value, "Ada");
  EXPECT_EQ(gpu.info.fact(Fact::kDriverVersion).value, "570.1");
  EXPECT_EQ(gpu.info.fact(Fact::kPciBusId).value, "00000000:06:00.0");
  EXPECT_EQ(gpu.info.fact(Fact::kSerial).absence, Absence::kUnsupported);
  EXPECT_EQ(at(gpu, Metric::kTemperature), Reading::of(320));
  EXPECT_EQ(at(gpu, Metric::kPower), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(gpu.sample.processes_absence, Absence::kUnsupported);
}

TEST(Report, GoesByTheElementNotByTheVersion) {
  const GpuReport old = read(
      "<power_readings><power_draw>10.5 W</power_draw><power_limit>70 W</power_limit>"
      "<enforced_power_limit>60 W</enforced_power_limit></power_readings>"
      "<clocks_throttle_reasons><clocks_throttle_reason_gpu_idle>Active"
      "</clocks_throttle_reason_gpu_idle></clocks_throttle_reasons>");
  EXPECT_EQ(at(old, Metric::kPower), Reading::of(10'500));
  EXPECT_EQ(at(old, Metric::kPowerLimit), Reading::of(70'000));
  EXPECT_EQ(at(old, Metric::kPowerLimitEnforced), Reading::of(60'000));
  EXPECT_EQ(at(old, Metric::kClockEventIdle), Reading::of(1));
  const GpuReport now = read(
      "<gpu_power_readings><power_state>Requested functionality has been deprecated</power_state>"
      "<average_power_draw>11 W</average_power_draw><instant_power_draw>N/A</instant_power_draw>"
      "</gpu_power_readings><module_power_readings><instant_power_draw>900 W</instant_power_draw>"
      "</module_power_readings><performance_state>P2</performance_state>");
  EXPECT_EQ(at(now, Metric::kPower), Reading::of(11'000));
  EXPECT_EQ(at(now, Metric::kPowerAverage), Reading::of(11'000));
  EXPECT_EQ(at(now, Metric::kPerformanceState), Reading::of(2));
}

TEST(Report, AContainerThatTurnedIntoTextSpeaksForAllInIt) {
  const GpuReport gpu =
      read("<remapped_rows>Insufficient Permissions</remapped_rows><utilization>N/A</utilization>");
  EXPECT_EQ(at(gpu, Metric::kRemappedRowsFailure), Reading::none(Absence::kDenied));
  EXPECT_EQ(at(gpu, Metric::kRemapBanksMax), Reading::none(Absence::kDenied));
  EXPECT_EQ(at(gpu, Metric::kGpuUtilization), Reading::none(Absence::kUnsupported));
}

TEST(Report, AddsUpErrorsWhereThereIsNoTotal) {
  const GpuReport gpu = read(
      "<ecc_errors><volatile><sram_correctable>1</sram_correctable>"
      "<sram_uncorrectable_parity>2</sram_uncorrectable_parity>"
      "<sram_uncorrectable_secded>3</sram_uncorrectable_secded>"
      "<dram_correctable>10</dram_correctable><dram_uncorrectable>20</dram_uncorrectable>"
      "</volatile><aggregate><sram_correctable>N/A</sram_correctable>"
      "<sram_uncorrectable>Unknown Error</sram_uncorrectable>"
      "<dram_correctable>7</dram_correctable><dram_uncorrectable>8</dram_uncorrectable>"
      "</aggregate></ecc_errors>");
  EXPECT_EQ(at(gpu, Metric::kEccSramUncorrectedVolatile), Reading::of(5));
  EXPECT_EQ(at(gpu, Metric::kEccCorrectedVolatile), Reading::of(11));
  EXPECT_EQ(at(gpu, Metric::kEccUncorrectedVolatile), Reading::of(25));
  EXPECT_EQ(at(gpu, Metric::kEccCorrectedAggregate), Reading::of(7));
  EXPECT_EQ(at(gpu, Metric::kEccUncorrectedAggregate), Reading::none(Absence::kFailed));
  const GpuReport old = read(
      "<ecc_errors><volatile><single_bit><device_memory>4</device_memory><total>9</total>"
      "</single_bit><double_bit><total>N/A</total></double_bit></volatile></ecc_errors>");
  EXPECT_EQ(at(old, Metric::kEccCorrectedVolatile), Reading::of(9));
  EXPECT_EQ(at(old, Metric::kEccDramCorrectedVolatile), Reading::of(4));
  EXPECT_EQ(at(old, Metric::kEccUncorrectedVolatile), Reading::none(Absence::kUnsupported));
}

TEST(Report, ToldOfAResetInEachOfItsWays) {
  EXPECT_EQ(at(read("<gpu_recovery_action>Reboot</gpu_recovery_action>"), Metric::kRecoveryAction),
            Reading::of(2));
  EXPECT_EQ(at(read("<gpu_reset_status><reset_required>Yes</reset_required>"
                    "<drain_and_reset_recommended>No</drain_and_reset_recommended>"
                    "</gpu_reset_status>"),
               Metric::kRecoveryAction),
            Reading::of(1));
  EXPECT_EQ(at(read("<gpu_reset_status><reset_required>No</reset_required>"
                    "<drain_and_reset_recommended>Yes</drain_and_reset_recommended>"
                    "</gpu_reset_status>"),
               Metric::kRecoveryAction),
            Reading::of(4));
  EXPECT_EQ(at(read("<gpu_reset_status><reset_required>No</reset_required></gpu_reset_status>"),
               Metric::kRecoveryAction),
            Reading::of(0));
  const GpuReport needs = read(
      "<temperature><gpu_temp>GPU requires reset</gpu_temp></temperature>"
      "<gpu_recovery_action>N/A</gpu_recovery_action>");
  EXPECT_EQ(at(needs, Metric::kRecoveryAction), Reading::of(1));
  EXPECT_EQ(at(needs, Metric::kTemperature), Reading::none(Absence::kFailed));
  EXPECT_FALSE(needs.lost);
}

TEST(Report, ALostGpuKeepsWhatNeverChangesAndNothingElse) {
  const GpuReport gpu = read(
      "<uuid>GPU-1</uuid><minor_number>3</minor_number><bar1_memory_usage><used>1 MiB</used>"
      "</bar1_memory_usage><temperature><gpu_temp>GPU is lost</gpu_temp></temperature>");
  EXPECT_TRUE(gpu.lost);
  EXPECT_EQ(gpu.info.uuid(), "GPU-1");
  EXPECT_EQ(at(gpu, Metric::kMinorNumber), Reading::of(3));
  EXPECT_EQ(at(gpu, Metric::kBar1Used), Reading::none(Absence::kGone));
  EXPECT_EQ(at(gpu, Metric::kTemperature), Reading::none(Absence::kGone));
}

TEST(Report, MergesTheRowsOfOneProcess) {
  const GpuReport gpu = read(
      "<processes>"
      "<process_info><pid>20</pid><type>C</type><process_name>/usr/bin/python3 a.py</process_name>"
      "<used_memory>100 MiB</used_memory></process_info>"
      "<process_info><pid>10</pid><type>M+C</type><process_name>N/A</process_name>"
      "<used_memory>N/A</used_memory></process_info>"
      "<process_info><pid>20</pid><type>G</type><process_name>/usr/bin/python3 a.py</process_name>"
      "<used_memory>300 MiB</used_memory></process_info>"
      "<process_info><pid>-4</pid><type>C</type></process_info>"
      "<process_info><pid>30</pid><type>G</type><process_name>Xorg</process_name>"
      "<used_memory>5 MiB</used_memory></process_info></processes>");
  const std::size_t memory = model::column(Metric::kProcessMemory);
  ASSERT_EQ(gpu.sample.processes.size(), 3U);
  EXPECT_EQ(gpu.sample.processes[0].pid, 10U);
  EXPECT_EQ(gpu.sample.processes[0].name, "");
  EXPECT_EQ(gpu.sample.processes[0].row[memory], Reading::none(Absence::kUnsupported));
  EXPECT_EQ(gpu.sample.processes[1].name, "python3");
  EXPECT_EQ(gpu.sample.processes[1].type, ProcessType::kComputeAndGraphics);
  EXPECT_EQ(gpu.sample.processes[1].row[memory], Reading::of(300LL << 20U));
  EXPECT_EQ(at(gpu, Metric::kComputeProcesses), Reading::of(2));
  EXPECT_EQ(at(gpu, Metric::kGraphicsProcesses), Reading::of(2));
}

TEST(Report, TellsAnEmptyListFromNone) {
  EXPECT_EQ(read("<processes>\n\t</processes>").sample.processes_absence, Absence::kPresent);
  EXPECT_EQ(read("<processes>None</processes>").sample.processes_absence, Absence::kPresent);
  EXPECT_EQ(read("<processes>N/A</processes>").sample.processes_absence, Absence::kUnsupported);
  EXPECT_EQ(read("<processes>Insufficient Permissions</processes>").sample.processes_absence,
            Absence::kDenied);
}

TEST(Report, ReadsMigInstances) {
  const GpuReport gpu = read(
      "<mig_mode><current_mig>Enabled</current_mig></mig_mode><mig_devices><mig_device>"
      "<index>4</index><gpu_instance_id>7</gpu_instance_id>"
      "<compute_instance_id>1</compute_instance_id><ecc_error_count><volatile_count>"
      "<sram_uncorrectable_parity>1</sram_uncorrectable_parity>"
      "<sram_uncorrectable_secded>2</sram_uncorrectable_secded></volatile_count></ecc_error_count>"
      "<fb_memory_usage><total>9856 MiB</total><used>12 MiB</used><free>N/A</free>"
      "</fb_memory_usage></mig_device></mig_devices>");
  ASSERT_EQ(gpu.sample.mig_instances.size(), 1U);
  const model::MigInstance& instance = gpu.sample.mig_instances.front();
  EXPECT_EQ(gpu.mig_indices.front(), 4);
  EXPECT_EQ(instance.gpu_instance_id, 7U);
  EXPECT_EQ(instance.compute_instance_id, 1U);
  EXPECT_EQ(instance.row[model::column(Metric::kMigMemoryTotal)], Reading::of(9856LL << 20U));
  EXPECT_EQ(instance.row[model::column(Metric::kMigMemoryFree)],
            Reading::none(Absence::kUnsupported));
  EXPECT_EQ(instance.row[model::column(Metric::kMigEccUncorrected)], Reading::of(3));
}

TEST(Report, SkipsWarningsInFrontOfTheDocument) {
  const auto report = parse_report(
      document("<uuid>GPU-1</uuid>", "WARNING: infoROM is corrupted at gpu 0000:02:00.0\n"));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->gpus.size(), 1U);
  const auto bare = parse_report("junk <nvidia_smi_log><gpu/></nvidia_smi_log>");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->gpus.size(), 1U);
}

TEST(Report, NeverExpandsWhatTheDocumentDeclares) {
  const auto report = parse_report(
      "<?xml version=\"1.0\"?><!DOCTYPE nvidia_smi_log [<!ENTITY a \"99\"><!ENTITY b SYSTEM "
      "\"file:///etc/passwd\"><!ELEMENT gpu (#PCDATA)>]><nvidia_smi_log><gpu id=\"x\">"
      "<temperature><gpu_temp>&a; C</gpu_temp></temperature><product_name>&b;</product_name>"
      "</gpu></nvidia_smi_log>");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->gpus[0].sample.at(Metric::kTemperature), Reading::none(Absence::kFailed));
  EXPECT_EQ(report->gpus[0].info.name(), "&b;");
  EXPECT_EQ(report->gpus[0].bus_id, "");
}

TEST(Report, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(), std::string("No devices were found\n"), std::string("<?xml"),
        std::string("<?xml version=\"1.0\"?><other/>"), std::string("\0\xff<nvidia_smi_log", 17),
        document("<temperature>"), std::string("<nvidia_smi_log><gpu>")}) {
    const auto report = parse_report(text);
    ASSERT_FALSE(report) << text;
    EXPECT_THAT(report.error().message, HasSubstr("cannot understand what nvidia-smi -q -x wrote"));
  }
}

TEST(Report, KnowsADocumentOfOurOwnStandIn) {
  EXPECT_FALSE(parse_report(document(""))->simulated);
  EXPECT_TRUE(parse_report("<nvidia_smi_log><gpuscope_simulated>1</gpuscope_simulated>"
                           "</nvidia_smi_log>")
                  ->simulated);
}

}  // namespace
}  // namespace gpuscope::device::smi

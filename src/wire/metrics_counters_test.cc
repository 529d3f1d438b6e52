#include "wire/metrics_counters.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/naming.h"

namespace gpuscope::wire {
namespace {

std::string summary(const CounterList& list) {
  std::string text;
  for (const Counter& counter : list.counters) {
    text += counter.field +
            (counter.is_label     ? "|label|"
             : counter.is_counter ? "|counter|"
                                  : "|gauge|") +
            counter.help + "\n";
  }
  return text;
}

TEST(Counters, ReadTheFormatAsPeopleWriteIt) {
  const CounterList list = parse_counters(
      "\xef\xbb\xbf# Format,,\r\n"
      "\r\n"
      "DCGM_FI_DEV_SM_CLOCK,  gauge, SM clock frequency (in MHz).\r\n"
      "  # indented\n"
      "DCGM_FI_DEV_DEC_UTIL ,     gauge, Decoder utilization (in %).\n"
      "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION,counter,Energy, in mJ, since boot\n"
      "\"DCGM_FI_DEV_GPU_TEMP\", \"gauge\" , \"Quoted, with \"\"quotes\"\"\"\n"
      "DCGM_FI_DEV_GPU_UTIL_RATIO, gauge\n"
      "DCGM_EXP_XID_ERRORS_COUNT, gauge, Count of XIDs\n"
      "DCGM_FI_DRIVER_VERSION, label, Driver Version",
      "counters.csv");
  EXPECT_EQ(summary(list),
            "DCGM_FI_DEV_SM_CLOCK|gauge|SM clock frequency (in MHz).\n"
            "DCGM_FI_DEV_DEC_UTIL|gauge|Decoder utilization (in %).\n"
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION|counter|Energy, in mJ, since boot\n"
            "DCGM_FI_DEV_GPU_TEMP|gauge|Quoted, with \"quotes\"\n"
            "DCGM_FI_DEV_GPU_UTIL_RATIO|gauge|\n"
            "DCGM_EXP_XID_ERRORS_COUNT|gauge|Count of XIDs\n"
            "DCGM_FI_DRIVER_VERSION|label|Driver Version\n");
  EXPECT_EQ(list.warnings, std::vector<std::string>{});
}

TEST(Counters, WarnOfLinesThatMakeNoSense) {
  const CounterList list = parse_counters(
      "DCGM_FI_DEV_GPU_TEMP, gauge, fine\n"
      "DCGM_FI_DEV_NO_SUCH, gauge, x\n"
      "DCGM_FI_DEV_GPU_TEMP, gauge, again\n"
      "DCGM_FI_DEV_GPU_UTIL, histogram, x\n"
      "DCGM_FI_DEV_GPU_UTIL, label, x\n"
      "DCGM_FI_DEV_SERIAL, gauge, x\n"
      "just words\n"
      "\"DCGM_FI_DEV_FB_USED, gauge, x\n"
      "\"DCGM_FI_DEV_FB_USED\" x, gauge, x\n"
      "\xff\xfe\x01, gauge, x\n",
      "c.csv");
  EXPECT_EQ(summary(list), "DCGM_FI_DEV_GPU_TEMP|gauge|fine\n");
  // Each is "c.csv:LINE: what is wrong; the line is left out".
  const std::vector<std::string> wrong{
      "2: 'DCGM_FI_DEV_NO_SUCH' is no field that this agent has",
      "3: 'DCGM_FI_DEV_GPU_TEMP' stands there twice",
      "4: 'histogram' is not gauge, counter or label",
      "5: 'DCGM_FI_DEV_GPU_UTIL' is no field that this agent has as a label",
      "6: 'DCGM_FI_DEV_SERIAL' is no field that this agent has",
      "7: a line is FIELD, type, help",
      "8: a quote does not end, or something follows it",
      "9: a quote does not end, or something follows it",
      "10: '\xef\xbf\xbd\xef\xbf\xbd ' is no field that this agent has"};
  std::vector<std::string> warnings;
  for (const std::string& each : wrong) {
    warnings.push_back("c.csv:" + each + "; the line is left out");
  }
  EXPECT_EQ(list.warnings, warnings);
}

TEST(Counters, KnowTheLanesOfNvlinkByBothNames) {
  const CounterList list = parse_counters(
      "DCGM_FI_DEV_NVLINK_BANDWIDTH_L0, counter, x\n"
      "DCGM_FI_DEV_NVLINK_BANDWIDTH_L17, counter, x\n"
      "DCGM_FI_DEV_NVLINK_THROUGHPUT_L5, counter, x\n"
      "DCGM_FI_DEV_NVLINK_BANDWIDTH_L18, counter, x\n",
      "c.csv");
  EXPECT_EQ(list.counters.size(), 3U);
  EXPECT_EQ(list.warnings.size(), 1U);
}

TEST(Counters, TakeEveryNameOfTheTable) {
  std::string text;
  for (const model::MetricsFamily& family : model::dcgm_families()) {
    text.append(family.name).append(",gauge,\n");
    if (!family.new_name.empty()) text.append(family.new_name).append(",gauge,\n");
  }
  for (const model::LabelField& label : model::dcgm_label_fields()) {
    text.append(label.name).append(",label,\n");
  }
  EXPECT_EQ(parse_counters(text, "f").warnings, std::vector<std::string>{});
}

}  // namespace
}  // namespace gpuscope::wire

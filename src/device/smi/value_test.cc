#include "device/smi/value.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Reading;

TEST(Value, CountsInTheUnitOfItsForm) {
  struct Case {
    const char* text;
    Form form;
    std::int64_t value;
  };
  const std::vector<Case> cases{
      {"30 %", Form::kPercent, 3000},
      {"30", Form::kPercent, 3000},
      {"0", Form::kPercent, 0},
      {" 23034 MiB ", Form::kMebibytes, 23034LL << 20U},
      {"2457 MB", Form::kMebibytes, 2457LL << 20U},
      {"32 C", Form::kCelsius, 320},
      {"-2 C", Form::kCelsius, -20},
      {"-2", Form::kCelsius, -20},
      {"16.78 W", Form::kWatts, 16780},
      {"0.5", Form::kWatts, 500},
      {"350.12345", Form::kWatts, 350123},
      {"350.1235", Form::kWatts, 350124},
      {"210 MHz", Form::kMegahertz, 210},
      {"341 KB/s", Form::kKilobytesPerSecond, 341000},
      {"39595 us", Form::kMicroseconds, 39595000},
      {"96 bank(s)", Form::kCount, 96},
      {"7", Form::kCount, 7},
      {"16x", Form::kLanes, 16},
      {"16", Form::kLanes, 16},
      {"P8", Form::kPerformanceState, 8},
      {"P15", Form::kPerformanceState, 15},
      {"Active", Form::kFlag, 1},
      {"Not Active", Form::kFlag, 0},
      {"Yes", Form::kFlag, 1},
      {"Enabled", Form::kFlag, 1},
      {"Disabled", Form::kFlag, 0},
      {"None", Form::kRecoveryAction, 0},
      {"Reset", Form::kRecoveryAction, 1},
      {"Reboot", Form::kRecoveryAction, 2},
      {"Drain P2P", Form::kRecoveryAction, 3},
      {"Drain and Reset", Form::kRecoveryAction, 4},
      {"Exclusive_Process", Form::kComputeMode, 3},
      {"None", Form::kVirtualization, 0},
      {"Pass-Through", Form::kVirtualization, 1},
      {"Host VGPU", Form::kVirtualization, 3},
      {"Licensed (Expiry: 2026-9-4 3:9:8 GMT)", Form::kLicense, 1},
      {"Unlicensed (Unrestricted)", Form::kLicense, 0},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(parse_reading(one.text, one.form), Reading::of(one.value)) << one.text;
  }
}

TEST(Value, ThatIsMissingSaysWhyInEverySpelling) {
  struct Case {
    const char* text;
    Absence absence;
  };
  const std::vector<Case> cases{
      {"N/A", Absence::kUnsupported},
      {"[N/A]", Absence::kUnsupported},
      {"[n/a]", Absence::kUnsupported},
      {"None", Absence::kUnsupported},
      {"", Absence::kUnsupported},
      {" \n", Absence::kUnsupported},
      {"[]", Absence::kUnsupported},
      {"-", Absence::kUnsupported},
      {"Not Supported", Absence::kUnsupported},
      {"[Not Supported]", Absence::kUnsupported},
      {"Not Found", Absence::kUnsupported},
      {"[Function Not Found]", Absence::kUnsupported},
      {"Requested functionality has been deprecated", Absence::kUnsupported},
      {"[Requested functionality has been deprecated]", Absence::kUnsupported},
      {"Insufficient Permissions", Absence::kDenied},
      {"[Insufficient Permissions]", Absence::kDenied},
      {"Unknown Error", Absence::kFailed},
      {"[Unknown Error]", Absence::kFailed},
      {"ERR!", Absence::kFailed},
      {"Insufficient Size", Absence::kFailed},
      {"[GPU requires reset]", Absence::kFailed},
      {"GPU is lost", Absence::kGone},
      {"[GPU is lost]", Absence::kGone},
  };
  for (const Case& one : cases) {
    for (const Form form :
         {Form::kPercent, Form::kMebibytes, Form::kCelsius, Form::kWatts, Form::kFlag, Form::kCount,
          Form::kPerformanceState, Form::kComputeMode, Form::kLicense}) {
      EXPECT_EQ(parse_reading(one.text, form), Reading::none(one.absence)) << one.text;
    }
    EXPECT_EQ(parse_text(one.text).absence, one.absence) << one.text;
  }
  EXPECT_TRUE(asks_for_reset("[GPU requires reset]"));
  EXPECT_FALSE(asks_for_reset("Reset"));
}

TEST(Value, ThatCannotBeUnderstoodIsFailedAndNeverAGuess) {
  const std::vector<std::pair<const char*, Form>> cases{
      {"thirty %", Form::kPercent},
      {"30 C", Form::kPercent},
      {"-30 %", Form::kPercent},
      {"23034 GiB", Form::kMebibytes},
      {"9223372036854775807 MiB", Form::kMebibytes},
      {"99999999999999999999", Form::kCount},
      {"18446744073709551615", Form::kCount},
      {"1e3", Form::kCount},
      {"0x10", Form::kCount},
      {"1.2.3 W", Form::kWatts},
      {". W", Form::kWatts},
      {"P16", Form::kPerformanceState},
      {"P", Form::kPerformanceState},
      {"8", Form::kPerformanceState},
      {"Maybe", Form::kFlag},
      {"16xx", Form::kLanes},
      {"Explode", Form::kRecoveryAction},
      {"\xff\xfe", Form::kPercent},
  };
  for (const auto& [text, form] : cases) {
    EXPECT_EQ(parse_reading(text, form), Reading::none(Absence::kFailed)) << text;
  }
}

TEST(Value, ReadsBusIdsOfEveryLength) {
  EXPECT_EQ(normalized_bus_id("00000000:06:00.0"), "00000000:06:00.0");
  EXPECT_EQ(normalized_bus_id("0000:0b:00.0"), "00000000:0B:00.0");
  EXPECT_EQ(normalized_bus_id("0000:0B:00"), "00000000:0B:00.0");
  EXPECT_EQ(normalized_bus_id("PCI:0000:65:00"), "00000000:65:00.0");
  EXPECT_EQ(normalized_bus_id(" 00001580:00:00.0 "), "00001580:00:00.0");
  for (const char* text : {"", "06:00.0", "GPU-1", "0000:0B", "0000:0B:00.0.0", "0000:0BB:00.0",
                           "000000000:0B:00.0", "0000:0B:00 0"}) {
    EXPECT_EQ(normalized_bus_id(text), "") << text;
  }
}

TEST(Value, NamesTheProgramOfACommandLine) {
  EXPECT_EQ(program_name("/usr/bin/python3 train.py --data /a/b"), "python3");
  EXPECT_EQ(program_name("./ethminer"), "ethminer");
  EXPECT_EQ(program_name("vm-001      "), "vm-001");
  EXPECT_EQ(program_name(R"(C:\Program Files\NVIDIA Corporation\nvcontainer.exe)"),
            "nvcontainer.exe");
  EXPECT_EQ(program_name("/"), "/");
  EXPECT_EQ(program_name(""), "");
}

TEST(Value, ReadsHexOnlyAsHex) {
  EXPECT_EQ(parse_hex("0x00000000000001FF"), 0x1ffU);
  EXPECT_EQ(parse_hex("1FF"), std::nullopt);
  EXPECT_EQ(parse_hex("0x"), std::nullopt);
  EXPECT_EQ(parse_hex("0x11112222333344445"), std::nullopt);
}

}  // namespace
}  // namespace gpuscope::device::smi

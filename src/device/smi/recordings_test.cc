// Documents of real machines, where they are at hand: no value lost, none invented. Held against a
// second, much simpler way to take the numbers out of the text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "device/smi/dcgmi.h"
#include "device/smi/listing.h"
#include "device/smi/query.h"
#include "device/smi/report.h"
#include "device/smi/tools.h"

namespace gpuscope::device::smi {
namespace {

using model::Absence;
using model::Fact;
using model::Metric;
using model::Reading;
using testing::HasSubstr;

const std::filesystem::path recordings = GPUSCOPE_RECORDINGS;

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> files_in(const std::string& folder, const std::string& ending) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(recordings / folder, error)) {
    if (entry.path().filename().string().ends_with(ending)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

class Recordings : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(recordings / "nvidia-smi")) {
      GTEST_SKIP() << "no recordings in " << recordings << " (GPUSCOPE_RECORDINGS)";
    }
  }
};

// --- A second way to read the XML: tags and texts, one after the other. ---

struct Leaf {
  std::string path;  // below gpu, its parents joined by '/'
  std::string text;
};

std::string strip(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::vector<std::vector<Leaf>> leaves_of_gpus(const std::string& document) {
  std::vector<std::vector<Leaf>> gpus;
  std::vector<std::string> open;
  std::string text;
  bool leaf = false;
  std::size_t at = document.find("<nvidia_smi_log");
  while (at != std::string::npos && at < document.size()) {
    const std::size_t end = document.find('>', at);
    if (end == std::string::npos) break;
    std::string tag = document.substr(at + 1, end - at - 1);
    const bool closes = tag.starts_with("/");
    const bool empty = tag.ends_with("/");
    const std::string name =
        tag.substr(closes ? 1 : 0, tag.find_first_of(" /", 1) - (closes ? 1 : 0));
    if (closes) {
      if (leaf && open.size() > 2 && open[1] == "gpu") {
        std::string path;
        for (std::size_t i = 2; i < open.size(); ++i) path += (i > 2 ? "/" : "") + open[i];
        gpus.back().push_back({path, strip(text)});
      }
      open.pop_back();
      leaf = false;
    } else if (!empty) {
      open.push_back(name);
      if (open.size() == 2 && name == "gpu") gpus.emplace_back();
      leaf = true;
    }
    const std::size_t next = document.find('<', end);
    text = next == std::string::npos ? "" : document.substr(end + 1, next - end - 1);
    at = next;
  }
  return gpus;
}

// What an element counts, by its path: metric, and how many of the reading's units one is.
struct Meaning {
  Metric metric;
  double factor;
};

const std::map<std::string, Meaning>& meanings() {
  constexpr double kMib = 1048576;
  static const std::map<std::string, Meaning> table = [] {
    std::map<std::string, Meaning> made{
        {"utilization/gpu_util", {Metric::kGpuUtilization, 100}},
        {"utilization/memory_util", {Metric::kMemoryUtilization, 100}},
        {"utilization/encoder_util", {Metric::kEncoderUtilization, 100}},
        {"utilization/decoder_util", {Metric::kDecoderUtilization, 100}},
        {"utilization/jpeg_util", {Metric::kJpegUtilization, 100}},
        {"utilization/ofa_util", {Metric::kOfaUtilization, 100}},
        {"fb_memory_usage/total", {Metric::kMemoryTotal, kMib}},
        {"fb_memory_usage/reserved", {Metric::kMemoryReserved, kMib}},
        {"fb_memory_usage/used", {Metric::kMemoryUsed, kMib}},
        {"fb_memory_usage/free", {Metric::kMemoryFree, kMib}},
        {"bar1_memory_usage/total", {Metric::kBar1Total, kMib}},
        {"bar1_memory_usage/used", {Metric::kBar1Used, kMib}},
        {"bar1_memory_usage/free", {Metric::kBar1Free, kMib}},
        {"temperature/gpu_temp", {Metric::kTemperature, 10}},
        {"temperature/gpu_temp_tlimit", {Metric::kTemperatureMargin, 10}},
        {"temperature/gpu_temp_max_threshold", {Metric::kTemperatureShutdown, 10}},
        {"temperature/gpu_temp_slow_threshold", {Metric::kTemperatureSlowdown, 10}},
        {"temperature/gpu_temp_max_gpu_threshold", {Metric::kTemperatureMax, 10}},
        {"temperature/gpu_temp_max_mem_threshold", {Metric::kMemoryTemperatureMax, 10}},
        {"temperature/memory_temp", {Metric::kMemoryTemperature, 10}},
        {"gpu_power_readings/instant_power_draw", {Metric::kPower, 1000}},
        {"gpu_power_readings/power_draw", {Metric::kPower, 1000}},
        {"power_readings/power_draw", {Metric::kPower, 1000}},
        {"gpu_power_readings/average_power_draw", {Metric::kPowerAverage, 1000}},
        {"gpu_power_readings/requested_power_limit", {Metric::kPowerLimit, 1000}},
        {"power_readings/power_limit", {Metric::kPowerLimit, 1000}},
        {"gpu_power_readings/current_power_limit", {Metric::kPowerLimitEnforced, 1000}},
        {"power_readings/enforced_power_limit", {Metric::kPowerLimitEnforced, 1000}},
        {"clocks/graphics_clock", {Metric::kGraphicsClock, 1}},
        {"clocks/sm_clock", {Metric::kSmClock, 1}},
        {"clocks/mem_clock", {Metric::kMemoryClock, 1}},
        {"clocks/video_clock", {Metric::kVideoClock, 1}},
        {"applications_clocks/graphics_clock", {Metric::kSmClockApplication, 1}},
        {"applications_clocks/mem_clock", {Metric::kMemoryClockApplication, 1}},
        {"max_clocks/graphics_clock", {Metric::kGraphicsClockMax, 1}},
        {"max_clocks/sm_clock", {Metric::kSmClockMax, 1}},
        {"max_clocks/mem_clock", {Metric::kMemoryClockMax, 1}},
        {"max_clocks/video_clock", {Metric::kVideoClockMax, 1}},
        {"minor_number", {Metric::kMinorNumber, 1}},
        {"fan_speed", {Metric::kFanSpeedPercent, 100}},
        {"performance_state", {Metric::kPerformanceState, 1}},
        {"pci/replay_counter", {Metric::kPcieReplays, 1}},
        {"pci/tx_util", {Metric::kPcieTx, 1000}},
        {"pci/rx_util", {Metric::kPcieRx, 1000}},
        {"pci/pci_gpu_link_info/pcie_gen/max_link_gen", {Metric::kPcieGenerationMax, 1}},
        {"pci/pci_gpu_link_info/pcie_gen/current_link_gen", {Metric::kPcieGeneration, 1}},
        {"pci/pci_gpu_link_info/link_widths/max_link_width", {Metric::kPcieWidthMax, 1}},
        {"pci/pci_gpu_link_info/link_widths/current_link_width", {Metric::kPcieWidth, 1}},
        {"remapped_rows/remapped_row_corr", {Metric::kRemappedRowsCorrectable, 1}},
        {"remapped_rows/remapped_row_unc", {Metric::kRemappedRowsUncorrectable, 1}},
        {"retired_pages/multiple_single_bit_retirement/retired_count",
         {Metric::kRetiredPagesSingleBit, 1}},
        {"retired_pages/double_bit_retirement/retired_count", {Metric::kRetiredPagesDoubleBit, 1}},
    };
    for (const char* where : {"gpu_power_readings", "power_readings"}) {
      made[std::string(where) + "/default_power_limit"] = {Metric::kPowerLimitDefault, 1000};
      made[std::string(where) + "/min_power_limit"] = {Metric::kPowerLimitMin, 1000};
      made[std::string(where) + "/max_power_limit"] = {Metric::kPowerLimitMax, 1000};
    }
    const std::string histogram = "remapped_rows/row_remapper_histogram/row_remapper_histogram_";
    made[histogram + "max"] = {Metric::kRemapBanksMax, 1};
    made[histogram + "high"] = {Metric::kRemapBanksHigh, 1};
    made[histogram + "partial"] = {Metric::kRemapBanksPartial, 1};
    made[histogram + "low"] = {Metric::kRemapBanksLow, 1};
    made[histogram + "none"] = {Metric::kRemapBanksNone, 1};
    const std::string counters = "clocks_event_reasons_counters/clocks_event_reasons_counters_";
    made[counters + "sw_power_cap"] = {Metric::kClockEventSwPowerCapSeconds, 1000};
    made[counters + "sync_boost"] = {Metric::kClockEventSyncBoostSeconds, 1000};
    made[counters + "sw_therm_slowdown"] = {Metric::kClockEventSwThermalSlowdownSeconds, 1000};
    made[counters + "hw_therm_slowdown"] = {Metric::kClockEventHwThermalSlowdownSeconds, 1000};
    made[counters + "hw_power_brake"] = {Metric::kClockEventHwPowerBrakeSeconds, 1000};
    struct Span {
      const char* name;
      Metric corrected, uncorrected, sram_corrected, sram_uncorrected, dram_corrected,
          dram_uncorrected;
    };
    for (const Span& span :
         {Span{"volatile", Metric::kEccCorrectedVolatile, Metric::kEccUncorrectedVolatile,
               Metric::kEccSramCorrectedVolatile, Metric::kEccSramUncorrectedVolatile,
               Metric::kEccDramCorrectedVolatile, Metric::kEccDramUncorrectedVolatile},
          Span{"aggregate", Metric::kEccCorrectedAggregate, Metric::kEccUncorrectedAggregate,
               Metric::kEccSramCorrectedAggregate, Metric::kEccSramUncorrectedAggregate,
               Metric::kEccDramCorrectedAggregate, Metric::kEccDramUncorrectedAggregate}}) {
      const std::string where = std::string("ecc_errors/") + span.name + "/";
      made[where + "single_bit/total"] = {span.corrected, 1};
      made[where + "double_bit/total"] = {span.uncorrected, 1};
      made[where + "single_bit/device_memory"] = {span.dram_corrected, 1};
      made[where + "double_bit/device_memory"] = {span.dram_uncorrected, 1};
      made[where + "sram_correctable"] = {span.sram_corrected, 1};
      made[where + "sram_uncorrectable"] = {span.sram_uncorrected, 1};
      made[where + "dram_correctable"] = {span.dram_corrected, 1};
      made[where + "dram_uncorrectable"] = {span.dram_uncorrected, 1};
    }
    return made;
  }();
  return table;
}

// Numbers that no metric of the catalogue is about. A number that is neither here nor above makes
// the test fail: it may be one that people miss.
bool has_no_metric(const std::string& path) {
  static const std::set<std::string> known{
      "accounting_mode_buffer_size", "board_part_number", "board_id", "gpu_part_number", "serial",
      "uuid", "vbios_version", "gsp_firmware_version", "pdi", "multigpu_board", "gpu_module_id",
      "edpp_multiplier", "gpu_power_readings/power_state", "power_readings/power_state",
      // By how they were found; their sum is read.
      "ecc_errors/volatile/sram_uncorrectable_parity",
      "ecc_errors/volatile/sram_uncorrectable_secded",
      "ecc_errors/aggregate/sram_uncorrectable_parity",
      "ecc_errors/aggregate/sram_uncorrectable_secded",
      // Degrees from the margin's end, not temperatures.
      "temperature/gpu_temp_max_tlimit_threshold", "temperature/gpu_temp_slow_tlimit_threshold",
      "temperature/gpu_temp_max_gpu_tlimit_threshold",
      "temperature/gpu_temp_max_mem_tlimit_threshold", "temperature/gpu_target_temperature",
      "remapped_rows/remapped_row_corr_inactive", "remapped_rows/remapped_row_unc_inactive",
      "pci/replay_rollover_counter", "pci/pci_gpu_link_info/pcie_gen/device_current_link_gen",
      "pci/pci_gpu_link_info/pcie_gen/max_device_link_gen",
      "pci/pci_gpu_link_info/pcie_gen/max_host_link_gen"};
  if (known.contains(path)) return true;
  for (const char* start : {"mig_devices/",
                            "processes/",
                            "supported_clocks",
                            "platformInfo/",
                            "inforom_version/",
                            "inforom_bbx_flush/",
                            "pci/pci_",
                            "encoder_stats/",
                            "fbc_stats/",
                            "default_applications_clocks/",
                            "max_customer_boost_clocks/",
                            "deferred_clocks/",
                            "cc_protected_memory_usage/",
                            "gpu_memory_power_readings/",
                            "module_power_readings/",
                            "voltage/",
                            "fabric/",
                            "supported_gpu_target_temp/",
                            "vgpu_software_licensed_product/",
                            "product_",
                            "retired_pages/",
                            "ecc_errors/aggregate_uncorrectable_sram_sources/",
                            "accounted_processes",
                            "capabilities/",
                            "power_smoothing",
                            "power_profiles",
                            "ecc_errors/volatile/single_bit/",
                            "ecc_errors/volatile/double_bit/",
                            "ecc_errors/aggregate/single_bit/",
                            "ecc_errors/aggregate/double_bit/",
                            "pci/atomic_caps"}) {
    if (path.starts_with(start)) return true;
  }
  return false;
}

// The number that a text begins with ("P8": 8), if it is one.
bool number_in(std::string text, double& number) {
  if (text.starts_with("P") && text.size() > 1) text.erase(0, 1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end != text.data();
}

void expect_leaf(const GpuReport& gpu, const Leaf& leaf, std::set<Metric>& counted) {
  const auto found = meanings().find(leaf.path);
  double number = 0;
  const bool is_number = number_in(leaf.text, number);
  if (found == meanings().end()) {
    if (is_number) {
      EXPECT_TRUE(has_no_metric(leaf.path)) << leaf.path << " is " << leaf.text << " and not read";
    }
    return;
  }
  const Reading reading = gpu.sample.at(found->second.metric);
  if (!is_number) {
    // Absent with a reason, unless another element says it.
    EXPECT_TRUE(reading.present() || reading.absence != Absence::kNotYet) << leaf.path;
    return;
  }
  counted.insert(found->second.metric);
  if (gpu.lost && model::info(found->second.metric).cadence != model::Cadence::kOnce) return;
  EXPECT_EQ(reading, Reading::of(std::llround(number * found->second.factor)))
      << leaf.path << " is " << leaf.text;
}

// Flags and words, which the simple way has no numbers for; and what is worked out.
bool is_worded(Metric metric) {
  static const std::set<Metric> worded{
      Metric::kMemoryUsagePercent, Metric::kEccMode, Metric::kRemappedRowsPending,
      Metric::kRemappedRowsFailure, Metric::kRetiredPagesPending, Metric::kMigMode,
      Metric::kPersistenceMode, Metric::kComputeMode, Metric::kDisplayActive,
      Metric::kRecoveryAction, Metric::kVirtualizationMode, Metric::kVgpuLicense,
      Metric::kComputeProcesses, Metric::kGraphicsProcesses,
      // Sums of parts, where there is no total.
      Metric::kEccCorrectedVolatile, Metric::kEccUncorrectedVolatile,
      Metric::kEccCorrectedAggregate, Metric::kEccUncorrectedAggregate,
      Metric::kEccSramUncorrectedVolatile, Metric::kEccSramUncorrectedAggregate};
  return worded.contains(metric) ||
         (metric >= Metric::kClockEventIdle && metric <= Metric::kClockEventDisplayClocks);
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

void expect_document(const std::string& text) {
  const auto report = parse_report(text);
  ASSERT_TRUE(report) << report.error().message;
  const auto leaves = leaves_of_gpus(text);
  ASSERT_EQ(report->gpus.size(), leaves.size());
  ASSERT_FALSE(leaves.empty());
  std::size_t mig = 0;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    SCOPED_TRACE("GPU " + std::to_string(i));
    const GpuReport& gpu = report->gpus[i];
    EXPECT_FALSE(gpu.bus_id.empty());
    std::set<Metric> counted;
    std::set<std::string> pids;
    for (const Leaf& leaf : leaves[i]) {
      expect_leaf(gpu, leaf, counted);
      if (leaf.path == "processes/process_info/pid") pids.insert(leaf.text);
      if (leaf.path == "uuid") {
        EXPECT_EQ(gpu.info.uuid(), leaf.text);
      }
      if (leaf.path == "product_name") {
        EXPECT_EQ(gpu.info.name(), leaf.text);
      }
      if (leaf.path == "vbios_version" && leaf.text != "N/A") {
        EXPECT_EQ(gpu.info.fact(Fact::kVbios).value, leaf.text);
      }
    }
    for (const auto& row : model::metrics(model::Entity::kGpu)) {
      const Reading& reading = gpu.sample.at(row.id);
      EXPECT_NE(reading.absence, Absence::kNotYet) << row.key;
      if (!reading.present() || is_worded(row.id)) continue;
      // Power is that of the average where there is nothing else.
      const bool stands_in = row.id == Metric::kPower && counted.contains(Metric::kPowerAverage);
      EXPECT_TRUE(counted.contains(row.id) || stands_in) << row.key << " is invented";
    }
    if (!gpu.lost) {
      EXPECT_EQ(gpu.sample.processes.size(), pids.size());
    }
    mig += gpu.sample.mig_instances.size();
  }
  EXPECT_EQ(mig, count_of(text, "<mig_device>"));
}

TEST_F(Recordings, EveryDocumentIsReadWhole) {
  auto files = files_in("nvidia-smi", ".xml");
  const auto more = files_in("nvidia-smi/mock", ".xml");
  files.insert(files.end(), more.begin(), more.end());
  ASSERT_GE(files.size(), 32U);
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename());
    expect_document(slurp(file));
  }
}

// Cut anywhere, a document is refused: half a GPU is never taken for a whole one.
TEST_F(Recordings, ADocumentThatIsCutIsRefused) {
  const std::string text = slurp(recordings / "nvidia-smi/l4__580.105.08__v13.xml");
  ASSERT_FALSE(text.empty());
  const std::size_t end = text.rfind("</nvidia_smi_log>");
  for (std::size_t length = 0; length < end; length += 13) {
    EXPECT_FALSE(parse_report(std::string_view(text).substr(0, length))) << length;
  }
}

TEST_F(Recordings, SayWhatEachMachineIsKnownFor) {
  const auto read = [](const char* name) {
    return parse_report(slurp(recordings / "nvidia-smi" / name)).value_or(Report{});
  };
  // Order of the document, not of the minor numbers; a domain that is not zero.
  const Report k80 = read("tesla-k80x4__430.26__v10-out-of-order.xml");
  ASSERT_EQ(k80.gpus.size(), 4U);
  EXPECT_EQ(k80.gpus[0].sample.at(Metric::kMinorNumber), Reading::of(1));
  EXPECT_EQ(k80.gpus[3].sample.at(Metric::kMinorNumber), Reading::of(0));
  EXPECT_FALSE(k80.gpus[0].info.fact(Fact::kCudaVersion).present());
  // Windows: no minor number, and processes that do not tell their memory.
  const Report windows = read("rtx-2080__516.59__v11-windows-wddm.xml");
  ASSERT_EQ(windows.gpus.size(), 1U);
  EXPECT_EQ(windows.gpus[0].sample.at(Metric::kMinorNumber), Reading::none(Absence::kUnsupported));
  EXPECT_EQ(windows.gpus[0].sample.processes.size(), 26U);
  for (const auto& process : windows.gpus[0].sample.processes) {
    EXPECT_FALSE(process.row[model::column(Metric::kProcessMemory)].present());
  }
  // MIG: memory per instance, no utilization of the whole.
  const Report mig = read("a100-sxm4-80gb__535.54.03__v12-mig-enabled.xml");
  ASSERT_EQ(mig.gpus.size(), 1U);
  EXPECT_EQ(mig.gpus[0].sample.at(Metric::kMigMode), Reading::of(1));
  EXPECT_FALSE(mig.gpus[0].sample.at(Metric::kGpuUtilization).present());
  ASSERT_EQ(mig.gpus[0].sample.mig_instances.size(), 4U);
  EXPECT_EQ(mig.gpus[0].sample.mig_instances[0].gpu_instance_id, 3U);
  EXPECT_EQ(mig.gpus[0].sample.mig_instances[0].row[model::column(Metric::kMigMemoryTotal)],
            Reading::of(19968LL << 20U));
  // A vGPU host's processes are machines.
  const Report host = read("tesla-m10x4__390.94__v9-vgpu-host.xml");
  ASSERT_EQ(host.gpus.size(), 4U);
  EXPECT_EQ(host.gpus[0].sample.at(Metric::kVirtualizationMode), Reading::of(3));
  ASSERT_FALSE(host.gpus[0].sample.processes.empty());
  EXPECT_EQ(host.gpus[0].sample.processes[0].name.substr(0, 3), "vm-");
  EXPECT_NE(host.gpus[0].sample.processes[0].name.back(), ' ');
  // A lost GPU is gone; its neighbour is not.
  const Report lost = read("mock/gb200-lost__580.65.06__v13.xml");
  ASSERT_EQ(lost.gpus.size(), 2U);
  const int gone = (lost.gpus[0].lost ? 1 : 0) + (lost.gpus[1].lost ? 1 : 0);
  EXPECT_EQ(gone, 1);
  for (const GpuReport& gpu : lost.gpus) {
    EXPECT_EQ(gpu.sample.at(Metric::kTemperature).absence,
              gpu.lost ? Absence::kGone : Absence::kPresent);
    EXPECT_FALSE(gpu.info.uuid().empty());
  }
  const Report guest = read("mock/vgpu-guest-a40-8q__570.124.03__v13-abridged.xml");
  ASSERT_EQ(guest.gpus.size(), 1U);
  EXPECT_EQ(guest.gpus[0].sample.at(Metric::kVgpuLicense), Reading::of(1));
  EXPECT_EQ(guest.gpus[0].sample.at(Metric::kVirtualizationMode), Reading::of(2));
}

// --- CSV ---

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t comma = line.find(',', begin);
    found.push_back(strip(line.substr(begin, comma - begin)));
    if (comma == std::string::npos) return found;
    begin = comma + 1;
  }
}

// The columns of the recording that our query asks for, as the tool would have given them.
TEST_F(Recordings, EveryQueryIsReadCellByCell) {
  const auto files = files_in("nvidia-smi/csv", "__query-gpu.csv");
  ASSERT_GE(files.size(), 12U);
  std::size_t values = 0;
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename());
    const std::string text = slurp(file);
    std::vector<std::string> names = cells(text.substr(0, text.find('\n')));
    std::string help;
    for (std::string& name : names) {
      name = name.substr(0, name.find(' '));  // without its unit
      help += "\"" + name + "\"\n";
    }
    const Query query(help);
    std::size_t begin = text.find('\n') + 1;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::vector<std::string> given = cells(text.substr(begin, end - begin));
      begin = end + 1;
      std::string line;
      std::size_t numbers = 0;
      for (const std::string& field : cells(query.fields())) {
        const auto column = std::ranges::find(names, field) - names.begin();
        ASSERT_LT(static_cast<std::size_t>(column), given.size()) << field;
        const std::string& cell = given[static_cast<std::size_t>(column)];
        line += (line.empty() ? "" : ", ") + cell;
        double number = 0;
        if (field != "index" && field != "uuid" && number_in(cell, number)) ++numbers;
        if (cell == "None" || cell == "No" || cell == "Yes") ++numbers;
      }
      const auto row = query.parse(line);
      ASSERT_TRUE(row) << line;
      std::size_t read = 0;
      for (const Metric metric : query.metrics()) {
        const Reading& reading = row->row[model::column(metric)];
        EXPECT_NE(reading.absence, Absence::kNotYet) << model::info(metric).key;
        EXPECT_NE(reading.absence, Absence::kFailed) << model::info(metric).key;
        if (reading.present()) ++read;
      }
      // One more for the share of memory, and nine flags for one mask.
      EXPECT_EQ(read, numbers + 1 + 8) << line;
      values += read;
    }
  }
  EXPECT_GT(values, 300U);
}

TEST_F(Recordings, EveryListIsRead) {
  const auto files = files_in("nvidia-smi/csv", "__list.txt");
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename());
    const std::string text = slurp(file);
    const auto gpus = parse_listing(text);
    std::size_t mig = 0;
    for (const auto& gpu : gpus) mig += gpu.mig.size();
    EXPECT_EQ(gpus.size() + mig, count_of(text, "UUID: "));
    EXPECT_EQ(mig, count_of(text, "  MIG "));
  }
}

TEST_F(Recordings, EveryFailureIsExplained) {
  for (const auto& file : files_in("nvidia-smi/errors", ".txt")) {
    SCOPED_TRACE(file.filename());
    const std::string text = slurp(file);
    EXPECT_FALSE(parse_report(text));
    EXPECT_FALSE(explain_failure(text, {}, {}).lost_gpu.empty());
  }
  const Query query("\"index\" \"uuid\" \"temperature.gpu\" \"fan.speed\" \"power.draw\"");
  const auto row = query.parse(
      "0, GPU-0472e0b4-22a5-992d-e99a-b924703a82f7, [Unknown Error], [Unknown Error], "
      "[Unknown Error]");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->row[model::column(Metric::kPower)], Reading::none(Absence::kFailed));
}

// --- dcgmi ---

TEST_F(Recordings, EveryDiscoveryIsRead) {
  const auto files = files_in("dcgmi", ".txt");
  ASSERT_FALSE(files.empty());
  int discoveries = 0;
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename());
    const std::string text = slurp(file);
    const auto gpus = parse_discovery(text);
    EXPECT_EQ(gpus.size(), count_of(text, "Device UUID:"));
    for (const DcgmGpu& gpu : gpus) {
      EXPECT_FALSE(gpu.bus_id.empty());
      EXPECT_EQ(gpu.uuid.substr(0, 4), "GPU-");
    }
    if (!gpus.empty()) ++discoveries;
    // Text is no verdict, whatever words are in it.
    EXPECT_FALSE(parse_health(text));
  }
  EXPECT_EQ(discoveries, 3);
}

TEST_F(Recordings, HealthIsWhatItSaysAndNoMore) {
  const auto health = parse_health(
      slurp(recordings / "dcgmi/health-c-j__h100x8__healthy-while-gpu-needs-reset.json"));
  ASSERT_TRUE(health);
  EXPECT_EQ(health->overall, model::Health::kHealthy);
  EXPECT_EQ(health->of(1).health, model::Health::kHealthy);
  const auto refused = parse_health(slurp(recordings / "dcgmi/health__not-enabled.txt"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("Health watches not enabled"));
}

}  // namespace
}  // namespace gpuscope::device::smi

#include "smi_document.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <utility>

#include "base/markup.h"

namespace gpuscope::tools {
namespace {

using model::DeviceSample;
using model::Fact;
using model::Metric;
using model::Reading;

class Xml {
 public:
  void open(const std::string& name, const std::string& attributes = {}) {
    line("<" + name + attributes + ">");
    ++depth_;
  }
  void close(const std::string& name) {
    --depth_;
    line("</" + name + ">");
  }
  void leaf(const std::string& name, const std::string& text) {
    line("<" + name + ">" + base::escape_markup(text) + "</" + name + ">");
  }
  void line(const std::string& text) {
    text_.append(depth_, '\t');
    text_ += text + "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t depth_ = 0;
};

struct Leaf {
  const char* name;
  Metric metric;
};

// One GPU, written.
class GpuWriter {
 public:
  GpuWriter(Xml& xml, const model::GpuInfo& info, const DeviceSample& sample, Schema schema)
      : xml_(xml), info_(info), sample_(sample), v13_(schema == Schema::kV13) {}

  void write() {
    xml_.open("gpu", " id=\"" + text_of(info_.fact(Fact::kPciBusId)) + "\"");
    identity();
    modes();
    pci();
    metric("fan_speed", Metric::kFanSpeedPercent);
    xml_.leaf("performance_state", performance_state_of(sample_.at(Metric::kPerformanceState)));
    clock_events();
    memory();
    xml_.leaf("compute_mode", compute_mode_of(sample_.at(Metric::kComputeMode)));
    group("utilization", {{"gpu_util", Metric::kGpuUtilization},
                          {"memory_util", Metric::kMemoryUtilization},
                          {"encoder_util", Metric::kEncoderUtilization},
                          {"decoder_util", Metric::kDecoderUtilization},
                          {"jpeg_util", Metric::kJpegUtilization},
                          {"ofa_util", Metric::kOfaUtilization}});
    ecc();
    retired_pages();
    remapped_rows();
    temperature();
    power();
    clocks();
    processes();
    xml_.close("gpu");
  }

 private:
  void metric(const char* name, Metric which) {
    xml_.leaf(name, quantity_of(which, sample_.at(which)));
  }
  void fact(const char* name, Fact which) { xml_.leaf(name, text_of(info_.fact(which))); }
  void flag(const char* name, Metric metric, const char* yes, const char* no) {
    xml_.leaf(name, flag_of(sample_.at(metric), yes, no));
  }
  template <std::size_t N>
  void group(const char* name, const Leaf (&leaves)[N]) {
    xml_.open(name);
    for (const Leaf& leaf : leaves) metric(leaf.name, leaf.metric);
    xml_.close(name);
  }

  void identity() {
    fact("product_name", Fact::kName);
    fact("product_brand", Fact::kBrand);
    fact("product_architecture", Fact::kArchitecture);
    xml_.leaf("display_mode", "Requested functionality has been deprecated");
    flag("display_active", Metric::kDisplayActive, "Enabled", "Disabled");
    flag("persistence_mode", Metric::kPersistenceMode, "Enabled", "Disabled");
    mig();
    fact("serial", Fact::kSerial);
    fact("uuid", Fact::kUuid);
    metric("minor_number", Metric::kMinorNumber);
    fact("vbios_version", Fact::kVbios);
    xml_.leaf("multigpu_board", "No");
    fact("board_id", Fact::kBoardId);
    fact("board_part_number", Fact::kBoardPartNumber);
    xml_.open("inforom_version");
    fact("img_version", Fact::kInforomImage);
    fact("oem_object", Fact::kInforomOem);
    fact("ecc_object", Fact::kInforomEcc);
    fact("pwr_object", Fact::kInforomPower);
    xml_.close("inforom_version");
  }

  void mig() {
    xml_.open("mig_mode");
    flag("current_mig", Metric::kMigMode, "Enabled", "Disabled");
    flag("pending_mig", Metric::kMigMode, "Enabled", "Disabled");
    xml_.close("mig_mode");
    xml_.open("mig_devices");
    if (sample_.mig_instances.empty()) xml_.line("None");
    for (std::size_t i = 0; i < sample_.mig_instances.size(); ++i) {
      mig_device(i, sample_.mig_instances[i]);
    }
    xml_.close("mig_devices");
  }

  void mig_device(std::size_t index, const model::MigInstance& instance) {
    const auto leaf = [&](const char* name, Metric metric) {
      xml_.leaf(name, quantity_of(metric, instance.row[model::column(metric)]));
    };
    xml_.open("mig_device");
    xml_.leaf("index", std::to_string(index));
    xml_.leaf("gpu_instance_id", std::to_string(instance.gpu_instance_id));
    xml_.leaf("compute_instance_id", std::to_string(instance.compute_instance_id));
    xml_.open("ecc_error_count");
    xml_.open("volatile_count");
    leaf("sram_uncorrectable", Metric::kMigEccUncorrected);
    xml_.close("volatile_count");
    xml_.close("ecc_error_count");
    xml_.open("fb_memory_usage");
    leaf("total", Metric::kMigMemoryTotal);
    leaf("used", Metric::kMigMemoryUsed);
    leaf("free", Metric::kMigMemoryFree);
    xml_.close("fb_memory_usage");
    xml_.close("mig_device");
  }

  void modes() {
    static constexpr std::array kVirtualization{"None", "Pass-Through", "VGPU", "Host VGPU",
                                                "Host VGPU"};
    const Reading mode = sample_.at(Metric::kVirtualizationMode);
    const auto number = static_cast<std::size_t>(mode.value);
    xml_.open("gpu_virtualization_mode");
    xml_.leaf("virtualization_mode", mode.present() && number < kVirtualization.size()
                                         ? kVirtualization[number]
                                         : words_for(mode.absence));
    xml_.leaf("host_vgpu_mode", mode == Reading::of(4) ? "SR-IOV" : "N/A");
    xml_.close("gpu_virtualization_mode");
    if (const Reading license = sample_.at(Metric::kVgpuLicense); license.present()) {
      xml_.open("vgpu_software_licensed_product");
      xml_.leaf("license_status",
                flag_of(license, "Licensed (Expiry: Permanent)", "Unlicensed (Unrestricted)"));
      xml_.close("vgpu_software_licensed_product");
    }
    const Reading action = sample_.at(Metric::kRecoveryAction);
    if (v13_) {
      xml_.leaf("gpu_recovery_action", recovery_action_of(action));
    } else {
      const auto yes_no = [&](std::int64_t which) {
        return action.present() ? (action.value == which ? "Yes" : "No")
                                : words_for(action.absence);
      };
      xml_.open("gpu_reset_status");
      xml_.leaf("reset_required", yes_no(1));
      xml_.leaf("drain_and_reset_recommended", yes_no(4));
      xml_.close("gpu_reset_status");
    }
    fact("gsp_firmware_version", Fact::kGspFirmware);
  }

  void pci() {
    const auto lanes = [&](const char* name, Metric metric) {
      const Reading reading = sample_.at(metric);
      xml_.leaf(name, text_of(metric, reading) + (reading.present() ? "x" : ""));
    };
    xml_.open("pci");
    fact("pci_bus_id", Fact::kPciBusId);
    xml_.open("pci_gpu_link_info");
    group("pcie_gen", {{"max_link_gen", Metric::kPcieGenerationMax},
                       {"current_link_gen", Metric::kPcieGeneration}});
    xml_.open("link_widths");
    lanes("max_link_width", Metric::kPcieWidthMax);
    lanes("current_link_width", Metric::kPcieWidth);
    xml_.close("link_widths");
    xml_.close("pci_gpu_link_info");
    metric("replay_counter", Metric::kPcieReplays);
    metric("tx_util", Metric::kPcieTx);
    metric("rx_util", Metric::kPcieRx);
    xml_.close("pci");
  }

  void clock_events() {
    constexpr std::array kFlags{
        Leaf{"gpu_idle", Metric::kClockEventIdle},
        Leaf{"applications_clocks_setting", Metric::kClockEventApplicationsClocks},
        Leaf{"sw_power_cap", Metric::kClockEventSwPowerCap},
        Leaf{"hw_slowdown", Metric::kClockEventHwSlowdown},
        Leaf{"hw_thermal_slowdown", Metric::kClockEventHwThermalSlowdown},
        Leaf{"hw_power_brake_slowdown", Metric::kClockEventHwPowerBrake},
        Leaf{"sync_boost", Metric::kClockEventSyncBoost},
        Leaf{"sw_thermal_slowdown", Metric::kClockEventSwThermalSlowdown},
        Leaf{"display_clocks_setting", Metric::kClockEventDisplayClocks}};
    xml_.open("clocks_event_reasons");
    for (const Leaf& leaf : kFlags) {
      xml_.leaf(std::string("clocks_event_reason_") + leaf.name,
                flag_of(sample_.at(leaf.metric), "Active", "Not Active"));
    }
    xml_.close("clocks_event_reasons");
    if (!v13_) return;
    group(
        "clocks_event_reasons_counters",
        {{"clocks_event_reasons_counters_sw_power_cap", Metric::kClockEventSwPowerCapSeconds},
         {"clocks_event_reasons_counters_sync_boost", Metric::kClockEventSyncBoostSeconds},
         {"clocks_event_reasons_counters_sw_therm_slowdown",
          Metric::kClockEventSwThermalSlowdownSeconds},
         {"clocks_event_reasons_counters_hw_therm_slowdown",
          Metric::kClockEventHwThermalSlowdownSeconds},
         {"clocks_event_reasons_counters_hw_power_brake", Metric::kClockEventHwPowerBrakeSeconds}});
  }

  void memory() {
    group("fb_memory_usage", {{"total", Metric::kMemoryTotal},
                              {"reserved", Metric::kMemoryReserved},
                              {"used", Metric::kMemoryUsed},
                              {"free", Metric::kMemoryFree}});
    group(
        "bar1_memory_usage",
        {{"total", Metric::kBar1Total}, {"used", Metric::kBar1Used}, {"free", Metric::kBar1Free}});
  }

  void ecc_span(const char* name, const std::array<Metric, 4>& metrics) {
    xml_.open(name);
    metric("sram_correctable", metrics[0]);
    if (v13_) {
      metric("sram_uncorrectable_parity", metrics[1]);
      const Reading sram = sample_.at(metrics[1]);
      xml_.leaf("sram_uncorrectable_secded", sram.present() ? "0" : words_for(sram.absence));
    } else {
      metric("sram_uncorrectable", metrics[1]);
    }
    metric("dram_correctable", metrics[2]);
    metric("dram_uncorrectable", metrics[3]);
    xml_.close(name);
  }

  void ecc() {
    xml_.open("ecc_mode");
    flag("current_ecc", Metric::kEccMode, "Enabled", "Disabled");
    flag("pending_ecc", Metric::kEccMode, "Enabled", "Disabled");
    xml_.close("ecc_mode");
    xml_.open("ecc_errors");
    ecc_span("volatile", {Metric::kEccSramCorrectedVolatile, Metric::kEccSramUncorrectedVolatile,
                          Metric::kEccDramCorrectedVolatile, Metric::kEccDramUncorrectedVolatile});
    ecc_span("aggregate",
             {Metric::kEccSramCorrectedAggregate, Metric::kEccSramUncorrectedAggregate,
              Metric::kEccDramCorrectedAggregate, Metric::kEccDramUncorrectedAggregate});
    xml_.close("ecc_errors");
  }

  void retired_pages() {
    xml_.open("retired_pages");
    group("multiple_single_bit_retirement", {{"retired_count", Metric::kRetiredPagesSingleBit}});
    group("double_bit_retirement", {{"retired_count", Metric::kRetiredPagesDoubleBit}});
    flag("pending_blacklist", Metric::kRetiredPagesPending, "Yes", "No");
    flag("pending_retirement", Metric::kRetiredPagesPending, "Yes", "No");
    xml_.close("retired_pages");
  }

  void remapped_rows() {
    const Reading correctable = sample_.at(Metric::kRemappedRowsCorrectable);
    if (!correctable.present()) {
      xml_.leaf("remapped_rows", words_for(correctable.absence));
      return;
    }
    xml_.open("remapped_rows");
    metric("remapped_row_corr", Metric::kRemappedRowsCorrectable);
    metric("remapped_row_unc", Metric::kRemappedRowsUncorrectable);
    flag("remapped_row_pending", Metric::kRemappedRowsPending, "Yes", "No");
    flag("remapped_row_failure", Metric::kRemappedRowsFailure, "Yes", "No");
    xml_.open("row_remapper_histogram");
    for (const Leaf& leaf :
         {Leaf{"max", Metric::kRemapBanksMax}, Leaf{"high", Metric::kRemapBanksHigh},
          Leaf{"partial", Metric::kRemapBanksPartial}, Leaf{"low", Metric::kRemapBanksLow},
          Leaf{"none", Metric::kRemapBanksNone}}) {
      const Reading banks = sample_.at(leaf.metric);
      xml_.leaf(std::string("row_remapper_histogram_") + leaf.name,
                text_of(leaf.metric, banks) + (banks.present() ? " bank(s)" : ""));
    }
    xml_.close("row_remapper_histogram");
    xml_.close("remapped_rows");
  }

  void temperature() {
    group("temperature", {{"gpu_temp", Metric::kTemperature},
                          {"gpu_temp_tlimit", Metric::kTemperatureMargin},
                          {"gpu_temp_max_threshold", Metric::kTemperatureShutdown},
                          {"gpu_temp_slow_threshold", Metric::kTemperatureSlowdown},
                          {"gpu_temp_max_gpu_threshold", Metric::kTemperatureMax},
                          {"memory_temp", Metric::kMemoryTemperature},
                          {"gpu_temp_max_mem_threshold", Metric::kMemoryTemperatureMax}});
  }

  void power() {
    xml_.open("gpu_power_readings");
    xml_.leaf("power_state", performance_state_of(sample_.at(Metric::kPerformanceState)));
    if (v13_) {
      metric("average_power_draw", Metric::kPowerAverage);
      metric("instant_power_draw", Metric::kPower);
    } else {
      metric("power_draw", Metric::kPower);
    }
    metric("current_power_limit", Metric::kPowerLimitEnforced);
    metric("requested_power_limit", Metric::kPowerLimit);
    metric("default_power_limit", Metric::kPowerLimitDefault);
    metric("min_power_limit", Metric::kPowerLimitMin);
    metric("max_power_limit", Metric::kPowerLimitMax);
    xml_.close("gpu_power_readings");
  }

  void clocks() {
    group("clocks", {{"graphics_clock", Metric::kGraphicsClock},
                     {"sm_clock", Metric::kSmClock},
                     {"mem_clock", Metric::kMemoryClock},
                     {"video_clock", Metric::kVideoClock}});
    group("applications_clocks", {{"graphics_clock", Metric::kSmClockApplication},
                                  {"mem_clock", Metric::kMemoryClockApplication}});
    group("max_clocks", {{"graphics_clock", Metric::kGraphicsClockMax},
                         {"sm_clock", Metric::kSmClockMax},
                         {"mem_clock", Metric::kMemoryClockMax},
                         {"video_clock", Metric::kVideoClockMax}});
  }

  void processes() {
    if (sample_.processes_absence != model::Absence::kPresent) {
      xml_.leaf("processes", words_for(sample_.processes_absence));
      return;
    }
    xml_.open("processes");
    for (const model::Process& process : sample_.processes) {
      xml_.open("process_info");
      xml_.leaf("gpu_instance_id", "N/A");
      xml_.leaf("compute_instance_id", "N/A");
      xml_.leaf("pid", std::to_string(process.pid));
      xml_.leaf("type", std::string(model::process_type_name(process.type)));
      xml_.leaf("process_name", process.name);
      xml_.leaf("used_memory", quantity_of(Metric::kProcessMemory,
                                           process.row[model::column(Metric::kProcessMemory)]));
      xml_.close("process_info");
    }
    xml_.close("processes");
  }

  Xml& xml_;
  const model::GpuInfo& info_;
  const DeviceSample& sample_;
  const bool v13_;
};

}  // namespace

std::string smi_document(const Machine& machine, std::span<const std::size_t> gpus, Schema schema) {
  Xml xml;
  xml.line(R"(<?xml version="1.0" ?>)");
  xml.line(fmt::format(R"(<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_{}.dtd">)",
                       schema == Schema::kV13 ? "v13" : "v12"));
  xml.open("nvidia_smi_log");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(machine.now());
  xml.leaf("timestamp", fmt::format("{:%a %b %e %H:%M:%S %Y}",
                                    fmt::gmtime(std::chrono::system_clock::to_time_t(seconds))));
  // What a real tool never writes.
  xml.leaf("gpuscope_simulated", GPUSCOPE_VERSION);
  if (!gpus.empty()) {
    const model::GpuInfo& first = machine.info(gpus.front());
    xml.leaf("driver_version", text_of(first.fact(Fact::kDriverVersion)));
    xml.leaf("cuda_version", text_of(first.fact(Fact::kCudaVersion)));
  }
  xml.leaf("attached_gpus", std::to_string(gpus.size()));
  for (const std::size_t gpu : gpus) {
    GpuWriter(xml, machine.info(gpu), machine.sample(gpu), schema).write();
  }
  xml.close("nvidia_smi_log");
  return xml.take();
}

}  // namespace gpuscope::tools

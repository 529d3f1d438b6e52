#include "wire/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/allocation_count.h"
#include "wire/metrics_xid.h"
#include "wire/test_snapshot.h"

namespace gpuscope::wire {
namespace {

using model::Metric;
using model::Reading;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

// The lines that begin with `front`.
std::vector<std::string> lines_with(const std::string& text, std::string_view front) {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with(front)) found.push_back(line);
  }
  return found;
}

std::string family_of(const std::string& sample) { return sample.substr(0, sample.find('{')); }

constexpr std::string_view kGpu0 =
    R"(gpu="0",UUID="GPU-0a1b2c3d-4e5f-6172-8192-334455667788",pci_bus_id="00000000:06:00.0",device="nvidia0",modelName="SIM-RTX4090")";
constexpr std::string_view kTail0 = R"(,Hostname="node-1",DCGM_FI_DRIVER_VERSION="525.00")";

// The test machine, with a GPU of everything in front.
model::Snapshot full_snapshot() {
  model::Snapshot snapshot = test_snapshot();
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->simulated = false;
  inventory->gpus[0].fact(model::Fact::kPciBusId) = model::Text::of("00000000:06:00.0");
  snapshot.inventory = inventory;
  model::DeviceSample& device = snapshot.devices[0];
  for (const model::MetricInfo& row : model::metrics(model::Entity::kGpu)) {
    if (!device.at(row.id).present()) device.at(row.id) = Reading::of(0);
  }
  device.at(Metric::kEnergy) = Reading::of(4'742'776);
  device.at(Metric::kTensorActivity) = Reading::of(1234);
  device.at(Metric::kViolationPowerSeconds) = Reading::of(2'000'000);
  device.at(Metric::kBusySeconds) = Reading::of(12'345);
  device.at(Metric::kSmClockMax) = Reading::of(2520);
  device.at(Metric::kNvlinkTxRate) = Reading::of(201'000'000'000);
  device.at(Metric::kNvlinkRxRate) = Reading::of(3'800'000'000);
  device.at(Metric::kXidLast) = Reading::of(79);
  device.fans.resize(2);
  for (model::FanRow& fan : device.fans) fan.fill(Reading::of(3000));
  device.links.resize(2);
  for (model::LinkRow& link : device.links) link.fill(Reading::of(5));
  device.peers = {model::PeerLink::kNotKnownYet, model::PeerLink::kTopologyNotSupported};
  for (model::Process& process : device.processes) process.row.fill(Reading::of(1));
  device.processes[0].name = "a \"name\"";
  snapshot.trends.resize(2);
  for (model::GpuTrend& trend : snapshot.trends) {
    trend.windows.fill({true, 100'000, 102'072, 350'000});
    trend.clock_events_recent[2] = 3;
    trend.clock_events_total[2] = 7;
    trend.xids = {{13, 0, 2}, {79, 1, 1}};
    // One in 1024000 bytes per second, one that is not known, and none behind them.
    trend.link_rates = {Reading::of(20'480'000), Reading::none(model::Absence::kNotYet)};
    trend.present = true;
    trend.last_seen = snapshot.time;
  }
  snapshot.trends[1].present = false;
  snapshot.trends[1].windows.fill({});
  snapshot.trends[1].link_rates.clear();
  return snapshot;
}

void split_first_gpu(model::Snapshot& snapshot) {
  model::MigInstance instance;
  instance.profile = "1g.10gb";
  instance.row.fill(Reading::of(3100));
  instance.row[model::column(Metric::kMigMemoryUsed)] = Reading::of(7 * kMib);
  for (const auto& [gpu_instance, compute_instance] : {std::pair{7U, 0U}, {8U, 0U}, {8U, 1U}}) {
    instance.gpu_instance_id = gpu_instance;
    instance.compute_instance_id = compute_instance;
    snapshot.devices[0].mig_instances.push_back(instance);
  }
}

MetricsOptions options_with(CounterList counters) {
  MetricsOptions options;
  options.hostname = "node-1";
  options.counters = std::move(counters);
  return options;
}

MetricsOptions plain_options() {
  MetricsOptions options;
  options.hostname = "node-1";
  return options;
}

std::vector<SourceMetrics> one_source() {
  std::vector<SourceMetrics> sources(1);
  sources[0].method = "nvml";
  sources[0].up = true;
  sources[0].ticks = 7;
  return sources;
}

std::string render(MetricsText& text, const model::Snapshot* snapshot,
                   MetricsFormat format = MetricsFormat::kPrometheus,
                   std::span<const model::AbsentGpu> absent = {}) {
  AgentMetrics agent;
  agent.version = "1.2.3";
  const std::vector<SourceMetrics> sources = one_source();
  agent.sources = sources;
  agent.absent_gpus = absent;
  std::string out;
  text.append(snapshot, agent, format, out);
  return out;
}

std::string render(const model::Snapshot& snapshot, MetricsOptions options = plain_options(),
                   MetricsFormat format = MetricsFormat::kPrometheus) {
  MetricsText text(std::move(options));
  return render(text, &snapshot, format);
}

// The line of one family of the first GPU.
std::string line(std::string_view family, std::string_view value, std::string_view tail = kTail0) {
  return std::string(family).append("{").append(kGpu0).append(tail).append("} ").append(value) +
         "\n";
}

TEST(MetricsText, HasDcgmsNamesLabelsAndUnits) {
  const std::string page = render(full_snapshot());
  for (const auto& [family, value] : std::map<std::string, std::string>{
           {"DCGM_FI_DEV_SM_CLOCK", "2100"},
           {"DCGM_FI_DEV_GPU_TEMP", "46.1"},
           {"DCGM_FI_DEV_POWER_USAGE", "102.072"},
           {"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "4742776"},  // mJ
           {"DCGM_FI_DEV_GPU_UTIL", "30"},                       // percent
           {"DCGM_FI_DEV_FB_USED", "3000"},                      // MiB
           {"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "0.1234"},        // 0 to 1
           {"DCGM_FI_DEV_POWER_VIOLATION", "2000000"},           // ns
           {"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "200000"},     // MB/s of 1024000 bytes
           {"DCGM_FI_DEV_NVLINK_BANDWIDTH_L0", "20"},
           {"DCGM_FI_PROF_NVLINK_TX_BYTES", "201000000000"},  // bytes per second
           {"DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "10"}}) {
    EXPECT_THAT(page, HasSubstr(line(family, value)));
  }
  EXPECT_THAT(page, HasSubstr("# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n"));
  // Further labels come behind those that every series has.
  const std::string tail(kTail0);
  EXPECT_THAT(page,
              HasSubstr(line("DCGM_FI_DEV_XID_ERRORS", "79",
                             tail + R"(,err_code="79",err_msg="GPU has fallen off the bus")")));
  EXPECT_THAT(page, HasSubstr(line("DCGM_EXP_XID_ERRORS_COUNT", "1",
                                   tail + R"(,window_size_in_ms="300000",xid="79")")));
  EXPECT_THAT(page, HasSubstr(line("DCGM_EXP_XID_ERRORS_COUNT", "0",
                                   tail + R"(,window_size_in_ms="300000",xid="13")")));
  EXPECT_THAT(page,
              HasSubstr(line("DCGM_EXP_CLOCK_EVENTS_COUNT", "3",
                             tail + R"(,clock_event="power_cap",window_size_in_ms="300000")")));
}

// A link without a rate, and one that is not there, has no series; the labels are the GPU's.
TEST(MetricsText, HasTheLanesThatAListNames) {
  CounterList list;
  for (const char* const lane : {"0", "1", "2"}) {
    list.counters.push_back(
        {std::string("DCGM_FI_DEV_NVLINK_BANDWIDTH_L") + lane, false, true, ""});
  }
  MetricsOptions options = options_with(list);
  options.names = model::DcgmNames::kBoth;
  const model::Snapshot snapshot = full_snapshot();
  const std::string page = render(snapshot, options);
  const std::string host = R"(,Hostname="node-1")";
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_NVLINK_BANDWIDTH_L0", "20", host)));
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_NVLINK_THROUGHPUT_L0", "20", host)));
  EXPECT_EQ(lines_with(page, "DCGM_FI_DEV_NVLINK_BANDWIDTH_L").size(), 1U);
  EXPECT_THAT(page, HasSubstr("# TYPE DCGM_FI_DEV_NVLINK_BANDWIDTH_L2 counter\n"));
  // Without a list there is the first one alone.
  const std::string plain = render(snapshot);
  EXPECT_THAT(plain, HasSubstr("# TYPE DCGM_FI_DEV_NVLINK_BANDWIDTH_L0 counter\n"));
  EXPECT_THAT(plain, Not(HasSubstr("DCGM_FI_DEV_NVLINK_BANDWIDTH_L1")));
}

TEST(MetricsText, HasTheResultOfEachHealthWatch) {
  model::Snapshot snapshot = full_snapshot();
  const auto series = [](std::string_view watch, std::string_view code, std::string_view value) {
    std::string further(kTail0);
    further.append(",health_watch=\"").append(watch);
    further.append("\",health_error_code=\"").append(code).append("\"");
    return line("DCGM_EXP_GPU_HEALTH_STATUS", value, further);
  };
  // The second GPU has no verdict.
  EXPECT_EQ(lines_with(render(snapshot), "DCGM_EXP_GPU_HEALTH_STATUS{").size(), 7U);
  EXPECT_THAT(render(snapshot), HasSubstr(series("MEM", "DCGM_FR_OK", "0")));
  EXPECT_THAT(render(snapshot), Not(HasSubstr("health_watch=\"PMU\"")));
  snapshot.devices[0].source_verdict = {model::Health::kWarning, "PCIe system: replays"};
  model::Finding finding;
  finding.rule = "ecc_uncorrected";
  finding.component = "Memory";
  finding.severity = model::Health::kCritical;
  snapshot.verdicts[0].add(finding);
  snapshot.verdicts[0].overall = model::Health::kCritical;
  const std::string page = render(snapshot);
  EXPECT_EQ(lines_with(page, "DCGM_EXP_GPU_HEALTH_STATUS{").size(), 11U);
  EXPECT_THAT(page, HasSubstr(series("PCIE", "DCGM_FR_UNKNOWN", "10")));
  EXPECT_THAT(page, HasSubstr(series("MEM", "DCGM_FR_VOLATILE_DBE_DETECTED", "20")));
  EXPECT_THAT(page, HasSubstr(series("DRIVER", "DCGM_FR_OK", "0")));
}

TEST(MetricsText, HasOursInBaseUnits) {
  const std::string page = render(full_snapshot());
  const std::string host = R"(,Hostname="node-1")";
  for (const auto& [family, value] :
       std::map<std::string, std::string>{{"gpuscope_gpu_busy_seconds_total", "12.345"},
                                          {"gpuscope_gpu_clock_max_hertz", "2520000000"},
                                          {"gpuscope_gpu_power_watts_min", "100"},
                                          {"gpuscope_gpu_power_watts_mean", "102.072"},
                                          {"gpuscope_gpu_power_watts_max", "350"},
                                          {"gpuscope_gpu_health", "0"},
                                          {"gpuscope_gpu_present", "1"}}) {
    EXPECT_THAT(page, HasSubstr(line(family, value, host)));
  }
  EXPECT_THAT(page, HasSubstr(line("gpuscope_gpu_clock_events_total", "7",
                                   host + R"(,clock_event="power_cap")")));
  EXPECT_THAT(page, HasSubstr(line("gpuscope_gpu_xids_total", "2", host + R"(,xid="13")")));
  EXPECT_THAT(page, HasSubstr(line("gpuscope_fan_speed_ratio", "0.3", host + R"(,fan="1")")));
  EXPECT_THAT(page, HasSubstr(line("gpuscope_process_memory_bytes", "1",
                                   host + R"(,pid="4242",type="C",process_name="a \"name\"")")));
  EXPECT_THAT(page, HasSubstr(R"(gpuscope_nvlink_tx_bytes_total{nvlink="1",gpu="0",gpu_uuid=")"));
  EXPECT_THAT(page, HasSubstr(R"(,model_name="SIM-RTX4090",Hostname="node-1"} 5)"));
  EXPECT_THAT(page, HasSubstr(R"(,serial="SIM123456",vbios="90.00.01.00.AB",driver="525.00"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(gpuscope_build_info{version="1.2.3"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(gpuscope_source_ticks_total{method="nvml"} 7)"));
}

TEST(MetricsText, WhatIsAbsentHasNoSample) {
  const std::string page = render(full_snapshot());
  // The second GPU has a clock and a fan, and is lost.
  EXPECT_EQ(lines_with(page, "DCGM_FI_DEV_SM_CLOCK{").size(), 2U);
  EXPECT_EQ(lines_with(page, "DCGM_FI_DEV_GPU_TEMP{").size(), 1U);
  EXPECT_EQ(lines_with(page, "gpuscope_gpu_power_watts_max{").size(), 1U);
  EXPECT_THAT(page, Not(HasSubstr("NaN")));
  EXPECT_THAT(page, HasSubstr(R"(,reason="gone"} 122)"));
  EXPECT_THAT(page, HasSubstr(R"(,reason="timed_out"} 0)"));
  EXPECT_EQ(lines_with(page, R"(gpuscope_gpu_present{gpu="1")").size(), 1U);
}

TEST(MetricsText, SimulatedGpusSayThatTheyAre) {
  const std::string page = render(test_snapshot());
  for (const std::string& each : lines_of(page)) {
    if (each.find("gpu=\"") == each.npos) continue;
    EXPECT_THAT(each, HasSubstr(",simulated=\"true\"} "));
  }
  EXPECT_THAT(render(full_snapshot()), Not(HasSubstr("simulated")));
}

// In both formats: HELP and TYPE once per family, in front of its samples, which stand together; no
// series twice.
TEST(MetricsText, IsWellFormed) {
  model::Snapshot snapshot = full_snapshot();
  split_first_gpu(snapshot);
  for (const MetricsFormat format : {MetricsFormat::kPrometheus, MetricsFormat::kOpenMetrics}) {
    const bool open_metrics = format == MetricsFormat::kOpenMetrics;
    MetricsOptions options = plain_options();
    options.names = model::DcgmNames::kBoth;
    std::vector<std::string> lines = lines_of(render(snapshot, options, format));
    if (open_metrics) {
      EXPECT_EQ(lines.back(), "# EOF");
      lines.pop_back();
    }
    std::set<std::string> families;
    std::set<std::string> series;
    std::string family;
    std::string type;
    for (const std::string& each : lines) {
      if (each.starts_with("# HELP ")) {
        family = each.substr(7, each.find(' ', 7) - 7);
        EXPECT_TRUE(families.insert(family).second) << family << " stands there twice";
      } else if (each.starts_with("# TYPE ")) {
        EXPECT_TRUE(each.starts_with("# TYPE " + family + " ")) << each;
        type = each.substr(each.rfind(' ') + 1);
      } else {
        EXPECT_TRUE(series.insert(each.substr(0, each.rfind(' '))).second) << each;
        const std::string name = each.substr(0, each.find_first_of("{ "));
        const bool counter = open_metrics && type == "counter";
        EXPECT_EQ(name, counter ? family + "_total" : family);
        EXPECT_FALSE(open_metrics && !counter && name.ends_with("_total")) << name;
      }
    }
    EXPECT_GT(families.size(), 200U);
  }
}

TEST(MetricsText, NamesDoNotChangeWithTheFormat) {
  const auto names = [](MetricsFormat format) {
    std::set<std::string> found;
    for (const std::string& each : lines_of(render(full_snapshot(), plain_options(), format))) {
      if (!each.starts_with('#')) found.insert(family_of(each));
    }
    return found;
  };
  EXPECT_EQ(names(MetricsFormat::kPrometheus), names(MetricsFormat::kOpenMetrics));
  const std::string page = render(full_snapshot(), plain_options(), MetricsFormat::kOpenMetrics);
  EXPECT_THAT(page, HasSubstr("# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION unknown\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE gpuscope_gpu_busy_seconds counter\n"));
}

TEST(MetricsText, InstancesStandForASplitGpu) {
  model::Snapshot snapshot = full_snapshot();
  split_first_gpu(snapshot);
  const std::string page = render(snapshot);
  EXPECT_EQ(lines_with(page, "DCGM_FI_DEV_FB_USED{"),
            (std::vector<std::string>{
                "DCGM_FI_DEV_FB_USED{" + std::string(kGpu0) +
                    R"(,GPU_I_PROFILE="1g.10gb",GPU_I_ID="7")" + std::string(kTail0) + "} 7",
                "DCGM_FI_DEV_FB_USED{" + std::string(kGpu0) +
                    R"(,GPU_I_PROFILE="1g.10gb",GPU_I_ID="8")" + std::string(kTail0) + "} 7"}));
  EXPECT_EQ(lines_with(page, "DCGM_FI_PROF_GR_ENGINE_ACTIVE{").size(), 2U);
  // Temperature and power are the whole GPU's.
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_GPU_TEMP", "46.1")));
  EXPECT_EQ(lines_with(page, "gpuscope_mig_ecc_sram_uncorrected_errors_total{").size(), 3U);
}

TEST(MetricsText, TakesDcgmsNewNames) {
  MetricsOptions options = plain_options();
  options.names = model::DcgmNames::kNew;
  const std::string page = render(full_snapshot(), options);
  EXPECT_THAT(page, HasSubstr("DCGM_FI_DEV_GPU_UTIL_RATIO{"));
  // What a name promises is DCGM's to know: it is percent all the same.
  EXPECT_THAT(page,
              HasSubstr(line("DCGM_FI_DEV_GPU_UTIL_RATIO", "30",
                             R"(,Hostname="node-1",DCGM_FI_SYSTEM_DRIVER_VERSION="525.00")")));
  EXPECT_THAT(page, Not(HasSubstr("DCGM_FI_DEV_GPU_UTIL{")));
  EXPECT_THAT(page, HasSubstr("DCGM_FI_DEV_SM_CLOCK{"));
  options.names = model::DcgmNames::kBoth;
  const std::string both = render(full_snapshot(), options);
  EXPECT_THAT(both, HasSubstr("DCGM_FI_DEV_GPU_UTIL_RATIO{"));
  EXPECT_THAT(both, HasSubstr("DCGM_FI_DEV_GPU_UTIL{"));
  EXPECT_EQ(lines_with(both, "# TYPE DCGM_FI_DEV_SM_CLOCK ").size(), 1U);
}

TEST(MetricsText, TakesTheHostnamesLabel) {
  MetricsOptions options = plain_options();
  options.hostname_label = "hostname";
  const std::string page = render(full_snapshot(), options);
  EXPECT_THAT(page, HasSubstr(",hostname=\"node-1\","));
  EXPECT_THAT(page, Not(HasSubstr("Hostname")));
}

TEST(MetricsText, AListOfCountersChooses) {
  CounterList list;
  list.counters = {{"DCGM_FI_DEV_GPU_TEMP", false, false, "Their own \\ help"},
                   {"DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", false, true, ""},
                   {"DCGM_FI_DEV_BOARD_POWER_WATTS", false, false, ""},
                   {"DCGM_FI_DEV_SERIAL", true, false, ""}};
  model::Snapshot snapshot = full_snapshot();
  snapshot.devices[0].at(Metric::kClockEventSwPowerCap) = Reading::of(1);
  snapshot.devices[0].at(Metric::kClockEventDisplayClocks) = Reading::of(1);
  const std::string page = render(snapshot, options_with(list));
  std::set<std::string> dcgm;
  for (const std::string& each : lines_with(page, "# TYPE DCGM_")) dcgm.insert(each.substr(7));
  EXPECT_EQ(dcgm, (std::set<std::string>{"DCGM_FI_DEV_GPU_TEMP gauge",
                                         "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS counter",
                                         "DCGM_FI_DEV_BOARD_POWER_WATTS gauge"}));
  const std::string tail = R"(,Hostname="node-1",DCGM_FI_DEV_SERIAL="SIM123456")";
  EXPECT_THAT(page, HasSubstr("# HELP DCGM_FI_DEV_GPU_TEMP Their own \\\\ help\n"));
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_GPU_TEMP", "46.1", tail)));
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "260", tail)));
  EXPECT_THAT(page, HasSubstr(line("DCGM_FI_DEV_BOARD_POWER_WATTS", "102.072", tail)));
  // Ours are not DCGM's to choose.
  EXPECT_THAT(page, HasSubstr("gpuscope_gpu_busy_seconds_total{"));
}

TEST(MetricsText, SaysHowEachOtherGpuIsReached) {
  const model::Snapshot snapshot = full_snapshot();
  const auto lines = lines_with(render(snapshot), "DCGM_EXP_P2P_STATUS{");
  ASSERT_EQ(lines.size(), 1U) << "of the GPU that knows, and not of itself";
  EXPECT_THAT(lines[0], HasSubstr(",peer_gpu=\"1\",link_status=\"TopologyNotSupported\"} 3"));
}

// Every row of the catalogue has a name by default, and is served under each that it has.
TEST(MetricsText, ServesEveryMetric) {
  model::Snapshot snapshot = full_snapshot();
  const std::string whole = render(snapshot);
  split_first_gpu(snapshot);
  const std::string split = render(snapshot);
  for (const model::MetricInfo& row : model::metrics()) {
    EXPECT_FALSE(model::metrics_names(row.id).empty()) << row.key << " is served under no name";
    for (const std::string_view name : model::metrics_names(row.id)) {
      const std::string front = std::string(name) + "{";
      const bool of_instance = row.entity == model::Entity::kMigInstance;
      EXPECT_FALSE(lines_with(of_instance ? split : whole, front).empty()) << name;
    }
  }
}

// The other page has those.
TEST(MetricsText, RepeatsNoFamilyOfGpuMetric) {
  const std::string page = render(full_snapshot());
  for (const model::Family& family : model::gpu_metric_naming().families) {
    EXPECT_TRUE(lines_with(page, std::string(family.name) + "{").empty()) << family.name;
  }
}

TEST(MetricsText, SaysWhoIsMissingEvenWithoutADriver) {
  std::vector<model::AbsentGpu> absent(1);
  absent[0].index = 3;
  absent[0].info.fact(model::Fact::kUuid) = model::Text::of("GPU-x");
  absent[0].last_seen = base::WallTime{std::chrono::microseconds{1'795'339'482'736'284}};
  MetricsText text(plain_options());
  for (const MetricsFormat format : {MetricsFormat::kPrometheus, MetricsFormat::kOpenMetrics}) {
    const std::string page = render(text, nullptr, format, absent);
    const std::string labels =
        R"({gpu="3",UUID="GPU-x",pci_bus_id="",device="nvidia3",modelName="",Hostname="node-1"} )";
    EXPECT_THAT(page, HasSubstr("gpuscope_gpu_present" + labels + "0\n"));
    EXPECT_THAT(page, HasSubstr("gpuscope_gpu_last_seen_timestamp_seconds" + labels +
                                "1795339482.736284\n"));
    EXPECT_THAT(page, HasSubstr("gpuscope_source_up{method=\"nvml\"} 1\n"));
    EXPECT_THAT(page, Not(HasSubstr("DCGM_")));
  }
}

TEST(MetricsText, FollowsTheInventory) {
  MetricsText text(plain_options());
  model::Snapshot snapshot = full_snapshot();
  render(text, &snapshot);
  auto inventory = std::make_shared<model::Inventory>(*snapshot.inventory);
  inventory->gpus.resize(3);
  inventory->gpus[0].fact(model::Fact::kName) = model::Text::of(std::string(300, 'n'));
  snapshot.inventory = inventory;
  snapshot.devices.resize(3);
  snapshot.devices[2].at(Metric::kPower) = Reading::of(1);
  snapshot.trends.clear();  // nobody follows
  MetricsText fresh(plain_options());
  EXPECT_EQ(render(text, &snapshot), render(fresh, &snapshot));
}

TEST(MetricsText, ADriversErrorIsALabelOfBoundedLength) {
  std::string error(239, 'x');
  error += "é and more";
  SourceMetrics source;
  source.method = "nvml";
  source.error = error;
  AgentMetrics agent;
  agent.sources = std::span(&source, 1);
  std::string out;
  append_agent_metrics(out, agent, MetricsFormat::kPrometheus);
  EXPECT_THAT(out, HasSubstr("gpuscope_source_error_info{method=\"nvml\",error=\"" +
                             std::string(239, 'x') + "\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("gpuscope_source_up{method=\"nvml\"} 0\n"));
  // What the system does not say is not there.
  EXPECT_THAT(out, Not(HasSubstr("process_")));
}

TEST(MetricsText, AllocatesNothingForASteadyMachine) {
  MetricsText text(plain_options());
  model::Snapshot snapshot = full_snapshot();
  split_first_gpu(snapshot);
  AgentMetrics agent;
  std::string out;
  for (const MetricsFormat format : {MetricsFormat::kPrometheus, MetricsFormat::kOpenMetrics}) {
    text.append(&snapshot, agent, format, out);
    const std::string first = std::exchange(out, {});
    out.reserve(2 * first.size());
    const std::size_t before = base::allocation_count();
    text.append(&snapshot, agent, format, out);
    EXPECT_EQ(base::allocation_count() - before, 0U);
    EXPECT_EQ(out, first);
    out.clear();
  }
}

TEST(XidText, HasWords) {
  EXPECT_EQ(xid_text(0), "No Error");
  EXPECT_EQ(xid_text(79), "GPU has fallen off the bus");
  EXPECT_EQ(xid_text(7777), "Unknown Error");
}

}  // namespace
}  // namespace gpuscope::wire

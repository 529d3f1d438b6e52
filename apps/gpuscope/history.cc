// `gpuscope history`: looks at the file in which an agent remembers, and takes things out and in.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "base/clock.h"
#include "base/duration.h"
#include "history/reader.h"
#include "history_tool.h"

namespace gpuscope::app {
namespace {

using base::Result;

constexpr std::size_t kMaxGaps = 20;
constexpr int kSignalled = 128;  // and the number of the signal, as shells have it

std::string size_text(std::uint64_t bytes) {
  constexpr double kStep = 1024;
  double size = static_cast<double>(bytes) / kStep;
  const char* unit = "KiB";
  for (const char* next : {"MiB", "GiB"}) {
    if (size < kStep) break;
    size /= kStep;
    unit = next;
  }
  return fmt::format("{:.1f} {}", size, unit);
}

std::string length_text(std::chrono::microseconds length) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(length).count();
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86'400, seconds / 3600 % 24);
}

std::string ratio_text(std::uint64_t bytes, std::uint64_t samples) {
  if (samples == 0) return "-";
  return fmt::format("{:.2f}", static_cast<double>(bytes) / static_cast<double>(samples));
}

void print_gpus(const std::vector<history::StoredGpu>& gpus) {
  std::cout << fmt::format("GPUs              {}\n", gpus.size());
  for (const history::StoredGpu& gpu : gpus) {
    std::cout << fmt::format("                  {}  {}{}\n", gpu.uuid, gpu.info.name(),
                             gpu.simulated ? "  SIMULATED" : "");
  }
}

void print_info(const std::string& path, const history::HistoryInfo& info) {
  std::cout << fmt::format("file              {}\n", path);
  std::cout << fmt::format("size              {}, {} of it free, {} more in its log\n",
                           size_text(info.bytes), size_text(info.free_bytes),
                           size_text(info.log_bytes));
  if (info.first && info.last) {
    std::cout << fmt::format("ticks             {} from {} to {} ({})\n", info.ticks,
                             base::format_utc(*info.first), base::format_utc(*info.last),
                             length_text(*info.last - *info.first));
  } else {
    std::cout << "ticks             none\n";
  }
  std::cout << fmt::format("samples           {}\n", info.samples);
  std::cout << fmt::format("bytes a sample    {} of ticks, {} of the whole file\n",
                           ratio_text(info.payload_bytes, info.samples),
                           ratio_text(info.bytes, info.samples));
  if (info.first_minute) {
    std::cout << fmt::format("minutes from      {}\n", base::format_utc(*info.first_minute));
  }
  if (info.first_hour) {
    std::cout << fmt::format("hours from        {}\n", base::format_utc(*info.first_hour));
  }
}

Result<void> show_info(const HistoryCommand& command, Stop& stop) {
  const auto path = history_file(command);
  if (!path) return std::unexpected(path.error());
  const auto gap = base::parse_duration(command.gap);
  if (!gap || *gap < std::chrono::milliseconds{100}) {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot use --gap: '{}' is not a duration from 100ms on, such as "
                                  "1m",
                                  command.gap));
  }
  const history::HistoryReader reader(*path, nullptr, stop.question());
  const auto info = reader.info(*gap, kMaxGaps);
  if (!info) return std::unexpected(info.error());
  const auto gpus = reader.gpus();
  if (!gpus) return std::unexpected(gpus.error());
  print_info(*path, *info);
  print_gpus(*gpus);
  const bool more = info->gaps.size() == kMaxGaps;
  std::cout << fmt::format("gaps              {} of {} or longer{}\n", info->gaps.size(),
                           length_text(*gap), more ? ", the newest; perhaps more" : "");
  for (const model::TimeRange& each : info->gaps) {
    std::cout << fmt::format("                  {} to {} ({})\n", base::format_utc(each.begin),
                             base::format_utc(each.end), length_text(each.end - each.begin));
  }
  return {};
}

std::uint64_t size_of(const std::string& path) {
  std::uint64_t bytes = 0;
  for (const char* part : {"", "-wal"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path + part, error);
    if (!error) bytes += size;
  }
  return bytes;
}

Result<void> run_vacuum(const HistoryCommand& command, Stop& stop) {
  const auto path = history_file(command);
  if (!path) return std::unexpected(path.error());
  const auto before = size_of(*path);
  if (auto done = history::vacuum(*path, stop.question()); !done) return done;
  std::cout << fmt::format("{}: {} before, {} now\n", *path, size_text(before),
                           size_text(size_of(*path)));
  return {};
}

Result<void> dispatch(const HistoryCommand& command, Stop& stop) {
  switch (command.action) {
    case HistoryCommand::Action::kExport:
      return export_history(command, stop);
    case HistoryCommand::Action::kInfo:
      return show_info(command, stop);
    case HistoryCommand::Action::kVacuum:
      return run_vacuum(command, stop);
    case HistoryCommand::Action::kImport:
      return import_history(command, stop);
    case HistoryCommand::Action::kRecord:
      return record_history(command, stop);
  }
  return {};
}

}  // namespace

int run(const HistoryCommand& command) {
  base::StopSignals signals;
  Stop stop(signals);
  const auto done = dispatch(command, stop);
  if (!done && stop.asked()) {
    std::cerr << fmt::format("gpuscope: stopped by signal {}\n", stop.signal());
    return kSignalled + stop.signal();
  }
  const bool written = std::fflush(stdout) == 0 && std::cout.flush();
  if (!done) {
    std::cerr << "gpuscope: " << done.error().message << '\n';
    return 1;
  }
  if (written) return 0;
  std::cerr << "gpuscope: cannot write to standard output\n";
  return 1;
}

}  // namespace gpuscope::app

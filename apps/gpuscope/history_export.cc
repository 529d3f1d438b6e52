// `gpuscope history export`: one CSV file per GPU, or OpenMetrics.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <map>
#include <optional>
#include <vector>

#include "base/duration.h"
#include "base/file.h"
#include "base/text.h"
#include "history/reader.h"
#include "history_tool.h"
#include "model/labels.h"
#include "wire/history_csv.h"
#include "wire/history_openmetrics.h"

namespace gpuscope::app {
namespace {

using base::ErrorKind;
using base::Result;
using base::WallTime;
using model::SeriesKey;
using model::SeriesSample;
using std::chrono::microseconds;

constexpr microseconds kStretch = std::chrono::hours{6};  // that is in memory at once
constexpr microseconds kMinute = std::chrono::minutes{1};
constexpr std::size_t kFlush = 1 << 20;

struct Plan {
  const history::HistoryReader& reader;
  std::vector<history::StoredGpu> gpus;
  std::map<std::string, std::vector<SeriesKey>> series;  // by GPU
  model::TimeRange range;
  microseconds step{0};  // 0: every tick
  bool all = false;

  microseconds stretch() const {
    return step == microseconds{0} ? kStretch : std::max(step, kStretch / step * step);
  }
  std::uint64_t stretches() const {
    return static_cast<std::uint64_t>((range.end - range.begin) / stretch()) + 1;
  }
};

Result<WallTime> time_of(std::string_view option, const std::string& text, WallTime now,
                         WallTime fallback) {
  if (text.empty()) return fallback;
  if (const auto time = base::parse_moment(text, now)) return *time;
  return base::fail(ErrorKind::kInvalidArgument, fmt::format("cannot use --{}: '{}' is not {}",
                                                             option, text, base::kMomentTakes));
}

// From the begin of a step, so that the same steps come whenever it is asked.
WallTime aligned(WallTime time, microseconds step) {
  return step == microseconds{0} ? time : time - time.time_since_epoch() % step;
}

Result<void> choose_range(const HistoryCommand& command, const base::Clock& clock, Plan& plan) {
  if (!command.step.empty()) {
    const auto step = base::parse_duration(command.step);
    if (!step || *step < std::chrono::milliseconds{100}) {
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot use --step: '{}' is not a duration from 100ms on, "
                                    "such as 1m",
                                    command.step));
    }
    plan.step = *step;
  }
  const auto span = plan.reader.span();
  if (!span) return std::unexpected(span.error());
  const WallTime now = clock.wall_now();
  WallTime first = span->first.value_or(now);
  // Minutes are kept for longer than ticks.
  if (plan.step >= kMinute) first = std::min(first, span->first_minute.value_or(first));
  const auto end = time_of("to", command.to, now, span->last.value_or(first) + microseconds{1});
  if (!end) return std::unexpected(end.error());
  const auto begin = time_of("from", command.from, now, std::min(first, *end));
  if (!begin) return std::unexpected(begin.error());
  if (*end < *begin) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot export a range that ends ({}) before it begins ({})",
                                  base::format_utc(*end), base::format_utc(*begin)));
  }
  // What is not there costs no time.
  plan.range.begin = aligned(std::max(*begin, first), plan.step);
  plan.range.end =
      std::max(plan.range.begin, std::min(*end, span->last.value_or(first) + microseconds{1}));
  return {};
}

Result<Plan> make_plan(const HistoryCommand& command, const history::HistoryReader& reader,
                       const base::Clock& clock) {
  Plan plan{.reader = reader, .gpus = {}, .series = {}, .range = {}, .all = command.all};
  auto gpus = reader.gpus();
  if (!gpus) return std::unexpected(std::move(gpus.error()));
  plan.gpus = std::move(*gpus);
  const auto series = reader.select({});
  if (!series) return std::unexpected(series.error());
  for (const SeriesKey& key : *series) plan.series[key.gpu].push_back(key);
  if (auto done = choose_range(command, clock, plan); !done) return std::unexpected(done.error());
  return plan;
}

// The samples of one series, or of the verdict on a GPU, or one sample for each step.
Result<std::vector<SeriesSample>> read(const Plan& plan, const std::string& gpu,
                                       const std::optional<SeriesKey>& key,
                                       const model::TimeRange& range) {
  if (plan.step == microseconds{0}) {
    return key ? plan.reader.samples(*key, range) : plan.reader.health_samples(gpu, range);
  }
  const auto count = static_cast<std::size_t>((range.end - range.begin) / plan.step);
  const auto buckets =
      key ? plan.reader.buckets(*key, range, count) : plan.reader.health_buckets(gpu, range, count);
  if (!buckets) return std::unexpected(buckets.error());
  const bool gauge = key && model::info(key->metric).kind == model::Kind::kGauge;
  std::vector<SeriesSample> samples;
  for (std::size_t i = 0; i < buckets->size(); ++i) {
    const model::SeriesBucket& bucket = (*buckets)[i];
    if (bucket.count == 0) continue;
    const std::int64_t value = gauge ? std::llround(bucket.mean) : bucket.last;
    samples.push_back({range.begin + plan.step * i, model::Reading::of(value)});
  }
  return samples;
}

// Calls `use` for one stretch of the range after the other.
template <typename Use>
Result<void> each_stretch(const Plan& plan, Use use) {
  for (WallTime at = plan.range.begin; at < plan.range.end; at += plan.stretch()) {
    WallTime end = at + plan.stretch();
    if (plan.step == microseconds{0}) end = std::min(end, plan.range.end);
    if (auto done = use(model::TimeRange{at, end}); !done) return done;
  }
  return {};
}

// Columns to rows, by time.
void append_rows(std::string& out, const std::vector<wire::HistoryColumn>& columns,
                 const std::vector<std::vector<SeriesSample>>& samples, WallTime end) {
  std::vector<std::size_t> next(columns.size(), 0);
  std::vector<model::Reading> readings(columns.size());
  for (;;) {
    WallTime time = WallTime::max();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (next[i] < samples[i].size()) time = std::min(time, samples[i][next[i]].time);
    }
    if (time >= end) return;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool has = next[i] < samples[i].size() && samples[i][next[i]].time == time;
      readings[i] = has ? samples[i][next[i]].reading : model::Reading{};
      if (has) ++next[i];
    }
    wire::append_csv_row(out, time, columns, readings);
  }
}

Result<void> export_csv(const Plan& plan, const history::StoredGpu& gpu,
                        const std::string& directory, Work& work) {
  std::vector<wire::HistoryColumn> columns = wire::standard_columns(gpu.uuid);
  if (const auto known = plan.series.find(gpu.uuid); plan.all && known != plan.series.end()) {
    std::ranges::move(wire::further_columns(known->second), std::back_inserter(columns));
  }
  auto file = OutputFile::open(fmt::format("{}/{}.csv", directory, gpu.uuid));
  if (!file) return std::unexpected(std::move(file.error()));
  std::string text;
  wire::append_csv_header(text, columns);
  auto done = each_stretch(plan, [&](const model::TimeRange& range) -> Result<void> {
    std::vector<std::vector<SeriesSample>> samples;
    for (const wire::HistoryColumn& column : columns) {
      auto read_samples = read(plan, gpu.uuid, column.series, range);
      if (!read_samples) return std::unexpected(std::move(read_samples.error()));
      samples.push_back(std::move(*read_samples));
    }
    append_rows(text, columns, samples, plan.range.end);
    if (auto written = file->write(text); !written) return written;
    text.clear();
    return work.step();
  });
  if (!done) return done;
  if (done = file->write(text); !done) return done;
  return file->finish();
}

// A name that is nothing but a name: what it becomes is a file.
bool is_plain(std::string_view name) {
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return base::is_name_char(c) || c == '-' || c == '.';
  });
}

Result<void> export_all_csv(const Plan& plan, const std::string& directory, Work& work) {
  if (auto made = base::make_directories(directory); !made) return made;
  for (const history::StoredGpu& gpu : plan.gpus) {
    if (!is_plain(gpu.uuid)) {
      std::cerr << "gpuscope: cannot name a file after a GPU: its UUID is no plain name\n";
      continue;
    }
    if (auto done = export_csv(plan, gpu, directory, work); !done) return done;
  }
  return {};
}

Result<std::vector<wire::Label>> labels_of(const HistoryCommand& command) {
  std::vector<wire::Label> labels;
  for (const std::string& text : command.labels) {
    const auto end = text.find('=');
    const std::string_view name = std::string_view(text).substr(0, end);
    if (end == std::string::npos || !model::is_label_name(name)) {
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot use --label: '{}' is not NAME=VALUE", text));
    }
    labels.emplace_back(name, text.substr(end + 1));
  }
  return labels;
}

// The series of one family, of one GPU.
std::vector<SeriesKey> keys_of(const Plan& plan, const wire::ExportFamily& family,
                               const std::string& gpu) {
  std::vector<SeriesKey> keys;
  const auto known = plan.series.find(gpu);
  if (known == plan.series.end()) return keys;
  for (const SeriesKey& key : known->second) {
    if (!family.metric || key.metric == *family.metric) keys.push_back(key);
    if (!family.metric) break;
  }
  return keys;
}

// What the verdict on a GPU was, for times that rise.
class Verdicts {
 public:
  explicit Verdicts(std::vector<SeriesSample> samples) : samples_(std::move(samples)) {}

  model::Health at(WallTime time) {
    while (next_ < samples_.size() && samples_[next_].time <= time) ++next_;
    if (next_ == 0 || samples_[next_ - 1].time != time) return model::Health::kUnknown;
    const model::Reading& reading = samples_[next_ - 1].reading;
    const bool known = reading.present() && reading.value >= 0 &&
                       reading.value <= static_cast<std::int64_t>(model::Health::kUnknown);
    return known ? static_cast<model::Health>(reading.value) : model::Health::kUnknown;
  }

 private:
  std::vector<SeriesSample> samples_;
  std::size_t next_ = 0;
};

// One series, but for its label of health, which makes several.
class ExportSeries {
 public:
  ExportSeries(const Plan& plan, const wire::ExportFamily& family, const wire::ExportGpu& gpu,
               const SeriesKey& key, const std::vector<wire::Label>& labels)
      : plan_(plan), family_(family), gpu_(gpu.uuid), key_(key) {
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      labels_[i] = wire::export_labels(family, gpu, key, static_cast<model::Health>(i), labels);
    }
  }
  Result<void> append(const model::TimeRange& range, std::string& out) const {
    const auto samples =
        read(plan_, gpu_, family_.metric ? std::optional(key_) : std::nullopt, range);
    if (!samples) return std::unexpected(samples.error());
    std::vector<SeriesSample> health;
    if (!family_.of_page && !samples->empty()) {
      auto found = read(plan_, gpu_, std::nullopt, range);
      if (!found) return std::unexpected(std::move(found.error()));
      health = std::move(*found);
    }
    Verdicts verdicts(std::move(health));
    // A clock that stepped back may have left two of one time; the engine takes one.
    WallTime last = WallTime::min();
    for (const SeriesSample& sample : *samples) {
      const auto& own = labels_[static_cast<std::size_t>(verdicts.at(sample.time))];
      if (sample.time != last) wire::append_export_sample(out, family_, own, sample);
      last = sample.time;
    }
    return {};
  }

 private:
  const Plan& plan_;
  const wire::ExportFamily& family_;
  const std::string& gpu_;
  const SeriesKey key_;
  std::array<std::string, static_cast<std::size_t>(model::Health::kUnknown) + 1> labels_;
};

Result<void> export_family(const Plan& plan, const wire::ExportFamily& family,
                           const std::vector<wire::Label>& labels, OutputFile& file, Work& work) {
  std::string text;
  wire::append_export_header(text, family);
  const std::size_t header = text.size();
  bool any = false;
  for (const history::StoredGpu& gpu : plan.gpus) {
    const wire::ExportGpu who{gpu.uuid,  gpu.simulated, gpu.info,
                              gpu.index, gpu.host,      gpu.mig_profiles};
    for (const SeriesKey& key : keys_of(plan, family, gpu.uuid)) {
      const ExportSeries series(plan, family, who, key, labels);
      auto done = each_stretch(plan, [&](const model::TimeRange& range) -> Result<void> {
        if (auto appended = series.append(range, text); !appended) return appended;
        if (text.size() >= kFlush || (any && !text.empty())) {
          if (auto written = file.write(text); !written) return written;
          any = true;
          text.clear();
        }
        return work.step();
      });
      if (!done) return done;
    }
  }
  // A family without samples has no header, either.
  return any || text.size() > header ? file.write(text) : Result<void>{};
}

Result<void> export_openmetrics(const Plan& plan, const HistoryCommand& command, Work& work,
                                const std::vector<wire::ExportFamily>& families) {
  const auto labels = labels_of(command);
  if (!labels) return std::unexpected(labels.error());
  auto file = OutputFile::open(command.out.empty() ? "-" : command.out);
  if (!file) return std::unexpected(std::move(file.error()));
  for (const wire::ExportFamily& family : families) {
    if (auto done = export_family(plan, family, *labels, *file, work); !done) return done;
  }
  if (auto done = file->write(wire::kExportEnd); !done) return done;
  return file->finish();
}

}  // namespace

Result<void> export_history(const HistoryCommand& command, Stop& stop) {
  const auto path = history_file(command);
  if (!path) return std::unexpected(path.error());
  const bool csv = command.format == "csv";
  if (csv && command.out.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      "cannot tell where to put the files: give --out DIR");
  }
  const history::HistoryReader reader(*path, nullptr, stop.question());
  const base::SystemClock clock;
  const auto plan = make_plan(command, reader, clock);
  if (!plan) return std::unexpected(plan.error());
  if (plan->range.begin == plan->range.end) {
    std::cerr << "gpuscope: there is nothing in this range\n";
  }
  std::uint64_t total = plan->stretches() * plan->gpus.size();
  if (csv) {
    Work work(stop, clock, "exports", total);
    return export_all_csv(*plan, command.out, work);
  }
  const auto families = wire::export_families(command.all);
  total *= families.size();
  Work work(stop, clock, "exports", total);
  return export_openmetrics(*plan, command, work, families);
}

}  // namespace gpuscope::app

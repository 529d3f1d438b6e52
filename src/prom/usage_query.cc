#include "prom/usage_query.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "model/catalog.h"
#include "model/naming.h"

namespace gpuscope::prom {
namespace {

using model::Metric;
using model::UsageMetric;

// The catalogue's metrics that tell it, best first.
std::vector<Metric> metrics_of(UsageMetric metric) {
  switch (metric) {
    case UsageMetric::kGpuUtil:
      return {Metric::kGpuUtilization};
    case UsageMetric::kMemCopy:
      return {Metric::kMemoryUtilization};
    case UsageMetric::kMemUsed:
      return {Metric::kMemoryUsed};
    case UsageMetric::kMemFree:
      return {Metric::kMemoryFree};
    case UsageMetric::kPower:
      return {Metric::kPower};
    case UsageMetric::kSmClock:
      return {Metric::kSmClock};
    case UsageMetric::kPowerLimit:
      return {Metric::kPowerLimitEnforced, Metric::kPowerLimit};
  }
  return {};
}

// By how much a family's number is smaller than the catalogue's.
double divisor(const model::MetricsFamily& family) {
  constexpr double kTen = 10;
  return std::ldexp(1.0, family.binary_shift) * std::pow(kTen, family.decimal_shift);
}

// Reads `label op "value"` after `label op "value"`.
class ConditionReader {
 public:
  explicit ConditionReader(std::string_view text) : text_(text) {}

  base::Result<std::vector<Matcher>> read() {
    skip_blanks();
    std::vector<Matcher> matchers;
    if (at_end()) return matchers;
    if (!take('{')) return wrong("it takes a selector's braces, such as {pod!=\"\"}");
    for (;;) {
      skip_blanks();
      if (take('}')) break;
      Matcher matcher{.label = take_name(), .op = take_operator(), .value = take_value()};
      if (matcher.label.empty()) return wrong("a label's name is missing");
      if (matcher.op.empty()) return wrong("a label takes =, !=, =~ or !~ behind its name");
      if (matcher.value.empty()) return wrong("a label's value takes quotes around it");
      matchers.push_back(std::move(matcher));
      skip_blanks();
      if (take(',')) continue;
      if (take('}')) break;
      return wrong("a comma or the closing brace is missing");
    }
    skip_blanks();
    if (!at_end()) return wrong("there is something behind the closing brace");
    return matchers;
  }

 private:
  base::Result<std::vector<Matcher>> wrong(std::string_view what) const {
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("'{}' is not a query condition: {}", text_, what));
  }
  bool at_end() const { return at_ == text_.size(); }
  void skip_blanks() {
    while (!at_end() && base::is_blank(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string take_name() {
    skip_blanks();
    const std::size_t begin = at_;
    while (!at_end() && base::is_name_char(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string take_operator() {
    skip_blanks();
    for (const std::string_view op : {"=~", "!=", "!~", "="}) {
      if (!text_.substr(at_).starts_with(op)) continue;
      at_ += op.size();
      return std::string(op);
    }
    return {};
  }
  // With its quotes; empty: there is none, or it has no end.
  std::string take_value() {
    skip_blanks();
    if (at_end()) return {};
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    if (quote != '"' && quote != '\'' && quote != '`') return {};
    while (!at_end() && text_[at_] != quote) {
      at_ += text_[at_] == '\\' && quote != '`' ? 2U : 1U;
      at_ = std::min(at_, text_.size());
    }
    if (!take(quote)) return {};
    return std::string(text_.substr(begin, at_ - begin));
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

constexpr std::size_t kDigits = 16;

// `[0-9a-cA-C]`: from one digit to another, both included.
std::string digits(std::size_t first, std::size_t last) {
  constexpr std::size_t kTen = 10;
  const auto letter = [](std::size_t digit, std::string_view letters) {
    return letters[digit - kTen];
  };
  std::string out = "[";
  if (first < kTen) out += fmt::format("{}-{}", first, std::min(last, kTen - 1));
  if (last >= kTen) {
    const std::size_t from = std::max(first, kTen);
    out += fmt::format("{}-{}{}-{}", letter(from, "abcdef"), letter(last, "abcdef"),
                       letter(from, "ABCDEF"), letter(last, "ABCDEF"));
  }
  return out + "]";
}

// A regular expression of UUIDs whose last two digits are in the range, which is not empty.
std::string uuid_pattern(const UuidRange& range) {
  std::vector<std::string> parts;
  const auto add = [&](std::size_t high_first, std::size_t high_last, std::size_t low_first,
                       std::size_t low_last) {
    parts.push_back(digits(high_first, high_last) + digits(low_first, low_last));
  };
  const std::size_t last = range.end - 1;
  const std::size_t high_first = range.begin / kDigits;
  const std::size_t high_last = last / kDigits;
  if (high_first == high_last) {
    add(high_first, high_last, range.begin % kDigits, last % kDigits);
  } else {
    add(high_first, high_first, range.begin % kDigits, kDigits - 1);
    if (high_first + 1 < high_last) add(high_first + 1, high_last - 1, 0, kDigits - 1);
    add(high_last, high_last, 0, last % kDigits);
  }
  return fmt::format(".*({})", fmt::join(parts, "|"));
}

}  // namespace

ServedNames served_names(UsageMetric metric) {
  ServedNames names;
  for (const Metric each : metrics_of(metric)) {
    double dcgm_divisor = 1;
    for (const model::MetricsFamily& family : model::dcgm_families()) {
      if (family.metric != each || family.source != model::FamilySource::kReading ||
          family.tier == model::Tier::kOnRequest) {
        continue;
      }
      dcgm_divisor = divisor(family);
      names.dcgm.push_back({std::string(family.name)});
      if (!family.new_name.empty()) names.dcgm.push_back({std::string(family.new_name)});
    }
    for (const model::MetricsFamily& family : model::gpuscope_families()) {
      const bool is_level = family.source == model::FamilySource::kReading ||
                            family.source == model::FamilySource::kWindowMean;
      if (family.metric != each || !is_level) continue;
      names.own.push_back({std::string(family.name), divisor(family) / dcgm_divisor});
    }
  }
  return names;
}

std::vector<ServedName> names_to_ask(UsageMetric metric, const std::set<std::string>& there) {
  const ServedNames all = served_names(metric);
  for (const std::vector<ServedName>& kind : {all.dcgm, all.own}) {
    std::vector<ServedName> found;
    std::ranges::copy_if(kind, std::back_inserter(found),
                         [&](const ServedName& each) { return there.contains(each.name); });
    if (!found.empty()) return found;
  }
  return {all.dcgm.front()};
}

base::Result<std::vector<Matcher>> parse_condition(std::string_view text) {
  return ConditionReader(text).read();
}

std::string join(std::span<const Matcher> matchers) {
  std::string out;
  for (const Matcher& each : matchers) {
    if (!out.empty()) out += ',';
    out.append(each.label).append(each.op).append(each.value);
  }
  return out;
}

UuidRange page_of(const Shard& shard, std::size_t page, std::size_t pages) {
  const auto border = [&](std::size_t place) {
    return place * kUuidBuckets / (shard.count * pages);
  };
  const std::size_t place = shard.index * pages + page;
  return {border(place), border(place + 1)};
}

std::string uuid_matcher(const UuidRange& range) {
  if (range.begin == 0 && range.end == kUuidBuckets) return {};
  if (range.begin > 0) return fmt::format("UUID=~\"{}\"", uuid_pattern(range));
  return fmt::format("UUID!~\"{}\"", uuid_pattern({range.end, kUuidBuckets}));
}

std::string expression(const UsageQuery& query, const model::UsageWindow& window) {
  // A window is open at its begin in some engines and closed in others; a millisecond more of it
  // makes the first sample count in all of them.
  const std::string span = fmt::format("[{}s1ms:{}s]", window.length.count(), window.step.count());
  std::string out;
  for (const ServedName& name : query.names) {
    const std::string selector = fmt::format("{}{{{}}}", name.name, query.matchers);
    if (!out.empty()) out += " or ";
    if (name.factor != 1) out += fmt::format("{} * ", name.factor);
    out += query.finite_only ? fmt::format("avg_over_time(({} > -Inf < Inf){})", selector, span)
                             : fmt::format("avg_over_time({}{})", selector, span);
  }
  // Fewer labels are less work for an engine, too.
  return fmt::format("avg by (UUID,GPU_I_ID,pod,namespace,exported_pod,exported_namespace{}) ({})",
                     query.metric == UsageMetric::kGpuUtil
                         ? ",Hostname,hostname,kubernetes_node,modelName,model_name"
                         : "",
                     out);
}

}  // namespace gpuscope::prom

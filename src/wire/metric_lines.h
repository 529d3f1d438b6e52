// A few families of metrics, line by line, in either exposition format.
#pragma once

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "wire/metrics_format.h"

namespace gpuscope::wire {

// Each family is begun once, and its samples follow. Names, help texts and labels are our own and
// need no escaping. Not thread-safe.
class MetricLines {
 public:
  // `out` outlives it.
  MetricLines(std::string& out, MetricsFormat format) : out_(out), format_(format) {}

  // `name` without _total: samples have it in both formats, headers in the older one alone.
  void begin_counter(std::string_view name, std::string_view help) {
    begin(name, format_ == MetricsFormat::kPrometheus ? "_total" : "", "counter", help);
  }
  void begin(std::string_view name, std::string_view suffix, std::string_view type,
             std::string_view help) {
    for (const auto& [word, text] :
         {std::pair{std::string_view("# HELP "), help}, {std::string_view("# TYPE "), type}}) {
      ((out_.append(word).append(name).append(suffix) += ' ') += text) += '\n';
    }
  }
  // `labels` as `a="b",…`, or empty.
  void sample(std::string_view name, std::string_view suffix, std::string_view labels,
              double value) {
    out_.append(name).append(suffix);
    if (!labels.empty()) (out_ += '{').append(labels) += '}';
    std::array<char, 32> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    (out_ += ' ').append(digits.data(), end) += '\n';
  }

  void counter(std::string_view name, std::string_view help, double value) {
    begin_counter(name, help);
    sample(name, "_total", "", value);
  }
  void gauge(std::string_view name, std::string_view help, double value) {
    begin(name, "", "gauge", help);
    sample(name, "", "", value);
  }

 private:
  std::string& out_;
  const MetricsFormat format_;
};

}  // namespace gpuscope::wire

// Prometheus's way to say which series: name{label="value", label=~"regex"}.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace gpuscope::api {

// Immutable; thread-safe.
class SeriesSelector {
 public:
  // A selector as PromQL has it, without range, offset and functions: a name, matchers in braces
  // (=, !=, =~, !~; RE2's syntax, anchored at both ends), or both. `{}` is every series. 4096 bytes
  // at most. kInvalidArgument says where it goes wrong.
  static base::Result<SeriesSelector> parse(std::string_view text);

  // The value of a label of the series, or nothing: an absent label is an empty one.
  using LabelOf = std::function<std::string_view(std::string_view label)>;
  // Whether all matchers fit, those of the name left out.
  bool fits_labels(const LabelOf& label_of) const;
  // Whether the matchers of the name fit; true where there are none.
  bool fits_name(std::string_view name) const;
  // Whether it says something of the name.
  bool names() const;

 private:
  struct Matcher {
    std::string label;
    std::string value;
    std::shared_ptr<const re2::RE2> regex;  // null: equality
    bool negative = false;

    bool fits(std::string_view text) const;
  };
  class Parser;

  std::vector<Matcher> matchers_;
};

}  // namespace gpuscope::api

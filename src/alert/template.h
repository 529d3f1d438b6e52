// Texts of alerts with values in them: the part of Go's templates that alerting rules use, as
// Prometheus 2.42 expands it. docs/formats/rule_file.md says what is in it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/labels.h"

namespace gpuscope::alert {

struct TemplateNode;

// What a template is expanded with: $labels and $value.
struct TemplateData {
  const model::Labels& labels;
  double value = 0;
};

// Immutable, cheap to copy; thread-safe.
class Template {
 public:
  // kInvalidArgument: what is wrong with the text or not supported here. Tried with the value 1 and
  // labels of that text, so that what always fails is told here. 64 KiB at most.
  static base::Result<Template> parse(std::string_view text);

  // kInvalidArgument where a function cannot take this value, and for more than 64 KiB.
  base::Result<std::string> expand(const TemplateData& data) const;

 private:
  explicit Template(std::shared_ptr<const TemplateNode> root) : root_(std::move(root)) {}
  std::shared_ptr<const TemplateNode> root_;
};

}  // namespace gpuscope::alert

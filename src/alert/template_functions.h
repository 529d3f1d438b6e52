// The functions of templates, and values as Go prints them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.h"

namespace gpuscope::alert {

// What stands in a pipeline. Whole numbers and others are different types, as in Go.
using TemplateValue = std::variant<std::string, double, std::int64_t, bool>;

// An error of a template or of one of its functions: what is wrong, in a few words.
inline std::unexpected<base::Error> wrong_template(std::string what) {
  return base::fail(base::ErrorKind::kInvalidArgument, std::move(what));
}

// As Go's %v: 86.5, 1e+06, NaN, +Inf, true.
std::string print_value(const TemplateValue& value);
// Whether `if` takes it for true: not empty, not 0.
bool is_true(const TemplateValue& value);

struct TemplateFunction {
  std::string_view name;
  std::size_t least;  // arguments
  std::size_t most;
  // An error has what is wrong in a few words.
  base::Result<TemplateValue> (*call)(std::span<const TemplateValue> arguments);
};
// Null where there is none of that name.
const TemplateFunction* find_template_function(std::string_view name);

}  // namespace gpuscope::alert

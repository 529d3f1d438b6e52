// What may stand in front of parentheses: for query/ alone.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "query/node.h"

namespace gpuscope::query {

struct Signature {
  std::string_view name;
  Function function;
  std::array<Type, 5> arguments;
  std::size_t most;
  std::size_t least;
};

// Null: there is none of this name here.
const Signature* find_function(std::string_view name);
// Whether Prometheus has a function, an aggregation or an operator of this name that is none here.
bool is_elsewhere(std::string_view name);
// In any letters.
std::optional<Aggregator> find_aggregator(std::string_view lower);

}  // namespace gpuscope::query

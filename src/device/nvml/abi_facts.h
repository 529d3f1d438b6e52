// One reading of abi_facts.inc: what a header says of the ABI, in numbers and text.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace gpuscope::device::nvml {

struct AbiFact {
  std::string name;
  std::string value;
};

// Empty where the vendor's header is not installed.
std::vector<AbiFact> vendor_abi_facts();

// The sizes that a call passes, such as "4(p0,p1,4)": of the result and of each argument; of a
// pointer, "p" and what it points to, 0 where that is opaque.
template <typename T>
std::string abi_shape() {
  if constexpr (std::is_pointer_v<T>) {
    using Pointee = std::remove_pointer_t<T>;
    if constexpr (requires { sizeof(Pointee); }) return "p" + std::to_string(sizeof(Pointee));
    return "p0";
  } else {
    return std::to_string(sizeof(T));
  }
}
template <typename Result, typename... Arguments>
std::string abi_shape_of_call(Result (*)(Arguments...)) {
  std::string shape = abi_shape<Result>() + "(";
  ((shape += abi_shape<Arguments>() + ","), ...);
  return shape + ")";
}

#define SIZE(type) {"sizeof " #type, std::to_string(sizeof(type))},
#define OFFSET(type, member) {#type "::" #member, std::to_string(offsetof(type, member))},
// Signed constants of the vendor's are of one width or another; all fit in 64 bits.
#define VALUE(constant) {#constant, std::to_string(static_cast<unsigned long long>(constant))},
#define CALL(function) {#function, abi_shape_of_call(static_cast<decltype(&::function)>(nullptr))},

}  // namespace gpuscope::device::nvml

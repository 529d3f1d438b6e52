// Any bytes, cut anywhere, as the answer of an engine.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "prom/vector_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope::prom;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = data[0] + 1;
  const auto read = [&](std::size_t step_bytes, std::size_t piece_bytes, std::size_t& series) {
    VectorParser parser([&](const LabelViews& labels, double) { series += 1 + labels.size(); },
                        piece_bytes);
    for (std::size_t at = 0; at < text.size(); at += step_bytes) {
      if (!parser.add(text.substr(at, step_bytes))) break;
    }
    return parser.finish().has_value();
  };
  // However it is cut, what can be read as a whole says the same.
  std::size_t whole = 0;
  std::size_t cut = 0;
  const bool fine = read(text.size() + 1, text.size() + 1, whole);
  const bool fine_cut = read(step, 1, cut);
  if (fine && fine_cut && whole != cut) std::abort();
  (void)parse_names(text);
  (void)error_words(text);
  return 0;
}

// Answers of any bytes: never a crash, and a snapshot that fits its inventory.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/earlier_agent.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A list and an answer to it, with a line feed between.
  const std::size_t end = text.find('\n');
  auto listed = wire::parse_gpu_list(text.substr(0, end));
  if (!listed) listed = wire::ListedGpus{};
  if (listed->at.size() != listed->inventory.gpus.size()) std::abort();
  model::Snapshot snapshot;
  const auto answer = end == text.npos ? text : text.substr(end + 1);
  if (wire::parse_metrics(answer, *listed, {}, snapshot) &&
      (snapshot.devices.size() != listed->at.size() ||
       snapshot.verdicts.size() != listed->at.size())) {
    std::abort();
  }
  return 0;
}

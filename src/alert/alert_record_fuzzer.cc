// Any bytes as what the store holds of alerts, groups and silences: refused, or read to what is
// written as it was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "alert/dispatcher.h"
#include "alert/record.h"
#include "alert/silences.h"

namespace alert = gpuscope::alert;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto read = alert::read_alert(text)) {
    const std::string written = alert::write_alert(*read);
    const auto again = alert::read_alert(written);
    if (!again || alert::write_alert(*again) != written) std::abort();
  }
  const gpuscope::model::StateRecord record{"key", std::string(text)};
  alert::Silences silences;
  silences.restore({&record, 1});
  alert::Dispatcher dispatcher({});
  dispatcher.restore({&record, 1});
  const gpuscope::base::WallTime now{std::chrono::seconds{1'780'000'000}};
  for (const auto& message : dispatcher.due(now, {}, silences)) dispatcher.told(message);
  return 0;
}

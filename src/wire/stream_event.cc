#include "wire/stream_event.h"

#include "base/decimal.h"

namespace gpuscope::wire {

void append_event(std::string& out, std::string_view name, std::uint64_t id,
                  std::string_view data) {
  out += "event: ";
  out += name;
  out += "\nid: ";
  base::append_decimal(out, static_cast<std::int64_t>(id), 0);
  out += "\ndata: ";
  out += data;
  out += "\n\n";
}

}  // namespace gpuscope::wire

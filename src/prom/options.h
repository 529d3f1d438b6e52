// What the agent's settings say about remote write.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace gpuscope::prom {

// A text that nobody should see, or the file that has it, which is read again for every request so
// that it may be replaced at any time. Neither: there is none.
struct Secret {
  std::string text{};
  std::string file{};

  bool is_given() const { return !text.empty() || !file.empty(); }
};

struct RemoteWriteOptions {
  std::string url{};  // where to; empty: nowhere
  // HTTP basic authentication, or a bearer token, not both.
  std::string user{};
  Secret password{};
  Secret token{};
  Secret headers{};       // further ones, `Name: value` a line
  std::string ca_file{};  // who vouches for the server; empty: those that the system trusts
  // Put on every series that has no label of the name; by name, each once.
  std::vector<std::pair<std::string, std::string>> labels{};
  std::chrono::milliseconds interval{0};  // between the ticks that are sent; 0: all are
  bool from_start = false;                // what is kept already is sent as well
  std::string position_file{};            // what was sent: never empty
};

}  // namespace gpuscope::prom

// What settings say about engines that are read from, and about remote write.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace gpuscope::prom {

using base::Secret;

// HTTP basic authentication, or a bearer token, not both.
struct Credentials {
  std::string user{};
  Secret password{};
  Secret token{};
  Secret headers{};  // further ones, `Name: value` a line
};

// A server of the Prometheus HTTP API: Prometheus, VictoriaMetrics, Thanos, Mimir.
struct EngineOptions {
  std::string url{};  // what stands before /api/v1, such as http://prometheus:9090
  Credentials credentials{};
  std::string ca_file{};  // who vouches for the server; empty: those that the system trusts
  std::chrono::milliseconds timeout{60'000};  // of each attempt
  std::size_t attempts = 3;                   // of a request that fails for want of an answer
  std::chrono::milliseconds pause{500};       // before the second attempt, doubling
};

// One of `count` equal parts of all GPUs.
struct Shard {
  std::size_t index = 0;  // below count
  std::size_t count = 1;  // to kMaxShards
  static constexpr std::size_t kMaxShards = 256;
};

struct ReaderOptions {
  EngineOptions engine{};
  std::string condition = R"({pod!=""})";  // a selector's braces; in force in every query
  std::size_t connections = 2;             // requests at once, at least 1
  // More series of one metric than this are asked for in several answers.
  std::size_t page_series = 200'000;
  Shard shard{};
};

struct RemoteWriteOptions {
  std::string url{};  // where to; empty: nowhere
  Credentials credentials{};
  std::string ca_file{};  // who vouches for the server; empty: those that the system trusts
  // Put on every series that has no label of the name; by name, each once.
  std::vector<std::pair<std::string, std::string>> labels{};
  std::chrono::milliseconds interval{0};  // between the ticks that are sent; 0: all are
  bool from_start = false;                // what is kept already is sent as well
  std::string position_file{};            // what was sent: never empty
};

}  // namespace gpuscope::prom

// What one may say of second opinions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gpuscope::advise {

// Of whom a chat model is asked.
enum class Ask : std::uint8_t {
  kAll,
  kUnsure,  // where rules leave a question open: is_unsure() of builtin_adviser.h
  kNone,
};

// What may be spent in an hour; 0: no limit. Requests count when they are sent.
struct SpendLimits {
  std::uint64_t requests = 600;
  std::uint64_t tokens = 2'000'000;  // of prompts and answers
  double cost = 0;                   // in the unit of the prices
};

struct Prices {
  double prompt = 0;  // of a million tokens, in any unit
  double answer = 0;
};

struct ChatOptions {
  // The full address of requests; one whose path ends in /v1/messages speaks Anthropic's dialect.
  // Empty: there is no model.
  std::string url{};
  std::string api_key{};
  std::string api_key_file{};  // instead of api_key; read again for every run
  std::string ca_file{};       // who vouches for the server; empty: those that the system trusts
  std::string model = "gpt-4";
  int max_tokens = 2000;                        // of an answer
  int attempts = 3;                             // in all
  std::chrono::milliseconds retry_delay{2000};  // before the second attempt; then doubling
  std::chrono::milliseconds timeout{30'000};    // of one request
  std::size_t workers = 8;                      // requests at a time
  std::size_t prompt_tokens = 6000;             // about, of one request
  double threshold = 0.7;               // an opinion less sure than this does not adjust a score
  std::string language = "English";     // of reasons and recommendations
  bool names = true;                    // whether pods, namespaces and hosts are named to the model
  std::chrono::seconds keep{6 * 3600};  // how long an opinion serves while its evidence is the same
  SpendLimits limits{};
  Prices prices{};
};

struct Options {
  bool enabled = false;
  Ask ask = Ask::kUnsure;
  ChatOptions chat{};
};

}  // namespace gpuscope::advise

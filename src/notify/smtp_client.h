// A client for mail servers: one mail after the other, each over a connection of its own, each with
// a deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "notify/options.h"

namespace gpuscope::notify {

// How far a mail came.
enum class SmtpStage : std::uint8_t {
  kBegin,      // connection, greeting, TLS, authentication
  kSender,     // the server was told from whom it is
  kRecipient,  // and to whom
  kData,       // and what: an answer to this decides
};

struct SmtpResult {
  bool sent = false;
  bool cancelled = false;
  SmtpStage stage = SmtpStage::kBegin;
  int code = 0;         // the server's last reply code; 0: it said nothing
  std::string error{};  // "cannot …"; empty where it was sent
  // What both sides said, a line each, "> " and "< " before it; no password, no mail.
  std::vector<std::string> steps{};
};

class SmtpClient {
 public:
  static base::Result<std::unique_ptr<SmtpClient>> create(EmailOptions options);
  ~SmtpClient();
  SmtpClient(const SmtpClient&) = delete;
  SmtpClient& operator=(const SmtpClient&) = delete;

  // Sends one mail (whole, lines ending in CRLF) to one address. One thread at a time.
  SmtpResult send(const std::string& to, std::string_view mail);
  // Ends what is under way, at once, and refuses more. Any thread.
  void cancel();
  // "smtp://mail.example.org:587".
  std::string server() const;

 private:
  class Impl;
  explicit SmtpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuscope::notify

#include "notify/smtp_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

#include "http/curl_transfer.h"

namespace gpuscope::notify {
namespace {

using base::ErrorKind;
using base::Result;
using http::CurlList;
using http::CurlTransfer;

constexpr std::size_t kMostSteps = 100;

// One mail on its way.
struct Sending {
  std::string_view left;  // of the mail
  SmtpResult result;
  bool secret = false;   // what we say until the server has answered is a password
  bool parting = false;  // all is said: what the server answers now means nothing
  std::string reply;     // its last line before that

  void add_step(std::string_view mark, std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (result.steps.size() < kMostSteps) result.steps.push_back(fmt::format("{} {}", mark, text));
  }

  void note_command(std::string_view line) {
    if (line.starts_with("MAIL ")) result.stage = SmtpStage::kSender;
    if (line.starts_with("RCPT ")) result.stage = SmtpStage::kRecipient;
    if (line.starts_with("DATA")) result.stage = SmtpStage::kData;
    if (line.starts_with("QUIT")) parting = true;
    if (secret) return add_step(">", "(a secret)");
    if (line.starts_with("AUTH ")) {
      secret = true;
      const std::size_t mechanism = line.find_first_of(" \r\n", std::strlen("AUTH "));
      return add_step(">", fmt::format("{} (a secret)", line.substr(0, mechanism)));
    }
    add_step(">", line);
  }

  void note_reply(std::string_view line) {
    if (!line.starts_with("334")) secret = false;  // it asks for more of it
    add_step("<", line);
    if (parting) return;
    reply = line.substr(0, line.find_last_not_of("\r\n") + 1);
    std::from_chars(reply.data(), reply.data() + reply.size(), result.code);
  }
};

std::size_t give_mail(char* to, std::size_t size, std::size_t count, void* from) {
  Sending& sending = *static_cast<Sending*>(from);
  const std::size_t bytes = std::min(size * count, sending.left.size());
  std::memcpy(to, sending.left.data(), bytes);
  sending.left.remove_prefix(bytes);
  return bytes;
}

int note(CURL* /*easy*/, curl_infotype type, char* data, std::size_t size, void* to) {
  Sending& sending = *static_cast<Sending*>(to);
  const std::string_view text(data, size);
  if (type == CURLINFO_HEADER_OUT) sending.note_command(text);
  if (type == CURLINFO_HEADER_IN) sending.note_reply(text);
  return 0;
}

}  // namespace

class SmtpClient::Impl {
 public:
  Impl(EmailOptions options, std::unique_ptr<CurlTransfer> transfer)
      : options_(std::move(options)), transfer_(std::move(transfer)) {}

  SmtpResult send(const std::string& to, std::string_view mail);
  void cancel() { transfer_->cancel(); }
  std::string server() const {
    const bool v6 = options_.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}", options_.tls == Tls::kTls ? "smtps" : "smtp",
                       v6 ? "[" : "", options_.host, v6 ? "]" : "", options_.port);
  }

 private:
  void set_up(Sending& sending, const curl_slist* to, const std::string& password);
  std::string failure(CURLcode code, const Sending& sending) const;

  const EmailOptions options_;
  const std::unique_ptr<CurlTransfer> transfer_;
};

void SmtpClient::Impl::set_up(Sending& sending, const curl_slist* to, const std::string& password) {
  CURL* const easy = transfer_->begin({.url = server(),
                                       .protocols = "smtp,smtps",
                                       .connect_timeout = options_.connect_timeout,
                                       .timeout = options_.timeout,
                                       .ca_file = options_.ca_file});
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);  // mails are rare, and servers impatient
  curl_easy_setopt(
      easy, CURLOPT_SERVER_RESPONSE_TIMEOUT,
      static_cast<long>(std::chrono::ceil<std::chrono::seconds>(options_.timeout).count()));
  if (options_.tls == Tls::kStartTls) {
    curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  }
  if (!options_.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, options_.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, fmt::format("<{}>", options_.from).c_str());
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, &give_mail);
  curl_easy_setopt(easy, CURLOPT_READDATA, &sending);
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);  // for what is said on both sides alone
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, &note);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, &sending);
}

// The server's own last words say more than the library's.
std::string SmtpClient::Impl::failure(CURLcode code, const Sending& sending) const {
  constexpr int kRefusal = 400;
  if (sending.result.code >= kRefusal) {
    return fmt::format("cannot send mail through {}: it says '{}'", server(), sending.reply);
  }
  return fmt::format("cannot send mail through {}: {}", server(), transfer_->error_text(code));
}

SmtpResult SmtpClient::Impl::send(const std::string& to, std::string_view mail) {
  Sending sending;
  sending.left = mail;
  const auto password = base::read_secret(options_.password);
  if (!password) {
    sending.result.error = password.error().message;
    return std::move(sending.result);
  }
  const CurlList recipients(curl_slist_append(nullptr, fmt::format("<{}>", to).c_str()));
  set_up(sending, recipients.get(), *password);
  const CURLcode code = transfer_->perform();
  transfer_->end();
  SmtpResult& result = sending.result;
  result.sent = code == CURLE_OK;
  result.cancelled = transfer_->cancelled() && !result.sent;
  if (!result.sent) result.error = failure(code, sending);
  return std::move(sending.result);
}

SmtpClient::SmtpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SmtpClient::~SmtpClient() = default;

Result<std::unique_ptr<SmtpClient>> SmtpClient::create(EmailOptions options) {
  auto transfer = CurlTransfer::create();
  if (!transfer) {
    return base::fail(ErrorKind::kInternal, "cannot make a mail client: libcurl does not start");
  }
  return std::unique_ptr<SmtpClient>(
      new SmtpClient(std::make_unique<Impl>(std::move(options), std::move(transfer))));
}

SmtpResult SmtpClient::send(const std::string& to, std::string_view mail) {
  return impl_->send(to, mail);
}
void SmtpClient::cancel() { impl_->cancel(); }
std::string SmtpClient::server() const { return impl_->server(); }

}  // namespace gpuscope::notify

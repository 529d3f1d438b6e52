#include "http/curl_transfer.h"

#include <utility>

namespace gpuscope::http {
namespace {

constexpr int kPollMs = 1000;

bool library_is_ready() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

}  // namespace

std::unique_ptr<CurlTransfer> CurlTransfer::create() {
  if (!library_is_ready()) return nullptr;
  std::unique_ptr<CurlTransfer> made(new CurlTransfer);
  return made->multi_ && made->easy_ ? std::move(made) : nullptr;
}

CURL* CurlTransfer::begin(const CurlTarget& target) {
  CURL* const easy = easy_.get();
  curl_easy_reset(easy);
  error_[0] = '\0';
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy, CURLOPT_URL, target.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, target.protocols);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name server that hangs holds nobody up
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(target.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(target.timeout.count()));
  if (!target.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, target.ca_file.c_str());
  return easy;
}

CURLcode CurlTransfer::perform() {
  CURLM* const multi = multi_.get();
  if (curl_multi_add_handle(multi, easy_.get()) != CURLM_OK) return CURLE_FAILED_INIT;
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;
  while (running > 0 && !cancelled_) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) break;
    if (running > 0 && curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr) != CURLM_OK) break;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  curl_multi_remove_handle(multi, easy_.get());
  return code;
}

std::string_view CurlTransfer::error_text(CURLcode code) const {
  return error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
}

void CurlTransfer::cancel() {
  cancelled_ = true;
  curl_multi_wakeup(multi_.get());
}

}  // namespace gpuscope::http

// libcurl's part of any client: one transfer after the other, which another thread may end.
#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace gpuscope::http {

struct FreeCurlList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlList = std::unique_ptr<curl_slist, FreeCurlList>;

// What every transfer says of where it goes. Texts are looked at during begin() alone.
struct CurlTarget {
  const std::string& url;
  const char* protocols;                      // that `url` may have, with commas between them
  std::chrono::milliseconds connect_timeout;  // name, connection, TLS
  std::chrono::milliseconds timeout;          // all of the transfer
  const std::string& ca_file;                 // PEM; empty: those that the system trusts
};

// One thread at a time but for cancel(); connections are kept for the next transfer.
class CurlTransfer {
 public:
  // Null where libcurl does not start.
  static std::unique_ptr<CurlTransfer> create();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Forgets the transfer before, and gives the handle that takes the options of this one.
  CURL* begin(const CurlTarget& target);
  // Waits for its end. CURLE_ABORTED_BY_CALLBACK: cancelled.
  CURLcode perform();
  // What went wrong in it, in libcurl's words.
  std::string_view error_text(CURLcode code) const;
  // Nothing that its options name is looked at any more.
  void end() { curl_easy_reset(easy_.get()); }

  // Ends the transfer that is under way, at once, and any later one. Any thread.
  void cancel();
  bool cancelled() const { return cancelled_; }

 private:
  struct CloseEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct CloseMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  CurlTransfer() : multi_(curl_multi_init()), easy_(curl_easy_init()) {}

  const std::unique_ptr<CURLM, CloseMulti> multi_;
  const std::unique_ptr<CURL, CloseEasy> easy_;  // goes before the connections that it uses
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::atomic<bool> cancelled_ = false;
};

}  // namespace gpuscope::http

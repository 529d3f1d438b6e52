#include "http/web_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>

#include "base/web_url.h"

namespace gpuscope::http {
namespace {

using base::check_web_url;
using base::ErrorKind;
using base::Result;
using base::url_origin;

constexpr std::size_t kMaxHeaderBytes = 65'536;
constexpr int kPollMs = 1000;
constexpr long kOk = 200;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CloseMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

bool library_is_ready() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// An answer on its way.
struct Arriving {
  WebResponse response;
  std::size_t max_body = 0;
  std::size_t header_bytes = 0;
  bool head_is_whole = false;
  CURL* easy = nullptr;
  const BodySink* sink = nullptr;  // null: there is none
};

std::size_t take_header(const char* data, std::size_t size, std::size_t count, void* to) {
  Arriving& arriving = *static_cast<Arriving*>(to);
  const std::string_view line(data, size * count);
  arriving.header_bytes += line.size();
  if (arriving.header_bytes > kMaxHeaderBytes) return 0;  // ends the request
  if (line.starts_with("HTTP/")) {
    arriving.response.headers.clear();  // those before were of an interim answer
    arriving.head_is_whole = false;
  } else if (trimmed(line).empty()) {
    arriving.head_is_whole = true;
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    arriving.response.headers.emplace_back(lower(trimmed(line.substr(0, colon))),
                                           trimmed(line.substr(colon + 1)));
  }
  return line.size();
}

std::size_t take_body(const char* data, std::size_t size, std::size_t count, void* to) {
  Arriving& arriving = *static_cast<Arriving*>(to);
  const std::string_view bytes(data, size * count);
  long status = 0;
  if (arriving.sink != nullptr) {
    curl_easy_getinfo(arriving.easy, CURLINFO_RESPONSE_CODE, &status);
  }
  if (status == kOk) {
    if ((*arriving.sink)(bytes)) return bytes.size();
    arriving.response.body_cut = true;
    return 0;
  }
  std::string& body = arriving.response.body;
  const std::size_t room = arriving.max_body - body.size();
  body.append(bytes.substr(0, room));
  if (bytes.size() <= room) return bytes.size();
  arriving.response.body_cut = true;
  return 0;  // ends the request: what has come is enough
}

}  // namespace

std::optional<std::string_view> WebResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

class WebClient::Impl {
 public:
  explicit Impl(WebClientOptions options)
      : options_(std::move(options)), multi_(curl_multi_init()), easy_(curl_easy_init()) {}

  bool is_whole() const { return multi_ && easy_; }
  Result<WebResponse> send(const WebRequest& request, const BodySink* sink);
  void cancel() {
    cancelled_ = true;
    curl_multi_wakeup(multi_.get());
  }

 private:
  Result<Headers> headers_of(const WebRequest& request) const;
  void set_up(const WebRequest& request, const Headers& headers, Arriving& arriving, char* error);
  // CURLE_ABORTED_BY_CALLBACK: cancelled.
  CURLcode perform();
  static base::Error failure(const WebRequest& request, CURLcode code, const char* error);

  const WebClientOptions options_;
  const std::unique_ptr<CURLM, CloseMulti> multi_;
  const std::unique_ptr<CURL, CloseEasy> easy_;  // goes before the connections that it uses
  std::atomic<bool> cancelled_ = false;
};

Result<Headers> WebClient::Impl::headers_of(const WebRequest& request) const {
  Headers headers;
  const auto add = [&](const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  };
  add("Expect:");  // no asking beforehand whether a body is welcome
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_control(name) || has_control(value) ||
        name.find(':') != std::string::npos) {
      return base::fail(ErrorKind::kInvalidArgument,
                        fmt::format("cannot send a request to {}: a header is not 'Name: value' in "
                                    "one line",
                                    url_origin(request.url)));
    }
    add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }
  return headers;
}

void WebClient::Impl::set_up(const WebRequest& request, const Headers& headers, Arriving& arriving,
                             char* error) {
  CURL* const easy = easy_.get();
  curl_easy_reset(easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a name server that hangs holds nobody up
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options_.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  if (!request.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy, CURLOPT_USERNAME, request.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request.password.c_str());
  }
  if (request.accept_gzip) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &arriving);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &arriving);
}

CURLcode WebClient::Impl::perform() {
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

base::Error WebClient::Impl::failure(const WebRequest& request, CURLcode code, const char* error) {
  const std::string origin = url_origin(request.url);
  const std::string_view text = error[0] != '\0' ? error : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorKind::kDeadlineExceeded,
              fmt::format("cannot get an answer from {}: {}", origin, text)};
    case CURLE_URL_MALFORMAT:
      return {ErrorKind::kInvalidArgument, fmt::format("cannot use the URL {}: {}", origin, text)};
    case CURLE_ABORTED_BY_CALLBACK:
      return {ErrorKind::kUnavailable,
              fmt::format("cannot wait for an answer from {}: cancelled", origin)};
    default:
      return {ErrorKind::kUnavailable, fmt::format("cannot reach {}: {}", origin, text)};
  }
}

Result<WebResponse> WebClient::Impl::send(const WebRequest& request, const BodySink* sink) {
  if (const std::string wrong = check_web_url(request.url); !wrong.empty()) {
    return base::fail(ErrorKind::kInvalidArgument,
                      fmt::format("cannot use the URL {}: {}", url_origin(request.url), wrong));
  }
  const auto headers = headers_of(request);
  if (!headers) return std::unexpected(headers.error());
  Arriving arriving;
  arriving.max_body = options_.max_body_bytes;
  arriving.easy = easy_.get();
  arriving.sink = sink;
  std::array<char, CURL_ERROR_SIZE> error{};
  set_up(request, *headers, arriving, error.data());
  const CURLcode code = perform();
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_reset(easy_.get());  // nothing of this call is looked at any more
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && arriving.response.body_cut)) {
    return std::unexpected(failure(request, code, error.data()));
  }
  if (!arriving.head_is_whole) {
    return std::unexpected(failure(request, CURLE_PARTIAL_FILE, "the answer is cut off"));
  }
  arriving.response.status = static_cast<int>(status);
  return std::move(arriving.response);
}

WebClient::WebClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebClient::~WebClient() = default;

Result<std::unique_ptr<WebClient>> WebClient::create(WebClientOptions options) {
  auto impl = library_is_ready() ? std::make_unique<Impl>(std::move(options)) : nullptr;
  if (!impl || !impl->is_whole()) {
    return base::fail(ErrorKind::kInternal, "cannot make an HTTP client: libcurl does not start");
  }
  return std::unique_ptr<WebClient>(new WebClient(std::move(impl)));
}

Result<WebResponse> WebClient::send(const WebRequest& request) {
  return impl_->send(request, nullptr);
}
Result<WebResponse> WebClient::send(const WebRequest& request, const BodySink& sink) {
  return impl_->send(request, &sink);
}
void WebClient::cancel() { impl_->cancel(); }

}  // namespace gpuscope::http

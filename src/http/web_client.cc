#include "http/web_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/web_url.h"
#include "http/curl_transfer.h"

namespace gpuscope::http {
namespace {

using base::check_web_url;
using base::ErrorKind;
using base::Result;
using base::trimmed;
using base::url_origin;

constexpr std::size_t kMaxHeaderBytes = 65'536;
constexpr long kOk = 200;

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
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
    arriving.response.headers.emplace_back(base::lower(trimmed(line.substr(0, colon))),
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

std::optional<std::vector<std::pair<std::string, std::string>>> parse_header_lines(
    std::string_view text) {
  std::vector<std::pair<std::string, std::string>> headers;
  while (!text.empty()) {
    const std::string_view line = base::take_part(text, '\n');
    if (trimmed(line).empty()) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    headers.emplace_back(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  return headers;
}

std::optional<std::string_view> WebResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

class WebClient::Impl {
 public:
  Impl(WebClientOptions options, std::unique_ptr<CurlTransfer> transfer)
      : options_(std::move(options)), transfer_(std::move(transfer)) {}

  Result<WebResponse> send(const WebRequest& request, const BodySink* sink);
  void cancel() { transfer_->cancel(); }

 private:
  static Result<CurlList> headers_of(const WebRequest& request);
  void set_up(const WebRequest& request, const CurlList& headers, Arriving& arriving);
  static base::Error failure(const WebRequest& request, CURLcode code, std::string_view text);

  const WebClientOptions options_;
  const std::unique_ptr<CurlTransfer> transfer_;
};

Result<CurlList> WebClient::Impl::headers_of(const WebRequest& request) {
  CurlList headers;
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

void WebClient::Impl::set_up(const WebRequest& request, const CurlList& headers,
                             Arriving& arriving) {
  CURL* const easy = transfer_->begin({.url = request.url,
                                       .protocols = "http,https",
                                       .connect_timeout = options_.connect_timeout,
                                       .timeout = options_.timeout,
                                       .ca_file = options_.ca_file});
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
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
  arriving.easy = easy;
}

base::Error WebClient::Impl::failure(const WebRequest& request, CURLcode code,
                                     std::string_view text) {
  const std::string origin = url_origin(request.url);
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
  arriving.sink = sink;
  set_up(request, *headers, arriving);
  const CURLcode code = transfer_->perform();
  long status = 0;
  curl_easy_getinfo(arriving.easy, CURLINFO_RESPONSE_CODE, &status);
  transfer_->end();
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && arriving.response.body_cut)) {
    return std::unexpected(failure(request, code, transfer_->error_text(code)));
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
  auto transfer = CurlTransfer::create();
  if (!transfer) {
    return base::fail(ErrorKind::kInternal, "cannot make an HTTP client: libcurl does not start");
  }
  return std::unique_ptr<WebClient>(
      new WebClient(std::make_unique<Impl>(std::move(options), std::move(transfer))));
}

Result<WebResponse> WebClient::send(const WebRequest& request) {
  return impl_->send(request, nullptr);
}
Result<WebResponse> WebClient::send(const WebRequest& request, const BodySink& sink) {
  return impl_->send(request, &sink);
}
void WebClient::cancel() { impl_->cancel(); }

}  // namespace gpuscope::http

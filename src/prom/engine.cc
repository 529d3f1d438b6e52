#include "prom/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "base/web_url.h"
#include "http/web_client.h"
#include "prom/credentials.h"

namespace gpuscope::prom {
namespace {

using base::Error;
using base::ErrorKind;
using base::MutexLock;
using base::Result;
using std::chrono::milliseconds;

// Lists of names, and error pages.
constexpr std::size_t kMaxBodyBytes = std::size_t{8} << 20;
constexpr milliseconds kConnectTimeout{10'000};
constexpr milliseconds kProbeTimeout{5'000};
constexpr std::chrono::hours kLookBack{1};

std::string form_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

// Seconds with milliseconds.
std::string time_text(base::WallTime time) {
  constexpr double kMillis = 1000;
  const auto count = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:.3f}", static_cast<double>(count) / kMillis);
}

// Whether answers need no compression: they do not leave this machine.
bool is_on_this_host(std::string_view url) {
  const std::string origin = base::url_origin(url);
  const std::string_view host = std::string_view(origin).substr(origin.find("://") + 3);
  return host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
}

ErrorKind kind_of(int status) {
  constexpr int kUnauthorized = 401;
  constexpr int kForbidden = 403;
  constexpr int kTimeout = 408;
  constexpr int kTooMany = 429;
  constexpr int kServerError = 500;
  if (status == kUnauthorized || status == kForbidden) return ErrorKind::kPermissionDenied;
  if (status >= kServerError || status == kTimeout || status == kTooMany) {
    return ErrorKind::kUnavailable;
  }
  return ErrorKind::kInvalidArgument;
}

class WebEngine final : public Engine {
 public:
  WebEngine(base::Clock& clock, EngineOptions options, std::unique_ptr<http::WebClient> client,
            std::unique_ptr<http::WebClient> prober)
      : clock_(clock),
        options_(std::move(options)),
        client_(std::move(client)),
        prober_(std::move(prober)),
        origin_(base::url_origin(options_.url)),
        accept_gzip_(!is_on_this_host(options_.url)) {
    while (options_.url.ends_with('/')) options_.url.pop_back();
  }

  Result<AnswerNotes> query(std::string_view expression, base::WallTime time,
                            const Begin& begin) override {
    const std::string body =
        fmt::format("query={}&time={}", form_escaped(expression), time_text(time));
    return with_attempts<AnswerNotes>([&]() -> Result<AnswerNotes> {
      VectorParser parser(begin());
      auto answer =
          post("/api/v1/query", body, [&](std::string_view piece) { return parser.add(piece); });
      if (!answer) return std::unexpected(std::move(answer.error()));
      auto notes = parser.finish();
      if (!notes) return std::unexpected(in_words(std::move(notes.error())));
      return notes;
    });
  }

  Result<std::vector<std::string>> label_names(std::string_view selector,
                                               base::WallTime time) override {
    return names("/api/v1/labels", selector, time);
  }
  Result<std::vector<std::string>> metric_names(std::string_view selector,
                                                base::WallTime time) override {
    return names("/api/v1/label/__name__/values", selector, time);
  }

  Result<void> probe(base::WallTime time) override {
    auto asked = request("/api/v1/query?query=1&time=" + time_text(time));
    if (!asked) return std::unexpected(std::move(asked.error()));
    auto answer = prober_->send(*asked);
    if (!answer) return std::unexpected(std::move(answer.error()));
    return judge(*answer);
  }

  void cancel() override {
    {
      const MutexLock lock(mutex_);
      cancelled_ = true;
      wake_.notify_all();
    }
    client_->cancel();
    prober_->cancel();
  }

 private:
  static constexpr int kOk = 200;

  Result<http::WebRequest> request(const std::string& path) const {
    http::WebRequest request{.url = options_.url + path, .accept_gzip = accept_gzip_};
    if (auto done = add_credentials(options_.credentials, request); !done) {
      return std::unexpected(std::move(done.error()));
    }
    return request;
  }

  Result<void> judge(const http::WebResponse& answer) const {
    if (answer.status == kOk) return {};
    std::string text = fmt::format("cannot read from {}: HTTP status {}", origin_, answer.status);
    const ErrorKind kind = kind_of(answer.status);
    if (kind == ErrorKind::kPermissionDenied) {
      text += ", it wants other credentials";
    } else if (const auto place = answer.header("location")) {
      text += fmt::format(", it has moved to {}", base::url_origin(*place));
    }
    const std::string words = error_words(answer.body);
    if (!words.empty()) text += ": " + words;
    return base::fail(kind, std::move(text));
  }

  Error in_words(Error error) const {
    error.message = fmt::format("cannot read from {}: {}", origin_, error.message);
    return error;
  }

  Result<void> post(const std::string& path, std::string_view body, const http::BodySink& sink) {
    auto asked = request(path);
    if (!asked) return std::unexpected(std::move(asked.error()));
    asked->method = "POST";
    asked->headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    asked->body = body;
    auto answer = client_->send(*asked, sink);
    if (!answer) return std::unexpected(std::move(answer.error()));
    return judge(*answer);
  }

  Result<std::vector<std::string>> names(const std::string& path, std::string_view selector,
                                         base::WallTime time) {
    const std::string target =
        fmt::format("{}?match[]={}&start={}&end={}", path, form_escaped(selector),
                    time_text(time - kLookBack), time_text(time));
    return with_attempts<std::vector<std::string>>([&]() -> Result<std::vector<std::string>> {
      auto asked = request(target);
      if (!asked) return std::unexpected(std::move(asked.error()));
      auto answer = client_->send(*asked);
      if (!answer) return std::unexpected(std::move(answer.error()));
      if (auto fine = judge(*answer); !fine) return std::unexpected(std::move(fine.error()));
      auto names = parse_names(answer->body);
      if (!names) return std::unexpected(in_words(std::move(names.error())));
      return names;
    });
  }

  template <typename T, typename Attempt>
  Result<T> with_attempts(Attempt attempt) {
    milliseconds pause = options_.pause;
    for (std::size_t made = 1;; ++made, pause *= 2) {
      auto result = attempt();
      if (result || made >= options_.attempts) return result;
      const ErrorKind kind = result.error().kind;
      if (kind != ErrorKind::kUnavailable && kind != ErrorKind::kDeadlineExceeded) return result;
      if (!wait(pause)) return result;
    }
  }

  // False: cancelled.
  bool wait(milliseconds pause) {
    const base::SteadyTime until = clock_.steady_now() + pause;
    MutexLock lock(mutex_);
    while (!cancelled_ && clock_.steady_now() < until) clock_.wait_until(wake_, lock, until);
    return !cancelled_;
  }

  base::Clock& clock_;
  EngineOptions options_;
  const std::unique_ptr<http::WebClient> client_;
  const std::unique_ptr<http::WebClient> prober_;
  const std::string origin_;
  const bool accept_gzip_;
  base::Mutex mutex_;
  base::CondVar wake_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(base::Clock& clock, const EngineOptions& options) {
  http::WebClientOptions web;
  web.connect_timeout = std::min(kConnectTimeout, options.timeout);
  web.timeout = options.timeout;
  web.max_body_bytes = kMaxBodyBytes;
  web.ca_file = options.ca_file;
  auto client = http::WebClient::create(web);
  if (!client) return std::unexpected(std::move(client.error()));
  web.connect_timeout = web.timeout = std::min(kProbeTimeout, options.timeout);
  auto prober = http::WebClient::create(std::move(web));
  if (!prober) return std::unexpected(std::move(prober.error()));
  return std::make_unique<WebEngine>(clock, options, std::move(*client), std::move(*prober));
}

bool is_too_large(const base::Error& error) {
  if (error.kind != ErrorKind::kInvalidArgument) return false;
  const std::string text = base::lower(error.message);
  constexpr std::array<std::string_view, 5> kWords{"too many", "too large", "exceed", "limit",
                                                   "status 413"};
  return std::ranges::any_of(kWords, [&](std::string_view word) { return text.contains(word); });
}

}  // namespace gpuscope::prom

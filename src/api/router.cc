#include "api/router.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gpuscope::api {
namespace {

constexpr std::string_view kRest = "{path}";

std::vector<std::string_view> split(std::string_view pattern) {
  std::vector<std::string_view> segments;
  pattern.remove_prefix(1);  // the leading slash
  while (!pattern.empty()) {
    const std::size_t end = pattern.find('/');
    segments.push_back(pattern.substr(0, end));
    pattern = end == pattern.npos ? std::string_view{} : pattern.substr(end + 1);
  }
  return segments;
}

bool matches(std::span<const std::string_view> pattern, std::span<const std::string> path) {
  const bool open_ended = !pattern.empty() && pattern.back() == kRest;
  if (open_ended ? path.size() < pattern.size() : path.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!pattern[i].starts_with('{') && pattern[i] != path[i]) return false;
  }
  return true;
}

std::vector<std::string> captures(std::span<const std::string_view> pattern,
                                  std::span<const std::string> path) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == kRest) {
      found.insert(found.end(), path.begin() + static_cast<std::ptrdiff_t>(i), path.end());
    } else if (pattern[i].starts_with('{')) {
      found.push_back(path[i]);
    }
  }
  return found;
}

// Whether the name in Host can only be this machine's own: a page whose name was made to point here
// has that name, which no check of its Origin would tell.
bool is_local_name(std::string_view host) {
  const bool v6 = host.starts_with('[');
  const std::string_view name =
      v6 ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
  if (v6) return name == "[::1]";
  if (name.starts_with("127.")) {
    return name.find_first_not_of("0123456789.") == std::string_view::npos;
  }
  constexpr std::string_view kLocal = "localhost";
  return std::ranges::equal(name, kLocal, [](char a, char b) { return (a | 0x20) == b; });
}

// Why this request may change nothing; empty: it may.
std::string_view refusal(const http::Request& request) {
  if (!request.from_loopback) {
    return "Changes are accepted from this machine alone; ask on its own loopback address";
  }
  if (!is_local_name(request.host)) {
    return "Changes are accepted under a loopback name alone; ask 127.0.0.1 or localhost";
  }
  if (!http::is_same_origin(request)) {
    return "Changes are not accepted from another site's page";
  }
  return {};
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) patterns_.push_back(split(route.pattern));
}

std::optional<http::Response> Router::handle(const http::Request& request) const {
  const std::string_view method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!matches(patterns_[i], request.path)) continue;
    const Route& route = routes_[i];
    if (route.method == method) {
      if (const auto why = route.changes ? refusal(request) : std::string_view(); !why.empty()) {
        return http::error_response(403, why);
      }
      return route.handle(request, captures(patterns_[i], request.path));
    }
    if (allowed.find(route.method) != allowed.npos) continue;
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (allowed.empty()) return http::error_response(404, "Not Found");
  http::Response response = http::error_response(405, "Method Not Allowed");
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

}  // namespace gpuscope::api

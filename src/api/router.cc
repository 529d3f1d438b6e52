#include "api/router.h"

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
      if (route.changes && !request.from_loopback) {
        return http::error_response(
            403, "Changes are accepted from this machine alone; ask on its own loopback address");
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

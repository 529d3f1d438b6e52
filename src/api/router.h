// Which request goes where: a table of routes and the rules that hold for all of them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace gpuscope::api {

// What the wildcards of a pattern stand for, decoded, in order. `{path}` gives all of its segments.
using Captures = std::span<const std::string>;

using RouteHandler =
    std::function<std::optional<http::Response>(const http::Request&, Captures captures)>;

// All texts are static.
struct Route {
  std::string_view method;  // "GET", which answers HEAD too
  // Segments are literal or `{name}` for any one segment; `{path}` at the end is for one or more.
  // docs/api/openapi.yaml describes each under this very pattern; a test holds the two together.
  std::string_view pattern;
  std::string_view name;  // its key among the endpoints of `GET /`
  // Changes something: refused to peers that are not on this machine, to other sites' pages, and
  // under a Host that is not a loopback name (such a page with a name that points here).
  bool changes = false;
  RouteHandler handle;
};

// Not thread-safe: all requests come on the server's thread.
class Router {
 public:
  // Of two patterns that match a path, the earlier wins.
  explicit Router(std::vector<Route> routes);

  // Errors of its own: 404 "Not Found"; 405 with Allow for a path known under other methods; 403
  // for a change asked for from elsewhere.
  std::optional<http::Response> handle(const http::Request& request) const;

  std::span<const Route> routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  std::vector<std::vector<std::string_view>> patterns_;  // by route, split into segments
};

}  // namespace gpuscope::api

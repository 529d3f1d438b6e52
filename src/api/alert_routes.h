// Alerts and rules as Prometheus's API has them, silences as Alertmanager's.
#pragma once

#include <string>
#include <vector>

#include "alert/alerting.h"
#include "api/router.h"
#include "http/server.h"

namespace gpuscope::api {

// Not thread-safe: requests come on the server's thread alone.
class AlertRoutes {
 public:
  // To be called before the first request. `alerting` outlives this object; null: there are no
  // alerts, and `why_none` says why.
  void configure(alert::Alerting* alerting, std::string why_none);

  // What it answers: /api/v1/alerts, /api/v1/rules, /api/v2/silences, /api/v2/silence/{id}.
  std::vector<Route> table();

 private:
  template <typename Answer>
  RouteHandler with_alerting(Answer answer);
  http::Response alerts() const;
  http::Response rules(const http::Request& request) const;
  http::Response silences(const http::Request& request) const;
  http::Response silence(const std::string& id) const;
  http::Response set_silence(const http::Request& request);
  http::Response expire_silence(const std::string& id);

  alert::Alerting* alerting_ = nullptr;
  std::string why_none_ = "cannot alert: this agent was not told to";
};

}  // namespace gpuscope::api

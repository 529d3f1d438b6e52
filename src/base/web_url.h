// Addresses of web servers: what is wrong with one, and how it is shown.
#pragma once

#include <string>
#include <string_view>

namespace gpuscope::base {

// `scheme://host[:port]` of a URL as it stands in messages: without user, path and query, which may
// hold secrets. All of it where it is no URL.
std::string url_origin(std::string_view url);

// What is wrong with an http or https URL, as in "'x' …"; empty: nothing. A user or password in it
// is wrong: URLs get into logs.
std::string check_web_url(std::string_view url);

}  // namespace gpuscope::base

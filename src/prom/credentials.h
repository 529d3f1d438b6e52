// What a request shows so that a server lets it in.
#pragma once

#include "base/result.h"
#include "http/web_client.h"
#include "prom/options.h"

namespace gpuscope::prom {

// Adds headers, bearer token, user and password, each read from its file where it has one. Errors
// are those of reading, and kInvalidArgument for a line that is no header; they never repeat a
// secret.
base::Result<void> add_credentials(const Credentials& credentials, http::WebRequest& request);

}  // namespace gpuscope::prom

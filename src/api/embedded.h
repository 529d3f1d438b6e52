// Files that the build puts into the program.
#pragma once

#include <string_view>

namespace gpuscope::embedded {

extern const std::string_view page_html;     // src/api/page.html
extern const std::string_view openapi_json;  // docs/api/openapi.yaml
extern const std::string_view docs_html;     // the same, to read

// The same of the fleet's service.
extern const std::string_view fleet_page_html;     // src/api/fleet_page.html
extern const std::string_view fleet_openapi_json;  // those paths that it serves
extern const std::string_view fleet_docs_html;

}  // namespace gpuscope::embedded

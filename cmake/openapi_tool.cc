// openapi_tool [fleet_]json|[fleet_]html IN.yaml OUT: the API's description as JSON for programs,
// or as a page for people; fleet_: of the fleet's service alone. Runs at build time.
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/markup.h"

namespace {

using Json = nlohmann::ordered_json;
using gpuscope::base::escape_markup;

Json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text == "true") return true;
  if (text == "false") return false;
  if (text == "null" || text == "~") return nullptr;
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, whole);
      error == std::errc{} && at == end) {
    return whole;
  }
  double number = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, number);
      error == std::errc{} && at == end) {
    return number;
  }
  return text;
}

Json convert(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence: {
      Json list = Json::array();
      for (const YAML::Node& item : node) list.push_back(convert(item));
      return list;
    }
    case YAML::NodeType::Map: {
      Json map = Json::object();
      for (const auto& member : node) map[member.first.Scalar()] = convert(member.second);
      return map;
    }
    default:
      return nullptr;
  }
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_string() ? ""
                                                      : escape_markup(found->get<std::string>());
}

// Follows `$ref: '#/a/b'` within the document.
Json resolved(const Json& root, const Json& node) {
  if (!node.is_object() || !node.contains("$ref")) return node;
  return root.at(Json::json_pointer(node.at("$ref").get<std::string>().substr(1)));
}

std::string parameters_html(const Json& root, const Json& operation) {
  std::string rows;
  for (const Json& reference : operation.value("parameters", Json::array())) {
    const Json parameter = resolved(root, reference);
    rows += "<tr><td><code>" + text_of(parameter, "name") + "</code></td><td>" +
            text_of(parameter, "in") + "</td><td>" + text_of(parameter, "description") +
            "</td></tr>\n";
  }
  if (rows.empty()) return "";
  return "<table><thead><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr></thead><tbody>\n" +
         rows + "</tbody></table>\n";
}

std::string examples_html(const Json& response) {
  std::string out;
  const Json content = response.value("content", Json::object());
  for (const auto& [type, media] : content.items()) {
    if (!media.contains("example")) continue;
    const Json& example = media.at("example");
    out += "<p class=\"type\">" + escape_markup(type) + "</p><pre>" +
           escape_markup(example.is_string() ? example.get<std::string>() : example.dump(2)) +
           "</pre>\n";
  }
  return out;
}

std::string operation_html(const Json& root, const std::string& path, std::string method,
                           const Json& operation) {
  for (char& c : method) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  const std::string id = text_of(operation, "operationId");
  std::string out = "<section id=\"" + id + "\">\n<h2><b>" + method + "</b> <code>" +
                    escape_markup(path) + "</code></h2>\n<p>" + text_of(operation, "summary") +
                    "</p>\n";
  const std::string description = text_of(operation, "description");
  if (!description.empty()) out += "<p>" + description + "</p>\n";
  out += parameters_html(root, operation);
  for (const auto& [status, reference] : operation.at("responses").items()) {
    const Json response = resolved(root, reference);
    out += "<h3>" + escape_markup(status) + " " + text_of(response, "description") + "</h3>\n";
    out += examples_html(response);
  }
  return out + "</section>\n";
}

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem}
h2{margin-top:2.5rem;border-top:1px solid #8884;padding-top:1.5rem;font-size:1.15rem}
h2 b{background:#1769aa;color:#fff;border-radius:.3rem;padding:.1rem .5rem;font-size:.85rem}
h3{font-size:1rem;margin-bottom:.25rem}
pre{background:#8882;border-radius:.4rem;padding:.8rem;overflow:auto;font-size:.85rem}
.type{margin:.25rem 0;font-size:.85rem;opacity:.75}
table{border-collapse:collapse}td,th{text-align:left;padding:.25rem 1rem .25rem 0;vertical-align:top}
nav li{list-style:none}nav ul{padding:0}
#simulated{border:2px solid currentColor;border-radius:.4rem;padding:0 .5rem;font-weight:700;font-size:1rem;color:#9a6700}
@media(prefers-color-scheme:dark){#simulated{color:#d6a01d}}
</style>
)";

// The mark that every page has while GPUs are simulated; the page itself is the same everywhere.
constexpr std::string_view kScript = R"(<script>
"use strict";
fetch("./", {headers: {Accept: "application/json"}}).then(answer => answer.json()).then(about => {
  document.getElementById("simulated").hidden = about.simulated !== true;
}).catch(() => {});
</script>
)";

std::string html(const Json& root) {
  const std::string title = text_of(root.at("info"), "title");
  std::string contents;
  std::string sections;
  for (const auto& [path, methods] : root.at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      contents += "<li><a href=\"#" + text_of(operation, "operationId") + "\"><code>" +
                  escape_markup(path) + "</code></a> " + text_of(operation, "summary") + "</li>\n";
      sections += operation_html(root, path, method, operation);
    }
  }
  return std::string(kHead) + "<title>" + title + "</title></head><body>\n<h1>" + title +
         " <span id=\"simulated\" hidden>SIMULATED</span></h1>\n<p>" +
         text_of(root.at("info"), "description") +
         "</p>\n<p>For programs: <a href=\"openapi.json\">openapi.json</a></p>\n<nav "
         "aria-label=\"Endpoints\"><ul>\n" +
         contents + "</ul></nav>\n<main>\n" + sections + "</main>\n" + std::string(kScript) +
         "</body></html>\n";
}

// What the fleet's service serves, of all that an agent does: the operations that have "x-fleet",
// with its members in place of their own. An agent's description is without them.
void choose(Json& root, bool fleet) {
  Json& paths = root.at("paths");
  for (auto path = paths.begin(); path != paths.end();) {
    Json& methods = path.value();
    for (auto each = methods.begin(); each != methods.end();) {
      Json& operation = each.value();
      const bool is_fleets = operation.contains("x-fleet");
      const Json own = is_fleets ? operation.at("x-fleet") : Json::object();
      operation.erase("x-fleet");
      if (fleet) operation.update(own);
      each = fleet && !is_fleets ? methods.erase(each) : std::next(each);
    }
    path = methods.empty() ? paths.erase(path) : std::next(path);
  }
  Json& info = root.at("info");
  const Json own = info.at("x-fleet");
  info.erase("x-fleet");
  if (fleet) info.update(own);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::fputs("usage: openapi_tool [fleet_]json|[fleet_]html IN.yaml OUT\n", stderr);
    return 2;
  }
  Json root = convert(YAML::LoadFile(argv[2]));
  std::string_view form = argv[1];
  const bool fleet = form.starts_with("fleet_");
  if (fleet) form.remove_prefix(form.find('_') + 1);
  choose(root, fleet);
  std::ofstream out(argv[3], std::ios::binary);
  out << (form == "html" ? html(root) : root.dump());
  out.close();
  return out.good() ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "openapi_tool: %s: %s\n", argv[2], error.what());
  return 1;
}

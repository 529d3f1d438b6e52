// YAML text to a node, once a first look found nothing in it that could make reading it expensive.
#pragma once

#include <yaml-cpp/node/node.h>

#include <expected>
#include <string>

namespace gpuscope::config {

struct YamlComplaint {
  int line;  // from 1
  std::string what;
};

// The text's one document; a null node for an empty text. A complaint about text that is not YAML,
// and about the first thing in it that no file of ours has a use for: a second document, an alias,
// lists and maps more than a few deep.
std::expected<YAML::Node, YamlComplaint> load_yaml(const std::string& text);

}  // namespace gpuscope::config

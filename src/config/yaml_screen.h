// A first look at YAML text, before anything is built from it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gpuscope::config {

struct YamlComplaint {
  int line;               // from 1
  std::string_view what;  // static
};

// The first thing in `text` that no file of ours has a use for and that could make reading it
// expensive: a second document, an alias, lists and maps more than a few deep. Throws what yaml-cpp
// throws (YAML::Exception) on text that is not YAML.
std::optional<YamlComplaint> screen_yaml(const std::string& text);

}  // namespace gpuscope::config

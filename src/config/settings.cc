#include "config/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "config/nearest.h"
#include "config/yaml_screen.h"

namespace gpuscope::config {
namespace {

using base::ErrorKind;
using base::fail;

// Reads one file's document and keeps what it finds wrong.
class FileReader {
 public:
  FileReader(std::span<const Setting> table, std::string_view file) : table_(table), file_(file) {}

  FileSettings read(const std::string& text) {
    if (text.size() > kMaxSettingsBytes) {
      mistake(1, "", fmt::format("the file is longer than {} bytes", kMaxSettingsBytes));
      return std::move(out_);
    }
    if (const auto root = load_yaml(text)) {
      read_root(*root);
    } else {
      mistake(root.error().line, "", root.error().what);
    }
    return std::move(out_);
  }

 private:
  static int line_of(const YAML::Node& node) {
    return node.Mark().is_null() ? 1 : node.Mark().line + 1;
  }

  void mistake(int line, std::string_view key, std::string_view what) {
    const std::string place = fmt::format("{}:{}: ", file_, line);
    out_.mistakes.push_back(key.empty() ? place + base::escape_log_text(what)
                                        : fmt::format("{}{}: {}", place, base::escape_log_text(key),
                                                      base::escape_log_text(what)));
  }

  void read_root(const YAML::Node& root) {
    if (root.IsNull()) return;  // an empty file, or comments alone
    if (!root.IsMap()) {
      mistake(line_of(root), "", "takes lines of the form 'key: value'");
      return;
    }
    read_map(root, "");
  }

  // `prefix` is empty or, one level down, "sim.".
  void read_map(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        mistake(line_of(entry.first), prefix, "a key is one word");
        continue;
      }
      const std::string key = prefix + entry.first.Scalar();
      const int line = line_of(entry.first);
      if (!seen_.insert(key).second) {
        mistake(line, key, "stands here for the second time");
      } else if (entry.second.IsMap() && prefix.empty() && is_section(key)) {
        read_map(entry.second, key + ".");
      } else {
        read_value(key, line, entry.second);
      }
    }
  }

  bool is_section(const std::string& key) const {
    return std::ranges::any_of(table_,
                               [&](const Setting& row) { return row.key.starts_with(key + "."); });
  }

  void read_value(const std::string& key, int line, const YAML::Node& node) {
    if (is_section(key)) {
      if (!node.IsNull()) mistake(line, key, "takes settings of its own, indented below it");
      return;
    }
    const auto row = std::ranges::find(table_, std::string_view(key), &Setting::key);
    if (row == table_.end()) {
      mistake(line, key, unknown(key));
      ++out_.unknown;
    } else if (!node.IsScalar()) {
      mistake(line, key, fmt::format("takes {}", row->takes));
    } else if (const std::string wrong = row->wrong(*row, node.Scalar()); !wrong.empty()) {
      mistake(line, key, wrong);
    } else {
      out_.values[row->flag] = {node.Scalar(), fmt::format("{}:{}: {}", file_, line, key)};
    }
  }

  std::string unknown(const std::string& key) const {
    std::vector<std::string_view> keys;
    for (const Setting& row : table_) {
      if (row.key.empty()) continue;
      keys.push_back(row.key);
      if (const auto dot = row.key.find('.'); dot != std::string_view::npos) {
        keys.push_back(row.key.substr(0, dot));
      }
    }
    // A flag's spelling is the likeliest slip.
    std::string spelled = key;
    std::ranges::replace(spelled, '-', '_');
    const std::string_view near = nearest(spelled, keys);
    return near.empty() ? "there is no such setting"
                        : fmt::format("there is no such setting; did you mean '{}'?", near);
  }

  std::span<const Setting> table_;
  std::string file_;
  std::set<std::string> seen_;
  FileSettings out_;
};

// Checks one value given outside a file.
base::Result<void> check(const Setting& row, const Value& value) {
  const std::string wrong = row.wrong(row, value.text);
  if (wrong.empty()) return {};
  return fail(ErrorKind::kInvalidArgument, fmt::format("cannot use {}: {}", value.origin, wrong));
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    // Read before any thread starts, so nobody changes it meanwhile.
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

FileSettings parse_settings(std::span<const Setting> table, std::string_view file,
                            const std::string& text) {
  return FileReader(table, file).read(text);
}

base::Result<FileSettings> read_settings(std::span<const Setting> table, const std::string& path) {
  auto text = base::read_file(path, kMaxSettingsBytes);
  if (!text) return std::unexpected(std::move(text.error()));
  return parse_settings(table, path, *text);
}

base::Result<Values> settings_from_environment(std::span<const Setting> table,
                                               const Environment& environment) {
  Values values;
  for (const Setting& row : table) {
    auto text = environment(std::string(row.env));
    if (!text || text->empty()) continue;
    Value value{std::move(*text), std::string(row.env)};
    if (auto ok = check(row, value); !ok) return std::unexpected(std::move(ok.error()));
    values[row.flag] = std::move(value);
  }
  return values;
}

base::Result<Values> settings_from_flags(std::span<const Setting> table,
                                         const std::map<std::string, std::string>& flags) {
  Values values;
  for (const Setting& row : table) {
    const auto given = flags.find(std::string(row.flag));
    if (given == flags.end()) continue;
    Value value{given->second, fmt::format("--{}", row.flag)};
    if (auto ok = check(row, value); !ok) return std::unexpected(std::move(ok.error()));
    values[row.flag] = std::move(value);
  }
  return values;
}

base::Result<Values> settings_given(std::span<const Setting> table,
                                    const std::map<std::string, std::string>& flags,
                                    const Environment& environment) {
  auto given = settings_from_flags(table, flags);
  if (!given) return given;
  auto variables = settings_from_environment(table, environment);
  if (!variables) return variables;
  return overlay(std::move(*given), std::move(*variables));
}

base::Result<Values> settings_from_file(std::span<const Setting> table, const std::string& path) {
  auto file = read_settings(table, path);
  if (!file) return std::unexpected(std::move(file.error()));
  if (!file->mistakes.empty()) {
    return fail(ErrorKind::kInvalidArgument, fmt::format("cannot use the settings in {}:\n  {}",
                                                         path, fmt::join(file->mistakes, "\n  ")));
  }
  return std::move(file->values);
}

Values overlay(Values stronger, Values weaker) {
  stronger.merge(weaker);
  return stronger;
}

std::vector<Change> changes(std::span<const Setting> table, const Values& before,
                            const Values& after) {
  const auto text = [](const Setting& row, const Values& values) {
    const auto found = values.find(row.flag);
    return found == values.end() ? std::string(row.fallback) : found->second.text;
  };
  std::vector<Change> found;
  for (const Setting& row : table) {
    Change change{&row, text(row, before), text(row, after)};
    if (change.before != change.after) found.push_back(std::move(change));
  }
  return found;
}

base::Result<void> refuse_both(
    const Values& values, std::span<const std::pair<std::string_view, std::string_view>> either) {
  for (const auto& [one, other] : either) {
    if (!values.contains(one) || !values.contains(other)) continue;
    return base::fail(base::ErrorKind::kInvalidArgument,
                      fmt::format("cannot use {} and {} together: give one of them",
                                  values.at(one).origin, values.at(other).origin));
  }
  return {};
}

std::string is_not(const Setting& setting, std::string_view value) {
  return fmt::format("'{}' is not {}", value, setting.takes);
}

std::string settings_markdown(std::span<const Setting> table) {
  const auto code = [](std::string_view text) {
    return text.empty() ? std::string() : fmt::format("`{}`", text);
  };
  std::string out =
      "| flag | variable | key in the file | takes | default | what it does | taken |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const Setting& row : table) {
    const bool is_prose = row.fallback.find(' ') != std::string_view::npos;
    out += fmt::format("| `--{} {}` | `{}` | {} | {} | {} | {} | {} |\n", row.flag, row.argument,
                       row.env, code(row.key), row.takes,
                       is_prose ? std::string(row.fallback) : code(row.fallback), row.help,
                       row.live ? "at once" : "at the start");
  }
  return out;
}

}  // namespace gpuscope::config

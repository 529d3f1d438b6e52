// Settings of a program: one table says what there is, and file, environment and flags follow it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gpuscope::config {

// One row of a program's table. All texts are static.
struct Setting {
  std::string_view flag;  // without dashes: "sim-gpus"; unique
  std::string_view key;   // in the file: "gpus" or, one level down, "sim.gpus"; empty: not there
  std::string_view env;   // "GPUSCOPE_SIM_GPUS"
  std::string_view argument;  // what stands for its value in a usage text: "N"
  std::string_view takes;     // as in "'x' is not …": "a number from 1 to 10000"
  std::string_view fallback;  // the value when nobody gives one, for people
  std::string_view help;      // what it does, without a full stop
  // Whether a value can be used: empty, or what is wrong with it in a few words.
  std::string (*wrong)(const Setting& setting, std::string_view value);
  // Whether a running program takes a new value; else it does at its next start.
  bool live = false;
  // Whether its value is nobody's business: no log and no error repeats it.
  bool secret = false;
};

// A value that somebody gave, and where: "--interval", "GPUSCOPE_INTERVAL", "agent.yaml:3:
// interval".
struct Value {
  std::string text;
  std::string origin;
};

// By flag. What is not in it has its fallback.
using Values = std::map<std::string_view, Value>;

// How a variable of the environment is read; nullopt where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
// The process's own.
Environment process_environment();

struct FileSettings {
  Values values;
  // Every one of them, in the order of their lines, each as "FILE:LINE: key: what is wrong".
  std::vector<std::string> mistakes;
  std::size_t unknown = 0;  // of them, keys that the table does not have
};

// A file that is longer has a mistake.
inline constexpr std::size_t kMaxSettingsBytes = 1'048'576;

// Reads the YAML text of a settings file against a table; `file` is its name for the mistakes.
FileSettings parse_settings(std::span<const Setting> table, std::string_view file,
                            const std::string& text);
// The same from disk. The error is that of reading; mistakes are in the result.
base::Result<FileSettings> read_settings(std::span<const Setting> table, const std::string& path);

// What the environment gives; a variable that is set but empty counts as not set.
base::Result<Values> settings_from_environment(std::span<const Setting> table,
                                               const Environment& environment);
// What flags give, by flag; every one of them stands in the table.
base::Result<Values> settings_from_flags(std::span<const Setting> table,
                                         const std::map<std::string, std::string>& flags);

// The two, flags over environment.
base::Result<Values> settings_given(std::span<const Setting> table,
                                    const std::map<std::string, std::string>& flags,
                                    const Environment& environment);
// What a file gives. The error is that of reading, or has everything that is wrong with the file, a
// line each.
base::Result<Values> settings_from_file(std::span<const Setting> table, const std::string& path);

// `stronger` over `weaker`.
Values overlay(Values stronger, Values weaker);

// A setting whose value is another one, as people write it; its fallback where nobody gave one.
struct Change {
  const Setting* setting = nullptr;
  std::string before;
  std::string after;
};
// What differs between the values of two times, in the order of the table. Where a value came from
// does not count, nor whether somebody wrote a fallback out.
std::vector<Change> changes(std::span<const Setting> table, const Values& before,
                            const Values& after);

// Refuses two settings that exclude each other, by their flags; the error names where both came
// from.
base::Result<void> refuse_both(
    const Values& values, std::span<const std::pair<std::string_view, std::string_view>> either);

// "'x' is not a number from 1 to 10000".
std::string is_not(const Setting& setting, std::string_view value);

// The table as Markdown, for docs/configuration.md.
std::string settings_markdown(std::span<const Setting> table);

}  // namespace gpuscope::config

#include "query/matcher.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "base/text.h"

namespace gpuscope::query {
namespace {

using base::Result;
using model::LabelMatcher;

constexpr std::int64_t kRegexMemory = 1 << 20;

// The group that a name in a replacement means; -1: none.
int group_of(const re2::RE2& regex, const std::string& name) {
  if (std::ranges::all_of(name, base::is_digit)) {
    if (name.size() > 1 && name.front() == '0') return -1;
    int number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc{} ? number : -1;
  }
  const auto& groups = regex.NamedCapturingGroups();
  const auto found = groups.find(name);
  return found == groups.end() ? -1 : found->second;
}

// Takes what stands behind a '$' off the front of `left`. None: no name is there.
std::optional<std::string> take_group(std::string_view& left) {
  const bool braced = left.starts_with('{');
  const std::size_t begin = braced ? 1 : 0;
  std::size_t end = begin;
  while (end < left.size() && base::is_name_char(left[end])) ++end;
  if (end == begin || (braced && (end == left.size() || left[end] != '}'))) return std::nullopt;
  std::string name(left.substr(begin, end - begin));
  left.remove_prefix(end + (braced ? 1 : 0));
  return name;
}

}  // namespace

Result<std::shared_ptr<const re2::RE2>> compile(const std::string& regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexMemory);
  auto compiled = std::make_shared<const re2::RE2>(regex, options);
  if (!compiled->ok()) {
    return base::fail(
        base::ErrorKind::kInvalidArgument,
        fmt::format("cannot read the regular expression '{}': {}", regex, compiled->error()));
  }
  return compiled;
}

Result<LabelMatcher> make_matcher(std::string label, LabelMatcher::Kind kind, std::string value) {
  LabelMatcher matcher{std::move(label), kind, value, {}};
  const bool wanted = kind == LabelMatcher::Kind::kEqual || kind == LabelMatcher::Kind::kRegex;
  if (kind == LabelMatcher::Kind::kEqual || kind == LabelMatcher::Kind::kNotEqual) {
    matcher.fits = [value = std::move(value), wanted](std::string_view text) {
      return (text == value) == wanted;
    };
    return matcher;
  }
  auto regex = compile(value);
  if (!regex) return std::unexpected(std::move(regex.error()));
  matcher.fits = [regex = std::move(*regex), wanted](std::string_view text) {
    return re2::RE2::FullMatch({text.data(), text.size()}, *regex) == wanted;
  };
  return matcher;
}

std::optional<std::string> replace(const re2::RE2& regex, std::string_view text,
                                   std::string_view replacement) {
  const re2::StringPiece all(text.data(), text.size());
  std::vector<re2::StringPiece> groups(
      static_cast<std::size_t>(std::max(regex.NumberOfCapturingGroups(), 0)) + 1);
  if (!regex.Match(all, 0, all.size(), re2::RE2::ANCHOR_BOTH, groups.data(),
                   static_cast<int>(groups.size()))) {
    return std::nullopt;
  }
  std::string out;
  while (!replacement.empty()) {
    const std::size_t dollar = std::min(replacement.find('$'), replacement.size());
    out.append(replacement.substr(0, dollar));
    replacement.remove_prefix(dollar);
    if (replacement.empty()) break;
    replacement.remove_prefix(1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
    } else if (const auto name = take_group(replacement)) {
      const int group = group_of(regex, *name);
      if (group >= 0 && static_cast<std::size_t>(group) < groups.size()) {
        const re2::StringPiece& found = groups[static_cast<std::size_t>(group)];
        out.append(found.data() == nullptr ? "" : found.data(), found.size());
      }
    } else {
      out += '$';
    }
  }
  return out;
}

}  // namespace gpuscope::query

// Answers of any bytes: never a crash, and no opinion that is out of range.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "wire/chat.h"
#include "wire/opinions.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void check_opinions(std::string_view text, const std::vector<std::string>& ids) {
  using namespace gpuscope;
  const wire::GivenOpinions given = wire::parse_opinions(text, ids);
  check(given.by_id.size() == ids.size());
  for (const auto& opinion : given.by_id) {
    if (!opinion) continue;
    check(given.readable && !opinion->reason.empty());
    check(opinion->confidence >= 0 && opinion->confidence <= 1);
    check(opinion->adjusted_score >= 0 && opinion->adjusted_score <= 100);
    for (const std::string* words : {&opinion->reason, &opinion->recommendation}) {
      check(words->size() <= wire::kMaxReasonBytes && base::is_utf8(*words));
      check(words->find('\n') == std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_opinions(text, {"a"});
  check_opinions(text, {"a", "b"});
  for (const auto dialect : {wire::ChatDialect::kOpenAi, wire::ChatDialect::kAnthropic}) {
    if (const auto reply = wire::parse_chat_reply(dialect, text))
      check_opinions(reply->text, {"a"});
  }
  wire::chat_error(text);
  if (const auto kept = wire::parse_kept_opinion(text)) {
    check(kept->confidence >= 0 && kept->confidence <= 1);
  }
  return 0;
}

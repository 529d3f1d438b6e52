#include "alert/silences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "alert/alert_testing.h"
#include "alert/record.h"
#include "model/memory_state_store.h"

namespace gpuscope::alert {
namespace {

using base::ErrorKind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const model::Labels kAlert{{"alertname", "Hot"}, {"gpu_name", "H100"}};

Silence make_silence(std::vector<SilenceMatcher> matchers = {{"alertname", "Hot"}}) {
  return {.id = "",
          .matchers = std::move(matchers),
          .starts_at = kStart,
          .ends_at = kStart + minutes{60},
          .updated_at = {},
          .created_by = "me",
          .comment = "known"};
}

TEST(Silences, SilenceFromTheirStartToTheirEnd) {
  Silences silences;
  Silence later = make_silence();
  later.starts_at = kStart + minutes{10};
  const auto id = silences.set(later, kStart);
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_FALSE(silences.silenced(kAlert, kStart));
  EXPECT_TRUE(silences.silenced(kAlert, kStart + minutes{10}));
  EXPECT_TRUE(silences.silenced(kAlert, kStart + minutes{59}));
  EXPECT_FALSE(silences.silenced(kAlert, kStart + minutes{60}));
  EXPECT_FALSE(silences.silenced({{"alertname", "Cold"}}, kStart + minutes{10}));
}

TEST(Silences, AllMatchersMustFit) {
  for (const auto& [matchers, fits] : std::vector<std::pair<std::vector<SilenceMatcher>, bool>>{
           {{{"alertname", "Hot"}, {"gpu_name", "H100"}}, true},
           {{{"alertname", "Hot"}, {"gpu_name", "A100"}}, false},
           {{{"alertname", "H.*", true}}, true},
           {{{"alertname", "o", true}}, false},  // anchored
           {{{"alertname", "Hot"}, {"gpu_name", "A.*", true, false}}, true},
           {{{"alertname", "Hot"}, {"gpu_name", "H100", false, false}}, false},
           {{{"alertname", "Hot"}, {"none", ""}}, true}}) {
    Silences silences;
    ASSERT_TRUE(silences.set(make_silence(matchers), kStart));
    EXPECT_EQ(silences.silenced(kAlert, kStart), fits);
  }
}

TEST(Silences, RefuseWhatMakesNoSense) {
  const auto refused = [](auto change) {
    Silences silences;
    Silence silence = make_silence();
    change(silence);
    const auto set = silences.set(silence, kStart + minutes{5});
    return set ? std::string("taken") : set.error().message;
  };
  EXPECT_THAT(refused([](Silence& s) { s.ends_at = s.starts_at; }),
              HasSubstr("ends before it starts"));
  EXPECT_THAT(refused([](Silence& s) { s.ends_at = kStart + minutes{1}; }),
              HasSubstr("its end is past"));
  EXPECT_THAT(refused([](Silence& s) { s.matchers.clear(); }), HasSubstr("no matchers"));
  EXPECT_THAT(refused([](Silence& s) { s.created_by.clear(); }), HasSubstr("who is it"));
  EXPECT_THAT(refused([](Silence& s) { s.matchers[0].name = "a b"; }),
              HasSubstr("no name of a label"));
  EXPECT_THAT(refused([](Silence& s) { s.matchers[0] = {"a", "(", true}; }),
              HasSubstr("cannot take"));
  EXPECT_THAT(refused([](Silence& s) { s.matchers[0] = {"a", ".*", true}; }),
              HasSubstr("cannot take"));
  EXPECT_THAT(refused([](Silence& s) { s.comment = std::string(5000, 'x'); }), HasSubstr("4096"));
  EXPECT_EQ(refused([](Silence&) {}), "taken");
}

TEST(Silences, AChangeKeepsTheOneOrEndsItForAnother) {
  Silences silences;
  const std::string id = silences.set(make_silence(), kStart).value();
  Silence longer = *silences.find(id);
  longer.ends_at += minutes{60};
  EXPECT_EQ(silences.set(longer, kStart + minutes{1}).value(), id);
  Silence other = *silences.find(id);
  other.matchers = {{"alertname", "Cold"}};
  const std::string next = silences.set(other, kStart + minutes{2}).value();
  EXPECT_NE(next, id);
  EXPECT_EQ(state_of(*silences.find(id), kStart + minutes{2}), SilenceState::kExpired);
  EXPECT_FALSE(silences.silenced(kAlert, kStart + minutes{3}));
  Silence unknown = make_silence();
  unknown.id = "nobody";
  EXPECT_EQ(silences.set(unknown, kStart).error().kind, ErrorKind::kNotFound);
}

TEST(Silences, EndOnRequestAndAreForgottenLater) {
  Silences silences;
  const std::string id = silences.set(make_silence(), kStart).value();
  ASSERT_TRUE(silences.expire(id, kStart + minutes{1}));
  EXPECT_FALSE(silences.silenced(kAlert, kStart + minutes{1}));
  EXPECT_EQ(silences.expire(id, kStart + minutes{2}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(silences.expire("nobody", kStart).error().kind, ErrorKind::kNotFound);
  silences.clean(kStart + minutes{1} + Silences::kKeepExpired);
  EXPECT_THAT(silences.all(kStart), SizeIs(1));
  silences.clean(kStart + minutes{2} + Silences::kKeepExpired);
  EXPECT_THAT(silences.all(kStart), IsEmpty());
}

TEST(Silences, OutliveARestart) {
  model::MemoryStateStore store;
  Silences before;
  const std::string id =
      before
          .set(make_silence({{"alertname", "H.*", true}, {"x", "a b\n\"c\"", false, false}}),
               kStart)
          .value();
  ASSERT_TRUE(before.set(make_silence(), kStart));
  ASSERT_TRUE(store.apply(before.take_changes()));
  ASSERT_TRUE(store.put(kSilenceKind, "odd", "matcher a\n"));
  Silences after;
  EXPECT_EQ(after.restore(store.list(kSilenceKind).value()), 1U);
  EXPECT_THAT(after.all(kStart), SizeIs(2));
  EXPECT_EQ(after.find(id), before.find(id));
  EXPECT_TRUE(after.silenced(kAlert, kStart));
}

}  // namespace
}  // namespace gpuscope::alert

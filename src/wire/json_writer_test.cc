#include "wire/json_writer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace gpuscope::wire {
namespace {

void say(JsonWriter& json) {
  json.begin_object().key("a").begin_array().number(1).number(-25, 1).end_array();
  json.key("b").begin_object().end_object();
  json.key("c").begin_array().end_array();
  json.key("d").boolean(true).key("e").null().key("f").raw("1.5").end_object();
}

TEST(JsonWriter, WritesCompactly) {
  std::string out = "kept ";
  JsonWriter json(out);
  say(json);
  EXPECT_EQ(out, R"(kept {"a":[1,-2.5],"b":{},"c":[],"d":true,"e":null,"f":1.5})");
}

TEST(JsonWriter, IndentsAsTheEarlierToolDid) {
  std::string out;
  JsonWriter json(out, 4);
  json.begin_object().key("a").begin_array().number(1).end_array();
  json.key("b").begin_object().end_object().end_object();
  EXPECT_EQ(out, "{\n    \"a\": [\n        1\n    ],\n    \"b\": {}\n}");
  out.clear();
  JsonWriter both(out, 4);
  say(both);
  EXPECT_EQ(out, nlohmann::ordered_json::parse(out).dump(4));
}

TEST(JsonWriter, EscapesAndMendsStrings) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    JsonWriter(out).string(text);
    return out;
  };
  EXPECT_EQ(quoted("a\"b\\c/\n\r\t\x01\x7f"), R"("a\"b\\c/\n\r\t\u0001\u007f")");
  EXPECT_EQ(quoted("Grüße 🙂"), "\"Grüße 🙂\"");
  // A stray byte, an overlong form, a surrogate, a sequence cut short: each bad byte is replaced.
  EXPECT_EQ(quoted("a\xff"), "\"a\xef\xbf\xbd\"");
  for (const char* bad :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf0\x9f\x99"}) {
    const std::string text = quoted(bad);
    EXPECT_NO_THROW(EXPECT_TRUE(nlohmann::json::parse(text).is_string())) << text;
    EXPECT_NE(text.find("\xef\xbf\xbd"), text.npos);
  }
}

}  // namespace
}  // namespace gpuscope::wire

#include "base/web_url.h"

#include <gtest/gtest.h>

namespace gpuscope::base {
namespace {

TEST(WebUrl, IsCheckedAndShownWithoutSecrets) {
  for (const char* good : {"http://h", "https://h:9090/api/v1/write?x=%20", "HTTP://[::1]:1/"}) {
    EXPECT_EQ(check_web_url(good), "") << good;
  }
  for (const char* bad :
       {"", "h", "h:9090/x", "ftp://h/", "file:///etc/passwd", "http://", "http:///x",
        "http://u:p@h/", "http://h/a b", "http://h/\"", "http://h/\n"}) {
    EXPECT_NE(check_web_url(bad), "") << bad;
  }
  EXPECT_EQ(url_origin("http://u:p@h:1/x?token=1"), "http://h:1");
  EXPECT_EQ(url_origin("https://h?token=1"), "https://h");
}

}  // namespace
}  // namespace gpuscope::base

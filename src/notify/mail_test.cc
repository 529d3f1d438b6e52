// Mails byte by byte, and the picture in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "notify/line_chart.h"
#include "notify/message_chart.h"
#include "notify/message_text.h"
#include "notify/mime.h"
#include "notify/notify_testing.h"
#include "notify/options.h"

namespace gpuscope::notify {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(GPUSCOPE_SOURCE_DIR) + "/tests/golden/notify/" + name;
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update && std::string(update) == "1") {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << "differs from " << path;
}

MailText text_of() {
  return {.host = "node-7",
          .external_url = "http://node-7:9555",
          .simulated = false,
          .unit = "\u00b0C",
          .sent = kTestTime};
}

Mail mail_of(const model::AlertNotification& message, MailText text) {
  Mail mail;
  mail.from = "gpus@example.org";
  mail.from_name = "GPU alerts";
  mail.to = "ops@example.org";
  mail.subject = message_subject(message, text.simulated);
  mail.date = text.sent;
  mail.message_id = "1.2@example.org";
  mail.plain = message_plain(message, text);
  mail.html = message_html(message, text, "chart.1.2@example.org");
  if (text.chart) mail.picture = Picture{text.chart->png, "chart.1.2@example.org"};
  return mail;
}

TEST(Mail, OfAGroupThatFires) {
  auto message = test_message("1");
  message.alerts.push_back(test_alert(model::AlertState::kFiring, "1"));
  message.alerts.push_back(test_alert(model::AlertState::kResolved, "2"));
  MailText text = text_of();
  text.chart =
      MailChart{"PNG", "Temperature, \u00b0C, last 3 hours", {{"#1f77b4", "GPU 0: 70 to 91"}}};
  expect_golden("firing.eml", encode_mail(mail_of(message, text)));
}

TEST(Mail, OfAGroupThatIsOverSimulatedAndLate) {
  const auto message = test_message("2", false);
  MailText text = text_of();
  text.simulated = true;
  text.sent = kTestTime + std::chrono::hours{3};
  Mail mail = mail_of(message, text);
  mail.in_reply_to = "0.2@example.org";
  expect_golden("resolved.eml", encode_mail(mail));
}

// Whatever labels and annotations say, they stay text.
TEST(Mail, CannotBeInjectedInto) {
  auto message = test_message("1");
  message.group_labels[1].second = "X\r\nBcc: evil@example.org\r\n\r\n<script>";
  message.alerts[0].annotations[2].second = "<img src=x onerror=alert(1)> & \"q\"";
  message.alerts[0].annotations[1].second = "javascript:alert(1)";
  const MailText text = text_of();
  const std::string mail = encode_mail(mail_of(message, text));
  EXPECT_THAT(mail, Not(HasSubstr("\r\nBcc:")));
  const std::string html = message_html(message, text, "c");
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("href=\"javascript")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x"));
}

TEST(Mail, HasNoLongLinesAndNoBareLineEnds) {
  auto message = test_message("1");
  message.group_labels[1].second = std::string(300, 'x') + "\u00e9\u00e9";
  message.alerts[0].annotations[0].second = std::string(5000, 'y');
  std::istringstream lines(encode_mail(mail_of(message, text_of())));
  for (std::string line; std::getline(lines, line, '\n');) {
    ASSERT_THAT(line, EndsWith("\r"));
    EXPECT_LE(line.size(), 79U) << line;
  }
}

TEST(Mime, EncodesHeaders) {
  EXPECT_EQ(header_text("plain words", 9), "plain words");
  EXPECT_EQ(header_text("a\r\nb", 9), "a  b");
  EXPECT_EQ(header_text("91 \u00b0C", 9), "=?UTF-8?Q?91_=C2=B0C?=");
  EXPECT_EQ(header_text("=?UTF-8?Q?x?=", 9), "=?UTF-8?Q?=3D=3FUTF=2D8=3FQ=3Fx=3F=3D?=");
  EXPECT_EQ(header_text("bad \xff", 9), "=?UTF-8?Q?bad_=EF=BF=BD?=");
  EXPECT_EQ(header_text(std::string(60, 'a') + " " + std::string(30, 'b'), 9),
            std::string(60, 'a') + "\r\n " + std::string(30, 'b'));
}

TEST(Mime, EncodesBodies) {
  EXPECT_EQ(quoted_printable("a=b \n\u00b0\n"), "a=3Db=20\r\n=C2=B0\r\n");
  EXPECT_EQ(quoted_printable(std::string(80, 'x')),
            std::string(75, 'x') + "=\r\n" + std::string(5, 'x'));
  EXPECT_EQ(base64_lines("Man"), "TWFu");
  EXPECT_EQ(base64_lines("Ma"), "TWE=");
  EXPECT_EQ(base64_lines("M"), "TQ==");
  EXPECT_EQ(base64_lines(std::string(58, '\0')), std::string(76, 'A') + "\r\nAA==");
  EXPECT_EQ(mail_date(kTestTime), "Thu, 28 May 2026 20:26:40 +0000");
}

TEST(Mime, KnowsAddresses) {
  EXPECT_TRUE(is_mail_address("ops+gpu@example.org"));
  for (const char* wrong : {"", "ops", "@x", "a@", "a@b@c", "a b@c", "a@b\r\n", "<a@b>", "a,b@c"}) {
    EXPECT_FALSE(is_mail_address(wrong)) << wrong;
  }
}

TEST(MessageSubject, IsOneShortLine) {
  EXPECT_EQ(message_subject(test_message("1"), false),
            "[FIRING:1] GPUHighTemperature SIM-RTX4090 (critical)");
  EXPECT_EQ(message_subject(test_message("1", false), true),
            "[RESOLVED, SIMULATED] GPUHighTemperature SIM-RTX4090 (critical)");
}

TEST(AlertMetric, IsWhatTheExpressionSelects) {
  const AlertMetric hot = find_alert_metric(test_alert().expression).value_or(AlertMetric{});
  EXPECT_EQ(hot.metric, model::Metric::kTemperature);
  EXPECT_EQ(hot.unit, "\u00b0C");
  EXPECT_EQ(hot.limit, 80);
  EXPECT_TRUE(hot.is_value);
  const AlertMetric memory =
      find_alert_metric("DCGM_FI_DEV_FB_USED{x=\"gpu_power_watts\"} > 1e3").value_or(AlertMetric{});
  EXPECT_EQ(memory.metric, model::Metric::kMemoryUsed);
  EXPECT_EQ(memory.limit, 1000);
  const AlertMetric rate =
      find_alert_metric("rate(gpu_power_watts[5m]) > 3").value_or(AlertMetric{});
  EXPECT_EQ(rate.metric, model::Metric::kPower);
  EXPECT_FALSE(rate.is_value);
  EXPECT_FALSE(rate.limit);
  EXPECT_FALSE(find_alert_metric("gpu_power_watts > 5 and gpu_power_watts < 9")->limit);
  EXPECT_FALSE(find_alert_metric("gpu_power_watts > 5 + 3")->limit);
  EXPECT_FALSE(find_alert_metric("up{job=~\"gpu.*\"} == 0"));
}

TEST(NiceTicks, AreRound) {
  EXPECT_THAT(nice_ticks(58, 92), testing::ElementsAre(60, 70, 80, 90));
  EXPECT_THAT(nice_ticks(0, 1),
              testing::ElementsAre(0, 0.2, 0.4, testing::DoubleNear(0.6, 1e-9), 0.8, 1));
}

// A line, a limit and a tint are where they belong: looked at by colour.
TEST(LineChart, DrawsWhatItIsGiven) {
  Chart chart;
  chart.range = {kTestTime, kTestTime + std::chrono::hours{3}};
  chart.lines.emplace_back(std::vector<std::optional<double>>(240, 50.0));
  chart.limit = 80;
  chart.highlight = model::TimeRange{kTestTime + std::chrono::hours{2}, chart.range.end};
  const wire::Image image = draw_chart(chart);
  const auto count = [&](std::uint32_t from, auto is) {
    std::size_t found = 0;
    for (std::size_t y = 0; y < image.height; ++y) {
      for (std::size_t x = from; x < image.width; ++x) {
        found += is(&image.pixels[(y * image.width + x) * 3]) ? 1U : 0U;
      }
    }
    return found;
  };
  const auto blue = [](const std::uint8_t* p) { return p[0] == 0x1f && p[2] == 0xb4; };
  const auto red = [](const std::uint8_t* p) { return p[0] == 0xc6 && p[1] == 0x28; };
  const auto tint = [](const std::uint8_t* p) { return p[0] == 250 && p[1] == 238; };
  EXPECT_GT(count(0, blue), 2000U);
  EXPECT_GT(count(0, red), 500U);
  EXPECT_EQ(count(0, tint), count(image.width / 2, tint));
  EXPECT_GT(count(0, tint), 60'000U);
  // Values that are nowhere, a range of nothing, no lines: drawn, too.
  chart.lines = {{std::nullopt, NAN, INFINITY, 1e300}, {}};
  chart.limit = NAN;
  EXPECT_EQ(draw_chart(chart).width, image.width);
}

}  // namespace
}  // namespace gpuscope::notify

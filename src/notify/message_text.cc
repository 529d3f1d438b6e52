#include "notify/message_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/markup.h"
#include "wire/webhook_message.h"

namespace gpuscope::notify {
namespace {

using base::escape_markup;
using model::AlertNotification;
using model::AlertState;
using model::AlertStatus;
using model::label_value;
using wire::alert_time_text;
using wire::gpu_text;
using wire::summary_of;

// More alerts than that are counted, and not told of one by one.
constexpr std::size_t kShown = 50;
constexpr std::size_t kMaxSubject = 200;
// A message that took longer than that says so.
constexpr std::chrono::minutes kLate{5};

bool is_web(std::string_view url) {
  return url.starts_with("http://") || url.starts_with("https://");
}

std::size_t count_firing(const AlertNotification& message) {
  return static_cast<std::size_t>(
      std::ranges::count(message.alerts, AlertState::kFiring, &AlertStatus::state));
}

std::string_view severity_of(const AlertNotification& message) {
  const std::string_view severity = label_value(message.alerts.front().labels, "severity");
  return severity.empty() ? std::string_view(message.receiver) : severity;
}

std::string span_text(base::WallTime from, base::WallTime to) {
  using std::chrono::duration_cast;
  const auto minutes = std::max(duration_cast<std::chrono::minutes>(to - from).count(), 0L);
  if (minutes < 1) return "less than a minute";
  if (minutes < 120) return fmt::format("{} minute{}", minutes, minutes == 1 ? "" : "s");
  constexpr long kPerHour = 60;
  constexpr long kTwoDays = 2880;
  return minutes < kTwoDays ? fmt::format("{} hours", minutes / kPerHour)
                            : fmt::format("{} days", minutes / kPerHour / 24);
}

struct Fact {
  std::string_view name;
  std::string text;
};

// What is told of one alert, in the order in which people want to know it.
std::vector<Fact> facts_of(const AlertStatus& alert, const MailText& text) {
  std::vector<Fact> facts;
  const auto add = [&](std::string_view name, std::string value) {
    if (!value.empty()) facts.push_back({name, std::move(value)});
  };
  const bool firing = alert.state == AlertState::kFiring;
  add("State", firing ? "firing" : "resolved");
  add("Severity", std::string(label_value(alert.labels, "severity")));
  add("GPU", gpu_text(alert));
  add("UUID", std::string(label_value(alert.labels, "gpu_uuid")));
  std::string value = wire::alert_value_text(alert.value);
  if (!text.unit.empty()) value += " " + text.unit;
  add(firing ? "Value" : "Last value", std::move(value));
  add("Since", alert_time_text(alert.active_since));
  if (alert.resolved_at) {
    add("Resolved", fmt::format("{}, after {}", alert_time_text(*alert.resolved_at),
                                span_text(alert.active_since, *alert.resolved_at)));
  }
  add("Description", std::string(label_value(alert.annotations, "description")));
  add("Runbook", std::string(label_value(alert.annotations, "runbook_url")));
  return facts;
}

std::string late_text(const AlertNotification& message, const MailText& text) {
  if (text.sent - message.time < kLate) return {};
  return fmt::format("This message is of {}: it could not be sent for {}.",
                     alert_time_text(message.time), span_text(message.time, text.sent));
}

std::string head_text(const AlertNotification& message) {
  const std::size_t firing = count_firing(message);
  const std::size_t resolved = message.alerts.size() - firing;
  if (firing == 0) return fmt::format("{} resolved", resolved);
  if (resolved == 0) return fmt::format("{} firing", firing);
  return fmt::format("{} firing, {} resolved", firing, resolved);
}

std::string foot_text(const MailText& text) {
  std::string foot = text.host.empty() ? "Sent by gpuscope" : "Sent by gpuscope on " + text.host;
  return is_web(text.external_url) ? foot + ", " + text.external_url : foot;
}

std::string_view color_of(const AlertNotification& message) {
  if (!message.firing()) return "#2e7d32";
  const std::string_view severity = severity_of(message);
  if (severity == "info") return "#1565c0";
  return severity == "warning" ? "#c75b00" : "#b71c1c";
}

std::string cell(const Fact& fact) {
  std::string text = escape_markup(fact.text);
  if (is_web(fact.text))
    text = fmt::format("<a href=\"{0}\" style=\"color:#1565c0\">{0}</a>", text);
  return text;
}

void append_alert(std::string& out, const AlertStatus& alert, const MailText& text) {
  const bool firing = alert.state == AlertState::kFiring;
  out += fmt::format(
      "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" "
      "style=\"margin:0 0 16px;border-left:4px solid {};\">\n"
      "<tr><td colspan=\"2\" style=\"padding:0 0 6px 12px;font-weight:bold\">{}</td></tr>\n",
      firing ? "#b71c1c" : "#2e7d32", escape_markup(summary_of(alert)));
  for (const Fact& fact : facts_of(alert, text)) {
    out += fmt::format(
        "<tr><td style=\"padding:2px 12px;color:#666;width:96px;vertical-align:top\">{}</td>"
        "<td style=\"padding:2px 0;vertical-align:top\">{}</td></tr>\n",
        fact.name, cell(fact));
  }
  out += "</table>\n";
}

void append_chart(std::string& out, const MailChart& chart, std::string_view chart_id) {
  out += fmt::format(
      "<div style=\"margin:0 0 4px;color:#666\">{0}</div>\n"
      "<img src=\"cid:{1}\" width=\"560\" alt=\"{0}\" style=\"width:100%;max-width:560px;"
      "height:auto;display:block\">\n",
      escape_markup(chart.title), chart_id);
  for (const ChartKey& key : chart.keys) {
    out += fmt::format(
        "<div style=\"font-size:13px;color:#444\"><span style=\"color:{}\">&#9632;</span> "
        "{}</div>\n",
        key.color, escape_markup(key.text));
  }
  out += "<div style=\"height:16px\"></div>\n";
}

}  // namespace

std::string message_subject(const AlertNotification& message, bool simulated) {
  const std::size_t firing = count_firing(message);
  std::string subject = firing > 0
                            ? fmt::format("[FIRING:{}{}]", firing, simulated ? ", SIMULATED" : "")
                            : fmt::format("[RESOLVED{}]", simulated ? ", SIMULATED" : "");
  const auto add = [&](std::string_view text) {
    if (!text.empty()) subject += " " + std::string(text);
  };
  const AlertStatus& first = message.alerts.front();
  const std::string_view name = label_value(message.group_labels, "alertname");
  add(name.empty() ? std::string_view(first.rule) : name);
  const std::string_view gpu = label_value(message.group_labels, "gpu_name");
  add(gpu.empty() ? label_value(first.labels, "gpu_name") : gpu);
  add(fmt::format("({})", severity_of(message)));
  for (char& c : subject) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  if (subject.size() > kMaxSubject) {
    std::size_t end = kMaxSubject;
    while (end > 0 && (static_cast<unsigned char>(subject[end]) & 0xC0U) == 0x80U) --end;
    subject.resize(end);
    subject += "…";
  }
  return subject;
}

std::string message_plain(const AlertNotification& message, const MailText& text) {
  std::string out = message_subject(message, text.simulated) + "\n";
  if (text.simulated) out += "\nThe GPUs are simulated: nothing of this is real.\n";
  if (const std::string late = late_text(message, text); !late.empty()) out += "\n" + late + "\n";
  const std::size_t shown = std::min(message.alerts.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const AlertStatus& alert = message.alerts[i];
    out += fmt::format("\n{}\n", summary_of(alert));
    for (const Fact& fact : facts_of(alert, text)) {
      out += fmt::format("  {:<13}{}\n", std::string(fact.name) + ":", fact.text);
    }
  }
  if (shown < message.alerts.size()) {
    out += fmt::format("\n… and {} more\n", message.alerts.size() - shown);
  }
  return out + "\n-- \n" + foot_text(text) + "\n";
}

std::string message_html(const AlertNotification& message, const MailText& text,
                         std::string_view chart_id) {
  const std::string subject = escape_markup(message_subject(message, text.simulated));
  const std::string_view name = label_value(message.group_labels, "alertname");
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>{}</title></head>\n"
      "<body style=\"margin:0;padding:16px;background:#f4f5f7;"
      "font:15px/1.45 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1a1a1a\">\n"
      "<div style=\"max-width:592px;margin:0 auto;background:#fff;border-radius:6px;"
      "overflow:hidden\">\n"
      "<div style=\"background:{};color:#fff;padding:14px 16px\">"
      "<div style=\"font-size:18px;font-weight:bold\">{}</div>"
      "<div>{}, {}</div></div>\n"
      "<div style=\"padding:16px\">\n",
      subject, color_of(message),
      escape_markup(name.empty() ? std::string_view(message.alerts.front().rule) : name),
      escape_markup(severity_of(message)), head_text(message));
  if (text.simulated) {
    out +=
        "<div style=\"margin:0 0 16px;padding:8px 12px;background:#fff3cd\">"
        "The GPUs are <b>simulated</b>: nothing of this is real.</div>\n";
  }
  if (const std::string late = late_text(message, text); !late.empty()) {
    out += fmt::format("<div style=\"margin:0 0 16px;color:#666\">{}</div>\n", escape_markup(late));
  }
  if (text.chart) append_chart(out, *text.chart, chart_id);
  const std::size_t shown = std::min(message.alerts.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) append_alert(out, message.alerts[i], text);
  if (shown < message.alerts.size()) {
    out += fmt::format("<div>… and {} more</div>\n", message.alerts.size() - shown);
  }
  out += fmt::format(
      "</div>\n<div style=\"padding:10px 16px;border-top:1px solid #eee;color:#777;"
      "font-size:13px\">{}</div>\n</div>\n</body></html>\n",
      escape_markup(foot_text(text)));
  return out;
}

}  // namespace gpuscope::notify

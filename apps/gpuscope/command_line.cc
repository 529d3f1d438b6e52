// The only file that sees CLI11, which is slow to compile.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/duration.h"
#include "commands.h"
#include "companions.h"
#include "config/agent_settings.h"
#include "config/fleet_settings.h"

namespace gpuscope::app {
namespace {

void add_setting(CLI::App& app, const config::Setting& row, Flags& flags) {
  std::string help = fmt::format("{}: {}", row.help, row.takes);
  if (!row.fallback.empty()) help += fmt::format("; default {}", row.fallback);
  help += fmt::format(" [{}]", row.env);
  const std::string flag(row.flag);
  app.add_option_function<std::string>(
         "--" + flag, [&flags, flag](const std::string& text) { flags[flag] = text; }, help)
      ->type_name(std::string(row.argument))
      ->take_last();
}

CLI::App* add_agent(CLI::App& app, AgentCommand& agent) {
  CLI::App* command = app.add_subcommand("agent", "Collect from this machine's GPUs and serve");
  for (const config::Setting& row : config::agent_settings_table()) {
    add_setting(*command, row, agent.flags);
  }
  command->add_flag_callback(
      "--no-history", [&agent] { agent.flags["history"] = "off"; }, "the same as --history off");
  return command;
}

CLI::App* add_fleet(CLI::App& app, FleetCommand& fleet) {
  CLI::App* command = app.add_subcommand(
      "fleet", "Judge how well the GPUs of a whole fleet are used, from any Prometheus engine");
  for (const config::Setting& row : config::fleet_settings_table()) {
    add_setting(*command, row, fleet.flags);
  }
  return command;
}

CLI::App* add_query(CLI::App& app, QueryCommand& query) {
  CLI::App* command = app.add_subcommand("query", "Print one JSON document about the GPUs");
  CLI::Option_group* methods = command->add_option_group("Method");
  methods->require_option(0, 1);
  const auto add_method = [&](const std::string& method, const std::string& help) {
    methods->add_flag_callback("--" + method, [&query, method] { query.method = method; }, help);
  };
  add_method("nvml", "ask the NVIDIA Management Library (default)");
  add_method("bash", "ask the vendor's command-line tools");
  add_method("sim", "simulate GPUs");
  CLI::Option_group* fields = command->add_option_group("Fields");
  fields->add_flag("--count", query.query.count, "the number of GPUs");
  for (const wire::FieldInfo& field : wire::fields()) {
    fields->add_flag_callback(
        fmt::format("--{}", field.option), [&query, id = field.id] { query.query.fields.add(id); },
        std::string(field.help));
  }
  fields->add_flag_callback(
      "--all", [&query] { query.query.fields = wire::FieldSet::all(); }, "all of these fields");
  command->add_option("--gpu", query.query.gpu, "only the GPU of this index")
      ->type_name("IDX")
      ->check(CLI::NonNegativeNumber);
  for (const config::Setting& row : config::device_settings_table()) {
    add_setting(*command, row, query.flags);
  }
  return command;
}

struct CheckApps {
  CLI::App* config = nullptr;
  CLI::App* rules = nullptr;
};

CheckApps add_check(CLI::App& app, CheckConfigCommand& config, CheckRulesCommand& rules) {
  CheckApps apps;
  CLI::App* command = app.add_subcommand("check", "Check files before they are used");
  command->require_subcommand(1);
  apps.config = command->add_subcommand(
      "config", "Every mistake in a settings file of an agent or of the fleet");
  apps.config->add_option("FILE", config.files, "YAML files as --config takes them")->required();
  apps.rules = command->add_subcommand("rules", "Every mistake in a file of alerting rules");
  apps.rules->add_option("FILE", rules.files, "YAML files in Prometheus's format")->required();
  return apps;
}

void add_export(CLI::App* command, HistoryCommand& history) {
  command
      ->add_option("--out", history.out,
                   "CSV: the directory of the files, one per GPU, UUID.csv; OpenMetrics: the "
                   "file (default: standard output)")
      ->type_name("DIR|FILE");
  command
      ->add_option("--from", history.from,
                   "from this time on (default: all): " + std::string(base::kMomentTakes))
      ->type_name("TIME");
  command->add_option("--to", history.to, "up to this time (default: all)")->type_name("TIME");
  command
      ->add_option("--step", history.step,
                   "one row for so long, means of gauges and last values of the rest, instead "
                   "of every tick")
      ->type_name("DURATION");
  command->add_flag("--all", history.all, "every metric that there is, not the usual ones alone");
  command->add_option("--format", history.format, "csv or openmetrics, for promtool")
      ->check(CLI::IsMember({"csv", "openmetrics"}))
      ->capture_default_str();
  command
      ->add_option("--label", history.labels,
                   "OpenMetrics: a label more on every series, such as instance=node-7; may be "
                   "given again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

CLI::App* add_history(CLI::App& app, HistoryCommand& history) {
  using Action = HistoryCommand::Action;
  CLI::App* command = app.add_subcommand("history", "Look at what an agent remembers");
  command->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Action action) {
    CLI::App* one = command->add_subcommand(name, help);
    one->parse_complete_callback([&history, action] { history.action = action; });
    one->add_option("--data-dir", history.data_dir,
                    "the agent's data directory [GPUSCOPE_DATA_DIR]")
        ->type_name("DIR");
    one->add_option("--db", history.db, "the file itself")->type_name("FILE");
    return one;
  };
  add_export(add("export", "Write CSV files or OpenMetrics", Action::kExport), history);
  add("info", "Size, span, bytes a sample, GPUs and gaps", Action::kInfo)
      ->add_option("--gap", history.gap, "time without a tick from that length on is a gap")
      ->type_name("DURATION")
      ->capture_default_str();
  add("vacuum", "Give free space back to the disk, while no agent writes", Action::kVacuum);
  CLI::App* import = add("import", "Take in the earlier logger's database, while no agent writes",
                         Action::kImport);
  import->add_option("FILE", history.file, "that database")->required();
  import
      ->add_option("--ahead-of-utc", history.ahead_of_utc,
                   "how far the logger's clock was ahead of UTC, such as 2h or -5h (default: 0s)")
      ->type_name("DURATION");
  CLI::App* record =
      add("record", "Remember what an agent elsewhere reads, until Ctrl-C", Action::kRecord);
  record->add_option("HOST:PORT", history.host, "that agent, or its URL")->required();
  record->add_option("--method", history.method, "how it reads GPUs (default: as it was started)")
      ->check(CLI::IsMember({"nvml", "bash", "smi", "sim", "auto", "replay"}));
  record->add_option("--interval", history.interval, "how often it is asked")
      ->type_name("DURATION")
      ->capture_default_str();
  return command;
}

CLI::App* add_notify(CLI::App& app, NotifyTestCommand& notify) {
  CLI::App* command = app.add_subcommand("notify", "How people are told of alerts");
  command->require_subcommand(1);
  CLI::App* test = command->add_subcommand(
      "test", "Send a test message to every receiver, and say what happened, step by step");
  test->add_option("--receiver", notify.receiver, "to this one alone: email, webhook, …")
      ->type_name("NAME");
  for (const config::Setting& row : config::agent_settings_table()) {
    add_setting(*test, row, notify.flags);
  }
  return test;
}

// Says what is wrong, with the usage of the command that it is wrong in.
int refuse(const CLI::App& app, std::string_view what) {
  std::cerr << "gpuscope: " << what << "\n\n" << app.help();
  return 1;
}

// Made in its place: g++ 12 takes a variant that is moved for one that may be another.
template <typename One>
std::variant<Command, int> done(One command) {
  return std::variant<Command, int>(std::in_place_type<Command>, std::move(command));
}

}  // namespace

std::variant<Command, int> parse_command_line(int argc, char** argv) {
  CLI::App app("gpuscope: watches NVIDIA GPUs", "gpuscope");
  app.set_version_flag("--version", std::string("gpuscope ") + GPUSCOPE_VERSION);
  app.footer(companions_help);
  app.require_subcommand(0, 1);
  AgentCommand agent;
  FleetCommand fleet;
  QueryCommand query;
  CheckConfigCommand check_config;
  CheckRulesCommand check_rules;
  HistoryCommand history;
  NotifyTestCommand notify;
  const CLI::App* agent_app = add_agent(app, agent);
  const CLI::App* fleet_app = add_fleet(app, fleet);
  const CLI::App* query_app = add_query(app, query);
  const CheckApps check = add_check(app, check_config, check_rules);
  const CLI::App* history_app = add_history(app, history);
  const CLI::App* notify_app = add_notify(app, notify);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& outcome) {
    // The texts that somebody asked for come this way, too.
    return outcome.get_exit_code() == 0 ? app.exit(outcome) : refuse(app, outcome.what());
  }
  if (agent_app->parsed()) return done(std::move(agent));
  if (fleet_app->parsed()) return done(std::move(fleet));
  if (check.config->parsed()) return done(std::move(check_config));
  if (check.rules->parsed()) return done(std::move(check_rules));
  if (history_app->parsed()) return done(std::move(history));
  if (notify_app->parsed()) return done(std::move(notify));
  if (!query_app->parsed()) return refuse(app, "cannot tell what to do: name a command");
  if (argc == 2) {
    std::cout << app.help();
    return 0;
  }
  if (query.query.fields.empty() && !query.query.count) {
    return refuse(app, "cannot tell what to print: ask for a field, --count or --all");
  }
  return done(std::move(query));
}

}  // namespace gpuscope::app

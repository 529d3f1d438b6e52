// The only file that sees CLI11, which is slow to compile.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "commands.h"
#include "config/agent_settings.h"

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

CLI::App* add_check(CLI::App& app, CheckConfigCommand& check, CLI::App*& config) {
  CLI::App* command = app.add_subcommand("check", "Check files before they are used");
  command->require_subcommand(1);
  config = command->add_subcommand("config", "Every mistake in an agent's settings file");
  config->add_option("FILE", check.files, "YAML files as --config takes them")->required();
  return command;
}

// Says what is wrong, with the usage of the command that it is wrong in.
int refuse(const CLI::App& app, std::string_view what) {
  std::cerr << "gpuscope: " << what << "\n\n" << app.help();
  return 1;
}

}  // namespace

std::variant<Command, int> parse_command_line(int argc, char** argv) {
  CLI::App app("gpuscope: watches NVIDIA GPUs", "gpuscope");
  app.set_version_flag("--version", std::string("gpuscope ") + GPUSCOPE_VERSION);
  app.require_subcommand(0, 1);
  AgentCommand agent;
  QueryCommand query;
  CheckConfigCommand check;
  CLI::App* config = nullptr;
  const CLI::App* agent_app = add_agent(app, agent);
  const CLI::App* query_app = add_query(app, query);
  add_check(app, check, config);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& outcome) {
    // The texts that somebody asked for come this way, too.
    return outcome.get_exit_code() == 0 ? app.exit(outcome) : refuse(app, outcome.what());
  }
  if (agent_app->parsed()) return Command(std::move(agent));
  if (config->parsed()) return Command(std::move(check));
  if (!query_app->parsed()) return refuse(app, "cannot tell what to do: name a command");
  if (argc == 2) {
    std::cout << app.help();
    return 0;
  }
  if (query.query.fields.empty() && !query.query.count) {
    return refuse(app, "cannot tell what to print: ask for a field, --count or --all");
  }
  return Command(std::move(query));
}

}  // namespace gpuscope::app

/// The command line.
#include "commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <functional>

namespace {

using namespace matricula::commands;

void add_settings(CLI::App* command, settings_options& to) {
  command->add_option("--config", to.file, "Settings file (TOML); without one the defaults hold")
      ->envname("MATRICULA_CONFIG");
  command->add_option("--set", to.sets, "One setting as section.key=value; wins over file and environment")
      ->allow_extra_args(false);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Matricula: an actor runtime for identity and civil registration"};
  app.set_version_flag("--version", "matricula " MATRICULA_VERSION);
  app.require_subcommand(1);
  std::function<int()> run;

  serve_options serve_with;
  serve_with.version = MATRICULA_VERSION;
  std::optional<std::string> data, listen;
  auto* serve_command = app.add_subcommand("serve", "Run a node");
  add_settings(serve_command, serve_with.settings);
  serve_command->add_option("--data", data, "Data folder: short for --set storage.data_dir=...");
  serve_command->add_option("--listen", listen, "HOST:PORT: short for --set server.listen=...");
  serve_command
      ->add_flag("--bench-route", serve_with.bench_route, "Add POST /bench/constant, which benchmarks compare with")
      ->group("");
  serve_command->callback([&] {
    if (data) serve_with.settings.sets.push_back("storage.data_dir=" + *data);
    if (listen) serve_with.settings.sets.push_back("server.listen=" + *listen);
    run = [&] { return serve(serve_with); };
  });

  settings_options config_with;
  auto* config = app.add_subcommand("config", "Look at the settings")->require_subcommand(1);
  auto* check = config->add_subcommand("check", "Say whether the settings are right");
  add_settings(check, config_with);
  check->callback([&] { run = [&] { return config_check(config_with); }; });
  auto* show = config->add_subcommand("show", "Show the settings in force and where each comes from");
  add_settings(show, config_with);
  show->callback([&] { run = [&] { return config_show(config_with); }; });

  token_options token_with;
  std::string token_name;
  auto* token = app.add_subcommand("token", "Manage bearer tokens")->require_subcommand(1);
  auto* create = token->add_subcommand("create", "Make a token and print it once");
  add_settings(create, token_with.settings);
  create->add_option("--name", token_with.name, "Who it is for; appears in histories and the audit log")->required();
  create->add_option("--tenant", token_with.tenant, "Tenant")->capture_default_str();
  create->add_option("--scopes", token_with.scopes, "Scopes such as ids:issue, ids:*, *")->required()->delimiter(',');
  create->add_option("--expires-in-days", token_with.expires_in_days, "Ends by itself after so many days");
  create->add_option("--quota", token_with.quota, "A quota of its own, such as issued_per_min=100,misses_per_min=6000");
  create->callback([&] { run = [&] { return token_create(token_with); }; });
  auto* revoke = token->add_subcommand("revoke", "Forget a token");
  add_settings(revoke, token_with.settings);
  revoke->add_option("--name", token_name, "Whose")->required();
  revoke->callback([&] { run = [&] { return token_revoke(token_with.settings, token_name); }; });

  std::string key_file;
  auto* key = app.add_subcommand("keys", "Manage the permutation keys")->alias("key")->require_subcommand(1);
  auto* key_make = key->add_subcommand("create", "Make a new random key in a file that does not exist yet");
  key_make->add_option("file", key_file, "The file")->required();
  key_make->callback([&] { run = [&] { return key_create(key_file); }; });
  settings_options keys_with;
  auto* keys_list = key->add_subcommand("show", "Show the keys' fingerprints and which types they are for");
  add_settings(keys_list, keys_with);
  keys_list->callback([&] { run = [&] { return keys_show(keys_with); }; });
  key_rotation rotate_with;
  auto* rotate =
      key->add_subcommand("rotate", "Replace the key for everything that was not issued; the node is stopped");
  add_settings(rotate, rotate_with.settings);
  rotate->add_option("--type", rotate_with.types, "Identifier type; may be given several times");
  rotate->add_flag("--all", rotate_with.all, "Every type of the data folder");
  rotate->add_option("--new-key-file", rotate_with.new_file, "File with the new key");
  rotate->add_option("--new-key-command", rotate_with.new_command, "Command that prints the new key");
  rotate->add_option("--new-key-env", rotate_with.new_variable, "Variable with the new key");
  rotate->callback([&] { run = [&] { return keys_rotate(rotate_with); }; });

  ids_options ids_with;
  auto* ids = app.add_subcommand("ids", "Identifiers, offline")->require_subcommand(1);
  auto* generate =
      ids->add_subcommand("generate", "Print valid identifiers that nobody is given, for tests and documents");
  add_settings(generate, ids_with.settings);
  generate->add_option("type", ids_with.type, "Identifier type")->required();
  generate->add_option("--count", ids_with.count, "How many")
      ->capture_default_str()
      ->check(CLI::Range(1u, 10'000'000u));
  generate->callback([&] { run = [&] { return ids_generate(ids_with); }; });
  auto* validate = ids->add_subcommand("validate", "Say which rules identifiers break");
  add_settings(validate, ids_with.settings);
  validate->add_option("type", ids_with.type, "Identifier type")->required();
  validate->add_option("ids", ids_with.ids, "Identifiers; none: one a line from standard input");
  validate->callback([&] { run = [&] { return ids_validate(ids_with); }; });

  backup_options backup_with;
  auto* backup_command = app.add_subcommand("backup", "Copy a node's store, running or stopped");
  add_settings(backup_command, backup_with.settings);
  backup_command->add_option("--to", backup_with.to, "Directory for the backup; new or empty")->required();
  backup_command->add_option("--url", backup_with.url,
                             "The running node, such as http://127.0.0.1:8080; none: the node is stopped");
  backup_command->add_option("--token", backup_with.token, "Bearer token with scope storage:backup")
      ->envname("MATRICULA_TOKEN");
  backup_command->callback([&] { run = [&] { return backup(backup_with); }; });

  settings_options store_with;
  std::string restore_from;
  auto* restore_command = app.add_subcommand("restore", "Make the data folder from a backup");
  add_settings(restore_command, store_with);
  restore_command->add_option("--from", restore_from, "Directory of the backup")->required();
  restore_command->callback([&] { run = [&] { return restore(store_with, restore_from); }; });

  settle_options settle_with;
  auto* settle_command = app.add_subcommand("settle-restore", "After a restore: say what was issued after the backup");
  add_settings(settle_command, settle_with.settings);
  settle_command->add_option("--old-data", settle_with.old_data, "Data folder of the node that was lost, if readable");
  settle_command->add_option(
      "--skip", settle_with.skips,
      "Identifiers issued and imported since the backup, at most: N for every type, TYPE=N for one");
  settle_command->add_option(
      "--cut", settle_with.cuts,
      "With --skip, where a type's key was replaced since the backup: TYPE=COUNTER or TYPE=none");
  settle_command->callback([&] { run = [&] { return settle_restore(settle_with); }; });

  import_options import_with;
  auto* import_command = app.add_subcommand("import", "Load identifiers issued elsewhere into a running node");
  import_command->add_option("--type", import_with.type, "Identifier type")->required();
  import_command->add_option("--file", import_with.file, "NDJSON, CSV or an identifier a line")->required();
  import_command->add_option("--url", import_with.url, "The running node")->capture_default_str();
  import_command->add_option("--token", import_with.token, "Bearer token with scope ids:import")
      ->envname("MATRICULA_TOKEN");
  import_command->add_option("--token-file", import_with.token_file, "A file whose first line is the token");
  import_command->add_option("--ca-file", import_with.ca_file, "Certificates to trust for https");
  import_command->add_option("--format", import_with.format, "What the file is; none: what its first line looks like")
      ->check(CLI::IsMember({"ndjson", "csv", "plain"}));
  import_command->add_flag("--accept-foreign", import_with.accept_foreign,
                           "Also load identifiers that break the type's rules");
  import_command->add_option("--in-flight", import_with.in_flight, "Requests at once")
      ->capture_default_str()
      ->check(CLI::Range(1u, 32u));
  import_command->add_option("--give-up-after", import_with.give_up_after_seconds, "Seconds without an answer")
      ->capture_default_str();
  import_command->callback([&] { run = [&] { return import_file(import_with); }; });

  bool verify_json = false;
  auto* verify_command = app.add_subcommand("verify", "Check the data folder of a stopped node");
  add_settings(verify_command, store_with);
  verify_command->add_flag("--json", verify_json, "As one JSON object");
  verify_command->callback([&] { run = [&] { return verify(store_with, verify_json); }; });

  inspect_options inspect_with;
  auto* inspect_command =
      app.add_subcommand("inspect-store", "Print rows of a stopped node's store, one JSON object a line");
  add_settings(inspect_command, inspect_with.settings);
  inspect_command->add_option("column", inspect_with.column, "Column; none: list them");
  inspect_command->add_option("--shard", inspect_with.shard, "Only this shard")->check(CLI::Range(0u, 63u));
  inspect_command->add_option("--rows", inspect_with.rows_max, "At most so many rows")->capture_default_str();
  inspect_command->callback([&] { run = [&] { return inspect_store(inspect_with); }; });
  for (auto* command : {create, revoke, restore_command, settle_command, verify_command, backup_command,
                        inspect_command, keys_list, rotate})
    command->add_option("--data", data, "Data folder: short for --set storage.data_dir=...");
  const auto data_for = [&](settings_options& to) {
    if (data) to.sets.push_back("storage.data_dir=" + *data);
  };

  CLI11_PARSE(app, argc, argv);
  for (auto* to : {&backup_with.settings, &store_with, &settle_with.settings, &inspect_with.settings,
                   &token_with.settings, &keys_with, &rotate_with.settings})
    data_for(*to);
  return run();
}

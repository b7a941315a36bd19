#include "commands/commands.hpp"
#include "commands/id_types.hpp"
#include "commands/master_key.hpp"
#include "config/report.hpp"
#include "storage/restored_store.hpp"
#include "storage/store.hpp"
#include "storage/type_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace matricula::commands {

namespace {

int refuse(const error& why) {
  fmt::print(stderr, "{}\n", why.message);
  return 1;
}

int refuse(std::string message) { return refuse(error{errc::invalid_argument, std::move(message), {}}); }

bool has_store(const std::string& folder) {
  std::error_code unknown;
  return std::filesystem::exists(std::filesystem::path(folder) / "CURRENT", unknown);
}

result<identifiers::permutation_key> load_new_key(const key_rotation& options) {
  using from = config::key_source;
  if (options.new_file) return load_key({from::kind::file, *options.new_file}, "--new-key-file");
  if (options.new_command) return load_key({from::kind::command, *options.new_command}, "--new-key-command");
  return load_key({from::kind::environment, *options.new_variable}, "--new-key-env");
}

result<std::unique_ptr<storage::store>> open_settled_store(const std::string& folder) {
  if (!has_store(folder))
    return fail(errc::not_found, fmt::format("There is no store in {}. Name its folder with --data.", folder));
  const auto unsettled = storage::restored_as_of(folder);
  if (!unsettled) return std::unexpected(unsettled.error());
  if (*unsettled)
    return fail(errc::conflict,
                fmt::format("{} was restored from a backup. Settle that first: matricula settle-restore.", folder));
  storage::store_options open;
  open.directory = folder;
  return storage::store::open(std::move(open));
}

std::string period(std::uint64_t from, std::uint64_t to) { return fmt::format("counters {} to {}", from, to - 1); }

} // namespace

int key_create(const std::string& file) {
  const auto fingerprint = create_key_file(file);
  if (!fingerprint) {
    fmt::print(stderr, "{}\n", fingerprint.error().message);
    return 1;
  }
  fmt::print(
      "Wrote {} (fingerprint {}). Keep a copy in a safe place: without it no identifier can be issued any more, and "
      "whoever has it can foretell them.\n",
      file, *fingerprint);
  return 0;
}

int keys_show(const settings_options& settings) {
  const auto loaded = settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  const auto keys = load_all_keys(loaded->values.identifiers);
  if (!keys) return refuse(keys.error());
  for (std::size_t i = 0; i < keys->size(); ++i)
    fmt::print("{}  {}\n", (*keys)[i].fingerprint(), i == 0 ? "present key" : "previous key");
  const auto& folder = loaded->values.storage.data_dir;
  if (!has_store(folder)) {
    fmt::print("There is no store in {}: what each key is for is not shown.\n", folder);
    return 0;
  }
  storage::store_options open;
  open.directory = folder;
  open.read_only = true;
  const auto store = storage::store::open(std::move(open));
  if (!store) return refuse(store.error());
  const auto setups = storage::find_types(*(*store)->latest());
  if (!setups) return refuse(setups.error());
  bool all_there = true;
  const auto name_of = [&](const std::string& type, const std::string& fingerprint) {
    for (const auto& key : *keys)
      if (key.derive(type).fingerprint() == fingerprint) return "key " + key.fingerprint();
    all_there = false;
    return std::string("KEY MISSING");
  };
  for (const auto& setup : *setups) {
    std::uint64_t from = 0;
    for (const auto& past : setup.past_keys) {
      fmt::print("{:<24} {}  {}, {}\n", setup.name, past.key_fingerprint, period(from, past.end),
                 name_of(setup.name, past.key_fingerprint));
      from = past.end;
    }
    fmt::print("{:<24} {}  counters from {}, {}\n", setup.name, setup.key_fingerprint, from,
               name_of(setup.name, setup.key_fingerprint));
  }
  if (!all_there)
    fmt::print(stderr, "A key is missing: give it in identifiers.key_file or identifiers.previous_keys.\n");
  return all_there ? 0 : 1;
}

int keys_rotate(const key_rotation& options) {
  if (options.types.empty() != options.all) return refuse("Say which types: --type TYPE (several times), or --all.");
  if (options.new_file.has_value() + options.new_command.has_value() + options.new_variable.has_value() != 1)
    return refuse("Say where the new key is: --new-key-file, --new-key-command or --new-key-env. "
                  "`matricula keys create FILE` makes one.");
  const auto loaded = options.settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  const auto new_key = load_new_key(options);
  if (!new_key) return refuse(new_key.error());
  const auto store = open_settled_store(loaded->values.storage.data_dir);
  if (!store) return refuse(store.error());
  auto settled = settle(loaded->values.identifiers, *(*store)->latest());
  if (!settled) return refuse(settled.error());
  std::vector<identifiers::id_type*> chosen;
  for (auto& type : settled->types) {
    const bool started =
        std::ranges::find(settled->stored, type.name, &storage::type_setup::name) != settled->stored.end();
    if (started && (options.all || std::ranges::find(options.types, type.name) != options.types.end()))
      chosen.push_back(&type);
  }
  for (const auto& name : options.types)
    if (std::ranges::find(chosen, name, &identifiers::id_type::name) == chosen.end())
      return refuse(fmt::format("There is no type '{}' in the settings and the data folder.", name));
  for (const auto& setup : settled->stored)
    if (options.all &&
        std::ranges::find(settled->types, setup.name, &identifiers::id_type::name) == settled->types.end())
      fmt::print(stderr, "Type '{}' is not enabled in the settings and keeps its key.\n", setup.name);
  // Later lookups need the new key among the others.
  auto keys = settled->keys;
  keys.push_back(*new_key);
  bool old_needed = false;
  // So that a rotation of all that was broken off can be repeated.
  if (options.all) {
    const auto is_done = [&](const auto* type) {
      return type->key_fingerprint == new_key->derive(type->name).fingerprint();
    };
    if (std::ranges::all_of(chosen, is_done)) return refuse("Every type has this key already.");
    std::erase_if(chosen, is_done);
  }
  for (auto* type : chosen) {
    const auto done = storage::replace_key(**store, *type, keys, *new_key);
    if (!done) {
      (void)refuse(done.error());
      fmt::print(stderr, "Types that are named above have their new key; the others are as they were.\n");
      return 1;
    }
    fmt::print("{:<24} fingerprint {} -> {}, from counter {}\n", type->name, done->old_fingerprint,
               done->new_fingerprint, done->from);
    old_needed = old_needed || done->old_needed;
  }
  fmt::print("Write the counters down with the fingerprints. Before the node starts: give the new key (fingerprint {}) "
             "in identifiers.key_file, key_command or key{}. Then make a backup.\n",
             new_key->fingerprint(),
             old_needed ? ", and every one that it replaced in identifiers.previous_keys: what was issued with them is "
                          "found with them"
                        : "");
  return 0;
}

} // namespace matricula::commands

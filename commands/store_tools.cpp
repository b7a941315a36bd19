#include "api/json_writer.hpp"
#include "commands/commands.hpp"
#include "commands/id_types.hpp"
#include "commands/master_key.hpp"
#include "config/report.hpp"
#include "foundation/random.hpp"
#include "storage/alerts.hpp"
#include "storage/backup.hpp"
#include "storage/holders.hpp"
#include "storage/id_trail_verifier.hpp"
#include "storage/identifiers.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/registrants.hpp"
#include "storage/restored_store.hpp"
#include "storage/store.hpp"
#include "storage/tasks.hpp"
#include "storage/timeline.hpp"
#include "storage/type_keys.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

namespace matricula::commands {

namespace {

constexpr std::chrono::minutes backup_timeout{60};

std::optional<config::loaded> load(const settings_options& settings) {
  auto loaded = settings.load();
  if (loaded) return std::move(*loaded);
  fmt::print(stderr, "{}", config::problem_report(loaded.error()));
  return std::nullopt;
}

int refuse(const error& why) {
  fmt::print(stderr, "{}\n", why.message);
  return 1;
}

storage::row_decoders all_decoders() {
  storage::row_decoders decoders;
  storage::add_identifier_decoders(decoders);
  storage::add_holder_decoder(decoders);
  storage::add_task_decoders(decoders);
  storage::add_registrant_decoder(decoders);
  storage::add_alert_decoder(decoders);
  return decoders;
}

/// For tools that only read: opening would make the folder.
bool is_folder(const std::string& path) {
  std::error_code unknown;
  return std::filesystem::is_directory(path, unknown);
}

/// Opening for a backup writes, and in any other folder would make a new, empty store, of which the copy is worth
/// nothing. Every store has this file.
bool has_store(const std::string& folder) {
  std::error_code unknown;
  return std::filesystem::exists(std::filesystem::path(folder) / "CURRENT", unknown);
}

int refuse_folder(const std::string& folder) {
  return refuse({errc::not_found, fmt::format("There is no store in {}. Name its folder with --data.", folder), {}});
}

int backup_running(const backup_options& options, const std::string& to) {
  httplib::Client client(options.url);
  client.set_read_timeout(std::chrono::duration_cast<std::chrono::seconds>(backup_timeout));
  client.set_bearer_token_auth(options.token);
  if (!api::json::is_utf8(to)) return refuse({errc::invalid_argument, "The directory's name is not UTF-8.", {}});
  api::json::writer body;
  body.begin_object().member("directory", to).end_object();
  const auto answer = client.Post("/v1/backups", body.str(), "application/json");
  if (!answer)
    return refuse(
        {errc::io, fmt::format("{} does not answer: {}.", options.url, httplib::to_string(answer.error())), {}});
  fmt::print(answer->status == 201 ? stdout : stderr, "{}\n", answer->body);
  return answer->status == 201 ? 0 : 1;
}

} // namespace

int backup(const backup_options& options) {
  const auto to = std::filesystem::absolute(options.to).string();
  if (!options.url.empty()) return backup_running(options, to);
  const auto loaded = load(options.settings);
  if (!loaded) return 1;
  storage::store_options open;
  open.directory = loaded->values.storage.data_dir;
  if (!has_store(open.directory)) return refuse_folder(open.directory);
  const auto store = storage::store::open(std::move(open));
  if (!store) {
    fmt::print(stderr, "{}\nIf the node is running, name it with --url.\n", store.error().message);
    return 1;
  }
  const auto made = storage::make_backup(**store, to, system_clock{}.wall());
  if (!made) return refuse(made.error());
  fmt::print("Backup of group {} in {}: {} files.\n", made->last.number, to, made->files.size());
  return 0;
}

int restore(const settings_options& settings, const std::string& from) {
  const auto loaded = load(settings);
  if (!loaded) return 1;
  const auto& target = loaded->values.storage.data_dir;
  const auto made = storage::restore_backup(from, target);
  if (!made) return refuse(made.error());
  fmt::print(
      "Restored {} as of {} (group {}). Identifiers issued after that moment are not in it. Before a node starts "
      "from it, say how many that may be, so that none of them is issued again:\n"
      "  matricula settle-restore --data {} --old-data FOLDER   the lost node's data folder, if it can be read\n"
      "  matricula settle-restore --data {} --skip N            more than were issued and imported of any type since\n",
      target, to_rfc3339(made->made_at), made->last.number, target, target);
  return 0;
}

namespace {

/// "uin=5000" or "5000". Errors: invalid_argument.
result<std::pair<std::string, std::uint64_t>> parse_skip(const std::string& text) {
  const auto equals = text.find('=');
  const auto number = equals == std::string::npos ? text : text.substr(equals + 1);
  if (equals == 0) return fail(errc::invalid_argument, fmt::format("--skip '{}': the type is missing.", text));
  std::uint64_t n = 0;
  const auto [end, bad] = std::from_chars(number.data(), number.data() + number.size(), n);
  if (bad != std::errc{} || end != number.data() + number.size() || number.empty())
    return fail(errc::invalid_argument, fmt::format("--skip '{}': write a number, or TYPE=NUMBER.", text));
  return std::pair(equals == std::string::npos ? std::string{} : text.substr(0, equals), n);
}

/// A type of the lost node at its end.
struct lost_type {
  storage::type_setup setup;
  std::vector<storage::id_partition> issuers;
  std::vector<std::uint64_t> issued_to; ///< the index above everything that each issuer has issued
};

/// What is left of the lost node.
struct lost_node {
  std::unique_ptr<storage::store> store;
  std::map<std::string, lost_type> types;
};

result<lost_node> open_lost_node(const std::string& folder, const storage::store& restored, timestamp as_of) {
  if (!has_store(folder)) return fail(errc::not_found, fmt::format("There is no store in {}.", folder));
  std::error_code unknown;
  if (std::filesystem::equivalent(folder, restored.directory(), unknown) || unknown)
    return fail(errc::invalid_argument, fmt::format("{} is the restored folder itself.", folder));
  const auto unsettled = storage::restored_as_of(folder);
  if (!unsettled) return std::unexpected(unsettled.error());
  if (*unsettled)
    return fail(errc::invalid_argument, fmt::format("{} was restored from a backup, too, and never settled.", folder));
  storage::store_options open;
  open.directory = folder;
  open.read_only = true;
  auto old = storage::store::open(std::move(open));
  if (!old) return std::unexpected(old.error());
  if ((*old)->last_durable_time() < as_of)
    return fail(errc::invalid_argument,
                fmt::format("{} is older than the backup: it does not know what was issued since.", folder));
  if ((*old)->node_id() != restored.node_id())
    return fail(errc::invalid_argument,
                fmt::format("{} is the data folder of another node than the one that the backup was made of.", folder));
  const auto rows = (*old)->latest();
  const auto setups = storage::find_types(*rows);
  if (!setups) return std::unexpected(setups.error());
  lost_node found;
  for (const auto& setup : *setups) {
    auto& type = found.types[setup.name];
    type.setup = setup;
    type.issuers = storage::id_partitions(setup.name, setup.number, setup.of, setup.issuers);
    for (const auto& part : type.issuers) {
      const auto counters = storage::find_pool(*rows, part);
      if (!counters) return std::unexpected(counters.error());
      type.issued_to.push_back(counters->issued_to);
    }
  }
  found.store = std::move(*old);
  return found;
}

/// Whether the settings are those that the lost node had, as far as its types go.
result<void> check_settings(const lost_node& lost, std::span<const identifiers::id_type> types) {
  for (const auto& [name, there] : lost.types) {
    const auto here = std::ranges::find(types, name, &identifiers::id_type::name);
    if (here == types.end())
      return fail(
          errc::invalid_argument,
          fmt::format("The lost node had a type '{}' that the settings do not name. Settle with its settings.", name));
    // Of a type that the backup has they agree already.
    if (there.setup.of != here->rules.of || there.setup.issuers != here->issuers ||
        there.setup.space != identifiers::describe_space(*here))
      return fail(errc::invalid_argument,
                  fmt::format("The lost node had type '{}' with another lifecycle, number of issuing shards, length, "
                              "alphabet or rules. Settle with its settings.",
                              name));
  }
  return {};
}

/// "uin=12345" or "uin=none". Errors: invalid_argument.
result<std::pair<std::string, std::optional<std::uint64_t>>> parse_cut(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(errc::invalid_argument, fmt::format("--cut '{}': write TYPE=COUNTER or TYPE=none.", text));
  if (text.substr(equals + 1) == "none") return std::pair(text.substr(0, equals), std::optional<std::uint64_t>{});
  auto cut = parse_skip(text);
  if (!cut) return fail(errc::invalid_argument, fmt::format("--cut '{}': write TYPE=COUNTER or TYPE=none.", text));
  return std::pair(std::move(cut->first), std::optional(cut->second));
}

/// What the operator says about the time after the backup.
struct said_of_types {
  std::map<std::string, std::uint64_t> skips;
  std::map<std::string, std::optional<std::uint64_t>> cuts;
  [[nodiscard]] std::optional<std::uint64_t> skip_of(const std::string& type) const {
    const auto own = skips.find(type);
    const auto skip = own != skips.end() ? own : skips.find("");
    return skip == skips.end() ? std::nullopt : std::optional(skip->second);
  }
};

result<said_of_types> read_sayings(const settle_options& options, std::span<const identifiers::id_type> types) {
  said_of_types said;
  const auto known = [&](const std::string& name) {
    return std::ranges::find(types, name, &identifiers::id_type::name) != types.end();
  };
  for (const auto& text : options.skips) {
    auto skip = parse_skip(text);
    if (!skip) return std::unexpected(skip.error());
    if (!skip->first.empty() && !known(skip->first))
      return fail(errc::invalid_argument, fmt::format("--skip '{}': the settings name no such type.", text));
    if (!said.skips.emplace(skip->first, skip->second).second)
      return fail(errc::invalid_argument, fmt::format("--skip '{}': said twice.", text));
  }
  for (const auto& text : options.cuts) {
    auto cut = parse_cut(text);
    if (!cut) return std::unexpected(cut.error());
    if (!known(cut->first))
      return fail(errc::invalid_argument, fmt::format("--cut '{}': the settings name no such type.", text));
    if (!said.cuts.emplace(cut->first, cut->second).second)
      return fail(errc::invalid_argument, fmt::format("--cut '{}': said twice.", text));
  }
  return said;
}

/// Whether the cut was made before, by a settling that was broken off.
bool is_cut_at(const identifiers::id_type& type, std::uint64_t counter) {
  return !type.past_keys.empty() && type.past_keys.back().end == counter;
}

/// Everything that can be known to be wrong before anything changes.
result<void> check_sayings(const said_of_types& said, const storage::store& store, const identifiers::id_type& type,
                           const identifiers::permutation_key& present) {
  if (!said.skip_of(type.name))
    return fail(errc::invalid_argument,
                fmt::format("Say of type '{}', too, how many may have been issued and imported since: --skip {}=N.",
                            type.name, type.name));
  const auto cut = said.cuts.find(type.name);
  const bool by_present_key = type.key_fingerprint == present.derive(type.name).fingerprint();
  if (!by_present_key && cut == said.cuts.end())
    return fail(errc::invalid_argument,
                fmt::format("Type '{}' was issued with one of identifiers.previous_keys when the backup was made. Was "
                            "its key replaced since? Say --cut {}=COUNTER, the number that `matricula keys rotate` "
                            "printed then, or --cut {}=none.",
                            type.name, type.name, type.name));
  if (cut == said.cuts.end() || !cut->second || (by_present_key && is_cut_at(type, *cut->second))) return {};
  const auto counters = storage::find_pool(*store.latest(), {storage::id_shard(type.name), type.number, type.rules.of});
  if (!counters) return std::unexpected(counters.error());
  if (by_present_key || *cut->second < counters->issued_to || *cut->second >= type.rules.end)
    return fail(errc::invalid_argument,
                fmt::format("--cut {}={}: the key of this type cannot have been replaced there after the backup.",
                            type.name, *cut->second));
  return {};
}

/// @param starts by issuer; those that are missing begin where they stand
result<void> settle_type(storage::store& store, const identifiers::id_type& type, std::vector<std::uint64_t> starts) {
  starts.resize(type.issuers);
  for (std::uint32_t issuer = 0; issuer < type.issuers; ++issuer) {
    const auto done = storage::settle_restored(store, type, starts[issuer], issuer);
    if (!done) return std::unexpected(done.error());
    fmt::print("{:<24} goes on at counter {}, {} passed over; {} released identifiers retired\n",
               type.issuers == 1 ? type.name : fmt::format("{}/{}", type.name, issuer), done->starts_at, done->passed,
               done->retired);
  }
  return {};
}

/// @param lent what each issuer may have given away besides
result<void> settle_by_skip(storage::store& store, identifiers::id_type& type, const said_of_types& said,
                            std::uint64_t lent, std::span<const identifiers::permutation_key> keys) {
  if (const auto cut = said.cuts.find(type.name);
      cut != said.cuts.end() && cut->second && !is_cut_at(type, *cut->second)) {
    if (auto passed = storage::settle_restored(store, type, *cut->second); !passed)
      return std::unexpected(passed.error());
    if (auto replaced = storage::replace_key(store, type, keys, keys.front()); !replaced)
      return std::unexpected(replaced.error());
  }
  // Any issuer may have issued all of them.
  std::vector<std::uint64_t> starts;
  for (std::uint32_t issuer = 0; issuer < type.issuers; ++issuer) {
    const auto start = storage::index_after(store, type, *said.skip_of(type.name) + lent, issuer);
    if (!start) return std::unexpected(start.error());
    starts.push_back(*start);
  }
  return settle_type(store, type, std::move(starts));
}

result<void> settle_by_lost_node(storage::store& store, identifiers::id_type& type, const lost_node& lost,
                                 std::span<const identifiers::permutation_key> keys) {
  const auto at_its_end = lost.types.find(type.name);
  if (at_its_end == lost.types.end()) return settle_type(store, type, {});
  const auto& there = at_its_end->second;
  if (auto done = storage::follow_keys(store, type, keys, there.setup); !done) return done;
  std::uint64_t copied = 0;
  for (std::uint32_t issuer = 0; issuer < type.issuers; ++issuer) {
    const auto imports = storage::copy_imports(store, type, *lost.store->latest(), there.issuers, issuer);
    if (!imports) return std::unexpected(imports.error());
    copied += *imports;
  }
  if (copied > 0)
    fmt::print("{:<24} {} identifiers that were imported after the backup are taken over\n", type.name, copied);
  return settle_type(store, type, there.issued_to);
}

result<void> settle_all(const settle_options& options, const config::settings& settings, timestamp as_of) {
  storage::store_options open;
  open.directory = settings.storage.data_dir;
  auto opened = storage::store::open(std::move(open));
  if (!opened) return std::unexpected(opened.error());
  auto& store = **opened;
  // A type that was configured only after the backup may have issued, too: it is among the added ones.
  auto settled = settle(settings.identifiers, *store.latest());
  if (!settled) return std::unexpected(settled.error());
  const auto said = read_sayings(options, settled->types);
  if (!said) return std::unexpected(said.error());
  for (const auto& setup : settled->stored)
    if (std::ranges::find(settled->types, setup.name, &identifiers::id_type::name) == settled->types.end())
      return fail(
          errc::invalid_argument,
          fmt::format("The store has a type '{}' that the settings do not name. Settle with the settings of the "
                      "node that was lost.",
                      setup.name));

  // Everything is known before anything changes.
  if (system_clock{}.wall() < as_of)
    return fail(errc::invalid_argument,
                fmt::format("This machine's clock is before the moment of the backup, {}. Set it: the numbers of tasks "
                            "go on by the time of day.",
                            to_rfc3339(as_of)));
  lost_node lost;
  if (!options.old_data.empty()) {
    auto found = open_lost_node(options.old_data, store, as_of);
    if (!found) return std::unexpected(found.error());
    if (auto ok = check_settings(*found, settled->types); !ok) return ok;
    lost = std::move(*found);
  } else {
    for (const auto& type : settled->types)
      if (auto ok = check_sayings(*said, store, type, settled->keys.front()); !ok) return ok;
  }
  if (!settled->added.empty()) {
    storage::batch setups_added(storage::shard_id{0});
    for (const auto& setup : settled->added) storage::put(setups_added, setup);
    const storage::batch* const group[] = {&setups_added};
    if (auto written = store.commit(group, store.last_durable_time()); !written)
      return std::unexpected(written.error());
  }
  for (auto& type : settled->types) {
    if (options.old_data.empty()) {
      // What an issuer gave to the others went out of its own counters, too: of that they may still have as much as one
      // request and one grant left, each.
      const auto lent = (type.issuers - 1) * (settings.identifiers.batch_count_max + identifiers::grant_ids_max);
      if (auto done = settle_by_skip(store, type, *said, lent, settled->keys); !done) return done;
    } else if (auto done = settle_by_lost_node(store, type, lost, settled->keys); !done) {
      return done;
    }
  }
  // Whatever the lost node was, and however often this backup has been restored before.
  auto numbers = storage::numbers_beyond(system_clock{}.wall());
  if (lost.store) {
    const auto there = storage::find_numbers(*lost.store->latest(), storage::tasks_of_node());
    if (!there) return std::unexpected(there.error());
    numbers.next_id = std::max(numbers.next_id, there->next_id);
    numbers.next_token = std::max(numbers.next_token, there->next_token);
  }
  const auto go_on = storage::settle_tasks(store, numbers);
  if (!go_on) return std::unexpected(go_on.error());
  fmt::print("{:<24} go on at number {}\n", "tasks", go_on->next_id);
  secure_random random;
  if (auto begun = storage::begin_timeline(store, random); !begun) return begun;
  return storage::unmark_restored(settings.storage.data_dir);
}

} // namespace

int settle_restore(const settle_options& options) {
  const auto loaded = load(options.settings);
  if (!loaded) return 1;
  const auto& folder = loaded->values.storage.data_dir;
  if (!has_store(folder)) return refuse_folder(folder);
  const auto as_of = storage::restored_as_of(folder);
  if (!as_of) return refuse(as_of.error());
  if (!*as_of)
    return refuse(
        {errc::conflict, fmt::format("{} was not restored from a backup, or is settled already.", folder), {}});
  if (options.old_data.empty() == options.skips.empty() || (!options.old_data.empty() && !options.cuts.empty()))
    return refuse({errc::invalid_argument, "Say either --old-data FOLDER or --skip N.", {}});
  if (const auto done = settle_all(options, loaded->values, **as_of); !done) return refuse(done.error());
  fmt::print(
      "If the backup is more than 7 days old, the node will ask to have its clock confirmed: POST /v1/clock/trust.\n");
  fmt::print("Settled. Nothing that was issued before {} or since is issued again.\n", to_rfc3339(**as_of));
  fmt::print("Tasks that ended since then stand as they were in the backup, and will be done again.\n");
  if (options.old_data.empty())
    fmt::print(
        "Identifiers that were imported after that moment are not in it, and would be issued: before clients come "
        "back, start the node and import their files again.\n");
  return 0;
}

int verify(const settings_options& settings, bool as_json) {
  const auto loaded = load(settings);
  if (!loaded) return 1;
  if (!is_folder(loaded->values.storage.data_dir)) return refuse_folder(loaded->values.storage.data_dir);
  std::vector<identifiers::id_type> types;
  std::string without_key; // why the key could not be had; empty when it could
  std::vector<identifiers::permutation_key> keys;
  if (auto given = load_all_keys(loaded->values.identifiers)) {
    secure_random random;
    auto made = make_types(loaded->values.identifiers, given->front(), random);
    if (!made) return refuse(made.error());
    types = std::move(*made);
    keys = std::move(*given);
  } else {
    without_key = given.error().message;
  }
  storage::store_options open;
  open.directory = loaded->values.storage.data_dir;
  const storage::identifiers_verifier ids(std::move(types), std::move(keys));
  const storage::id_trail_verifier journals;
  const storage::holders_verifier holders;
  const storage::tasks_verifier tasks;
  const storage::registrants_verifier registrants;
  const storage::alerts_verifier alerts;
  const storage::verifier* const verifiers[] = {&ids, &journals, &holders, &tasks, &registrants, &alerts};
  const auto report = storage::verify(std::move(open), all_decoders(), verifiers);
  if (as_json) {
    api::json::writer key_check;
    key_check.begin_object().member("done", without_key.empty());
    if (!without_key.empty()) key_check.member("why_not", without_key);
    key_check.end_object();
    fmt::print("{{\"key_check\":{},{}\n", key_check.str(), report.to_json().substr(1));
  } else {
    if (!without_key.empty())
      fmt::print("Without the key ({}), identifiers are not compared with their counters.\n", without_key);
    for (const auto& [what, n] : report.counts()) fmt::print("{:>12}  {}\n", n, what);
    for (const auto& p : report.problems()) fmt::print("PROBLEM {}: {}\n", p.check, p.message);
    fmt::print("{}\n", report.ok() ? "Everything agrees." : fmt::format("{} problems.", report.found()));
  }
  return report.ok() ? 0 : 1;
}

int inspect_store(const inspect_options& options) {
  if (options.column.empty()) {
    for (const auto name : storage::column_names) fmt::print("{}\n", name);
    return 0;
  }
  const auto column = storage::column_named(options.column);
  if (!column)
    return refuse(
        {errc::not_found, fmt::format("There is no column '{}'. Without one, all are listed.", options.column), {}});
  const auto loaded = load(options.settings);
  if (!loaded) return 1;
  storage::store_options open;
  open.directory = loaded->values.storage.data_dir;
  open.read_only = true;
  if (!is_folder(open.directory)) return refuse_folder(open.directory);
  const auto store = storage::store::open(std::move(open));
  if (!store) return refuse(store.error());
  storage::inspection what{.where = *column, .shard = std::nullopt, .rows_max = options.rows_max};
  if (options.shard) what.shard = storage::shard_id{static_cast<std::uint8_t>(*options.shard)};
  const auto rows = storage::inspect(*(*store)->snapshot(), what, all_decoders(),
                                     [](std::string_view line) { fmt::print("{}\n", line); });
  if (!rows) return refuse(rows.error());
  return 0;
}

} // namespace matricula::commands

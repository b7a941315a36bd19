#include "api/json_writer.hpp"
#include "commands/commands.hpp"
#include "commands/id_types.hpp"
#include "commands/master_key.hpp"
#include "config/report.hpp"
#include "foundation/random.hpp"
#include "storage/backup.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

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
  fmt::print("Restored {} as of {} (group {}). Identifiers issued after that moment are not in it.\n", target,
             to_rfc3339(made->made_at), made->last.number);
  return 0;
}

int verify(const settings_options& settings, bool as_json) {
  const auto loaded = load(settings);
  if (!loaded) return 1;
  if (!is_folder(loaded->values.storage.data_dir)) return refuse_folder(loaded->values.storage.data_dir);
  std::vector<identifiers::id_type> types;
  std::string without_key; // why the key could not be had; empty when it could
  if (const auto key = load_master_key(loaded->values.identifiers)) {
    secure_random random;
    auto made = make_types(loaded->values.identifiers, *key, random);
    if (!made) return refuse(made.error());
    types = std::move(*made);
  } else {
    without_key = key.error().message;
  }
  storage::store_options open;
  open.directory = loaded->values.storage.data_dir;
  const storage::identifiers_verifier ids(std::move(types));
  const storage::verifier* const verifiers[] = {&ids};
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

#include "config/consistency.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <system_error>

namespace matricula::config {
namespace {

/// Longer ones do not fit the 128 bits of the permutation.
constexpr std::uint32_t letters_length_max = 24;

void check_access(const loaded& now, problem_list& problems) {
  const auto& s = now.values;
  if (s.auth.mode != auth_mode::none) return;
  const auto address = split_address(s.server.listen);
  if (address && is_loopback(address->host)) return;
  problems.add(now.origin_of("auth.mode"), "auth.mode",
               fmt::format("found \"none\" with server.listen = {}; allowed: \"none\" only on 127.0.0.1, [::1] or "
                           "localhost, else \"tokens\"",
                           in_quotes(s.server.listen)));
}

/// Whether `path` is `folder` or in it, by name alone: links are not followed. Relative names begin where the process
/// runs.
bool is_inside(const std::string& path, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code unknown; // the working directory is gone: then names are compared as they stand
  const auto absolute = [&unknown](const fs::path& name) {
    auto whole = fs::absolute(name, unknown);
    return (unknown ? name : whole).lexically_normal();
  };
  const auto inner = absolute(path), outer = absolute(fs::path(folder) / "");
  if (inner.is_absolute() != outer.is_absolute()) return false;
  const auto relative = inner.lexically_relative(outer);
  return !relative.empty() && *relative.begin() != "..";
}

void check_key(const loaded& now, problem_list& problems) {
  const auto& ids = now.values.identifiers;
  const std::array<std::pair<std::string_view, bool>, 3> ways{{{"identifiers.key_file", !ids.key_file.empty()},
                                                               {"identifiers.key_command", !ids.key_command.empty()},
                                                               {"identifiers.key", !ids.key.empty()}}};
  std::string_view first;
  for (const auto& [key, is_set] : ways) {
    if (!is_set) continue;
    if (!first.empty())
      problems.add(now.origin_of(key), std::string(key),
                   fmt::format("found besides {} ({}); allowed: one of identifiers.key_file, identifiers.key_command "
                               "and identifiers.key",
                               first, to_string(now.origin_of(first))));
    else
      first = key;
  }
  if (!ids.key_file.empty() && is_inside(ids.key_file, now.values.storage.data_dir))
    problems.add(now.origin_of("identifiers.key_file"), "identifiers.key_file",
                 fmt::format("found {} inside storage.data_dir = {}; allowed: a file elsewhere, so that a copy of the "
                             "data is no copy of the key",
                             shown(ids.key_file), shown(now.values.storage.data_dir)));
}

void check_not_below(const loaded& now, problem_list& problems, std::string_view upper_key, std::uint32_t upper,
                     std::string_view lower_key, std::uint32_t lower) {
  if (upper >= lower) return;
  problems.add(now.origin_of(upper_key), std::string(upper_key),
               fmt::format("found the integer {}; allowed: not below {} = {}", upper, name_of(lower_key), lower));
}

void check_type(const loaded& now, problem_list& problems, const std::string& name, const type_settings& type) {
  const auto key = [&](std::string_view last) { return fmt::format("identifiers.types.{}.{}", name, last); };
  check_not_below(now, problems, key("pool_target"), type.pool_target, key("pool_min"), type.pool_min);
  if (type.alphabet == "letters_and_digits" && type.length > letters_length_max)
    problems.add(now.origin_of(key("length")), key("length"),
                 fmt::format("found the integer {} with alphabet = \"letters_and_digits\"; allowed: at most {} "
                             "characters with letters",
                             type.length, letters_length_max));
}

} // namespace

void check_consistency(const loaded& now, problem_list& problems) {
  const auto& s = now.values;
  check_access(now, problems);
  check_key(now, problems);
  check_not_below(now, problems, "runtime.backoff_max_ms", s.runtime.backoff_max_ms, "runtime.backoff_min_ms",
                  s.runtime.backoff_min_ms);
  for (const auto& [name, type] : s.identifiers.types) check_type(now, problems, name, type);
}

} // namespace matricula::config

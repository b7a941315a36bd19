/// The word that somebody probably meant.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace matricula::config {

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b` (optimal string alignment).
/// O(|a| |b|).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `key`: one with the same last part in another section, else the one with the smallest edit
/// distance. Nothing when none is near (more than a third of the key's characters differ) or `key` is over 200 bytes.
[[nodiscard]] std::optional<std::string> nearest_key(std::string_view key, std::span<const std::string> candidates);

} // namespace matricula::config

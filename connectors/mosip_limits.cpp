#include "connectors/mosip_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace matricula::connectors {

namespace {

constexpr std::uint32_t pool_max = 10'000'000;
constexpr std::uint32_t days_max = 3650;
constexpr std::uint32_t day_s = 86'400;
constexpr std::size_t shown_bytes_max = 32;
constexpr std::string_view first_line = "matricula-config-server 1 ";

/// A property, and another name that wins over it.
struct known_property {
  std::string_view name;
  std::string_view other_name;
  std::uint32_t least;
  std::uint32_t most;
};
constexpr std::string_view uin_min = "mosip.kernel.uin.min-unused-threshold";
constexpr std::string_view uin_fill = "mosip.kernel.uin.uins-to-generate";
constexpr std::string_view vid_min = "mosip.kernel.vid.min-unused-threshold";
constexpr std::string_view vid_fill = "mosip.kernel.vid.vids-to-generate";
constexpr std::string_view vid_days = "mosip.kernel.vid.time-to-release-after-expiry";
constexpr std::string_view prid_min = "mosip.kernel.prid.min-unused-threshold";
constexpr std::string_view prid_fill = "mosip.kernel.prid.prids-to-generate";
constexpr std::array<known_property, 7> known{{
    {uin_min, "mosip.kernel.uin.min.unused.threshold.override", 1, pool_max},
    {uin_fill, "", 1, pool_max},
    {vid_min, "mosip.kernel.vid.min.unused.threshold.override", 1, pool_max},
    {vid_fill, "", 1, pool_max},
    {vid_days, "mosip.kernel.vid.time-to-renew-after-expiry", 0, days_max},
    {prid_min, "", 1, pool_max},
    {prid_fill, "", 1, pool_max},
}};

std::optional<std::uint32_t> whole(std::string_view text, std::uint32_t least, std::uint32_t most) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::uint32_t n = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (bad != std::errc{} || end != text.data() + text.size() || text.empty() || n < least || n > most)
    return std::nullopt;
  return n;
}

std::string shown(std::string_view value) {
  const bool plain = value.size() <= shown_bytes_max &&
                     std::ranges::all_of(value, [](char c) { return c >= ' ' && c < 0x7f && c != '"'; });
  return plain ? fmt::format("found \"{}\"", value) : fmt::format("found {} bytes", value.size());
}

} // namespace

std::vector<std::string> mosip_limits::take(const properties& all) {
  std::vector<std::string> refused;
  for (const auto& one : known) {
    // The newer name of the days, and the override of a threshold, win.
    const bool newer_first = one.name == vid_days;
    const auto first = newer_first ? one.name : one.other_name, second = newer_first ? one.other_name : one.name;
    const auto name = !first.empty() && all.contains(first) ? first : second;
    const auto found = resolve(all, name);
    if (found && !*found) {
      good_.erase(std::string(one.name));
      continue;
    }
    const auto n = found ? whole(**found, one.least, one.most) : std::nullopt;
    if (n) {
      good_.insert_or_assign(std::string(one.name), *n);
      continue;
    }
    refused.push_back(
        fmt::format("{}: {}; allowed: a whole number from {} to {}. {}", name,
                    found ? shown(**found) : found.error().message, one.least, one.most,
                    good_.contains(one.name) ? "The last good value stays." : "The value of the settings stays."));
  }
  return refused;
}

limits_of_types mosip_limits::limits() const {
  const auto value = [&](std::string_view name) -> std::optional<std::uint32_t> {
    const auto found = good_.find(name);
    return found == good_.end() ? std::nullopt : std::optional(found->second);
  };
  limits_of_types out;
  // A UIN pool is topped up to its number; VID and PRID pools, once below the threshold, get so many more.
  if (value(uin_min) || value(uin_fill)) {
    auto& uin = out["uin"];
    uin.pool_min = value(uin_min);
    uin.pool_target = value(uin_fill);
    if (uin.pool_min && uin.pool_target) uin.pool_target = std::max(*uin.pool_min, *uin.pool_target);
  }
  const auto pool = [&](const char* type, std::string_view min, std::string_view more) {
    if (!value(min) && !value(more)) return;
    auto& of = out[type];
    of.pool_min = value(min);
    if (value(more)) of.pool_target = std::min(pool_max, value(min).value_or(0) + *value(more));
  };
  pool("vid", vid_min, vid_fill);
  pool("prid", prid_min, prid_fill);
  if (const auto days = value(vid_days)) out["vid"].cool_off_seconds = *days * day_s;
  return out;
}

std::string to_text(const mosip_limits::good_values& values, std::int64_t taken_at_ms) {
  auto out = fmt::format("{}{}\n", first_line, taken_at_ms);
  for (const auto& [name, value] : values) out += fmt::format("{} {}\n", name, value);
  return out;
}

result<kept_values> kept_values_from(std::string_view text) {
  const auto bad = [] { return fail(errc::corrupt, "the kept values of the configuration server are malformed"); };
  if (!text.starts_with(first_line) || !text.ends_with('\n')) return bad();
  kept_values out;
  bool first = true;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (first) {
      first = false;
      line.remove_prefix(first_line.size());
      const auto [end, wrong] = std::from_chars(line.data(), line.data() + line.size(), out.taken_at_ms);
      if (wrong != std::errc{} || end != line.data() + line.size() || line.empty() || out.taken_at_ms < 0) return bad();
      continue;
    }
    const auto blank = line.find(' ');
    const auto property = std::ranges::find(known, line.substr(0, blank), &known_property::name);
    if (blank == std::string_view::npos || property == known.end()) return bad();
    const auto n = whole(line.substr(blank + 1), property->least, property->most);
    if (!n || !out.values.emplace(property->name, *n).second) return bad();
  }
  return out;
}

} // namespace matricula::connectors

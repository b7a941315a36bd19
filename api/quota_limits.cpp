#include "api/quota_limits.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace matricula::api {

namespace {
constexpr std::uint32_t limit_max = 1'000'000'000;

using place = std::optional<std::uint32_t> own_quota::*;
constexpr std::array<std::pair<std::string_view, place>, 4> places{{{"requests_per_s", &own_quota::requests_per_s},
                                                                    {"requests_burst", &own_quota::requests_burst},
                                                                    {"issued_per_min", &own_quota::issued_per_min},
                                                                    {"misses_per_min", &own_quota::misses_per_min}}};

bool take(own_quota& own, std::string_view part) {
  const auto equals = part.find('=');
  if (equals == std::string_view::npos) return false;
  const auto number = part.substr(equals + 1);
  std::uint32_t n = 0;
  const auto [end, bad] = std::from_chars(number.data(), number.data() + number.size(), n);
  if (bad != std::errc{} || end != number.data() + number.size() || number.empty() || n > limit_max) return false;
  for (const auto& [name, member] : places)
    if (name == part.substr(0, equals) && !(own.*member)) {
      own.*member = n;
      return true;
    }
  return false;
}
} // namespace

quota_limits limits_for(const own_quota& own, const quota_limits& of_all) noexcept {
  return {own.requests_per_s.value_or(of_all.requests_per_s), own.requests_burst.value_or(of_all.requests_burst),
          own.issued_per_min.value_or(of_all.issued_per_min), own.misses_per_min.value_or(of_all.misses_per_min)};
}

result<own_quota> parse_own_quota(std::string_view text) {
  own_quota own;
  while (true) {
    const auto comma = text.find(',');
    if (!take(own, text.substr(0, comma)))
      return fail(errc::invalid_argument,
                  "A quota looks like issued_per_min=100,misses_per_min=6000; allowed are requests_per_s, "
                  "requests_burst, issued_per_min and misses_per_min, each once, from 0 (no limit) to 1000000000.");
    if (comma == std::string_view::npos) return own;
    text.remove_prefix(comma + 1);
  }
}

std::string to_string(const own_quota& own) {
  std::string out;
  for (const auto& [name, member] : places)
    if (own.*member) out.append(out.empty() ? "" : ",").append(name).append("=").append(std::to_string(*(own.*member)));
  return out;
}

} // namespace matricula::api

#include "runtime/cron.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <stdexcept>
#include <vector>

namespace matricula::runtime {

namespace {
using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t text_max = 256;
constexpr days horizon{3'660}; // ten years: February 29 may be eight years away

constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> weekday_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field_rule {
  std::string_view name;
  int low;
  int high;
  std::span<const std::string_view> names; ///< the first one stands for `low`
};
const std::array<field_rule, 6> rules{{{"second", 0, 59, {}},
                                       {"minute", 0, 59, {}},
                                       {"hour", 0, 23, {}},
                                       {"day of month", 1, 31, {}},
                                       {"month", 1, 12, month_names},
                                       {"day of week", 0, 7, weekday_names}}};

std::unexpected<error> bad(const field_rule& rule, std::string_view part, std::string_view why) {
  return fail(errc::invalid_argument,
              fmt::format("cron: the field '{}' has '{}': {}; allowed are {} to {}{}", rule.name, part, why, rule.low,
                          rule.high, rule.names.empty() ? "" : " and three-letter names"));
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  // from_chars takes a minus sign; a field has none.
  if (code != std::errc{} || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

std::optional<int> value_of(const field_rule& rule, std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text.front() >= '0' && text.front() <= '9') return number(text);
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto found = std::ranges::find(rule.names, lower);
  if (found == rule.names.end()) return std::nullopt;
  return rule.low + static_cast<int>(found - rule.names.begin());
}

/// One part of a list: "*", "5", "1-5", each but the second with "/step".
result<std::uint64_t> parse_part(const field_rule& rule, std::string_view part) {
  const auto slash = part.find('/');
  const auto range = part.substr(0, slash);
  int low = rule.low;
  // Sunday is both 0 and 7, so that "*" must not hold it twice: a step would count it so.
  int high = rule.names.size() == 7 ? 6 : rule.high;
  const bool star = range == "*";
  const auto dash = range.find('-');
  if (!star) {
    const auto first = value_of(rule, range.substr(0, dash));
    if (!first) return bad(rule, part, "not a value of this field");
    low = high = *first;
    if (dash != std::string_view::npos) {
      const auto last = value_of(rule, range.substr(dash + 1));
      if (!last) return bad(rule, part, "not a value of this field");
      high = *last;
      if (rule.names.size() == 7 && high == 0 && low > 0) high = 7;
    }
    if (low < rule.low || high > rule.high || low > rule.high) return bad(rule, part, "out of range");
    if (low > high) return bad(rule, part, "the range runs backwards");
  }
  int step = 1;
  if (slash != std::string_view::npos) {
    if (!star && dash == std::string_view::npos) return bad(rule, part, "a step needs '*' or a range before it");
    const auto given = part.substr(slash + 1);
    const auto parsed = given.empty() ? std::nullopt : number(given);
    if (!parsed || *parsed < 1 || *parsed > rule.high - rule.low + 1)
      return bad(rule, part, "the step is not possible");
    step = *parsed;
  }
  std::uint64_t bits = 0;
  for (int v = low; v <= high; v += step) bits |= 1ULL << (rule.names.size() == 7 ? v % 7 : v);
  return bits;
}

result<std::uint64_t> parse_field(const field_rule& rule, std::string_view text) {
  std::uint64_t bits = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    const auto part = parse_part(rule, text.substr(at, comma - at));
    if (!part) return part;
    bits |= *part;
    at = comma + 1;
  }
  return bits;
}

std::string_view expanded(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> macros{{{"@yearly", "0 0 1 1 *"},
                                                                                 {"@annually", "0 0 1 1 *"},
                                                                                 {"@monthly", "0 0 1 * *"},
                                                                                 {"@weekly", "0 0 * * 0"},
                                                                                 {"@daily", "0 0 * * *"},
                                                                                 {"@midnight", "0 0 * * *"},
                                                                                 {"@hourly", "0 * * * *"}}};
  const auto found = std::ranges::find(macros, text, &std::pair<std::string_view, std::string_view>::first);
  return found == macros.end() ? text : found->second;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = text.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const auto end = std::min(text.find_first_of(" \t", begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    at = end;
  }
  return out;
}

constexpr bool has(std::uint64_t bits, unsigned n) noexcept { return ((bits >> n) & 1) != 0; }

/// Whether some month in `months` has some day in `days_of_month`.
bool ever_occurs(std::uint64_t days_of_month, std::uint64_t months) {
  constexpr std::array<unsigned, 13> longest{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned m = 1; m <= 12; ++m)
    for (unsigned d = 1; has(months, m) && d <= longest[m]; ++d)
      if (has(days_of_month, d)) return true;
  return false;
}
} // namespace

result<cron_expression> cron_expression::parse(std::string_view text, std::string_view time_zone) {
  if (text.size() > text_max)
    return fail(errc::invalid_argument, fmt::format("cron: the expression is longer than {} characters", text_max));
  auto fields = words(expanded(text));
  if (fields.size() != 5 && fields.size() != 6)
    return fail(
        errc::invalid_argument,
        fmt::format("cron: the expression has {} fields; write 5 (minute, hour, day of month, month, day of week) "
                    "or 6 (second first)",
                    fields.size()));
  if (fields.size() == 5) fields.insert(fields.begin(), "0");
  cron_expression out;
  const std::array<std::uint64_t*, 6> places{&out.seconds_, &out.minutes_, &out.hours_,
                                             &out.days_,    &out.months_,  &out.weekdays_};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto bits = parse_field(rules[i], fields[i]);
    if (!bits) return std::unexpected(bits.error());
    *places[i] = *bits;
  }
  const auto begins_with_star = [&](std::size_t i) { return fields[i].front() == '*'; };
  out.follows_clock_ = begins_with_star(1) || begins_with_star(2);
  out.any_day_ = begins_with_star(3);
  out.any_weekday_ = begins_with_star(5);
  if ((out.any_day_ || out.any_weekday_) && !ever_occurs(out.days_, out.months_))
    return fail(
        errc::invalid_argument,
        fmt::format("cron: the field 'day of month' has '{}', which never occurs in month '{}'", fields[3], fields[4]));
  out.text_ = text;
  out.zone_name_ = time_zone;
  try {
    out.zone_ = date::locate_zone(out.zone_name_);
  } catch (const std::runtime_error&) { // date throws for unknown names; here it becomes a value
    return fail(errc::invalid_argument,
                fmt::format("cron: '{}' is no time zone of this system; use an IANA name such as Africa/Casablanca",
                            time_zone.substr(0, 64)));
  }
  return out;
}

bool cron_expression::matches_day(local_days day) const {
  const std::chrono::year_month_day ymd{day};
  if (!has(months_, static_cast<unsigned>(ymd.month()))) return false;
  const bool by_day = has(days_, static_cast<unsigned>(ymd.day()));
  const bool by_weekday = has(weekdays_, std::chrono::weekday{day}.c_encoding());
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<seconds> cron_expression::next_in_day(seconds from) const {
  const auto at = std::chrono::hh_mm_ss{from};
  const auto h0 = static_cast<unsigned>(at.hours().count());
  const auto m0 = static_cast<unsigned>(at.minutes().count());
  const auto s0 = static_cast<unsigned>(at.seconds().count());
  for (unsigned h = h0; h < 24; ++h) {
    if (!has(hours_, h)) continue;
    for (unsigned m = h == h0 ? m0 : 0; m < 60; ++m) {
      if (!has(minutes_, m)) continue;
      for (unsigned s = h == h0 && m == m0 ? s0 : 0; s < 60; ++s)
        if (has(seconds_, s)) return hours{h} + minutes{m} + seconds{s};
    }
  }
  return std::nullopt;
}

std::optional<cron_expression::local_time> cron_expression::next_local(local_time from, local_time until) const {
  auto day = std::chrono::floor<days>(from);
  auto time = from - day;
  while (day < until) {
    if (matches_day(day)) {
      if (const auto found = next_in_day(time)) {
        const local_time at = day + *found;
        return at < until ? std::optional{at} : std::nullopt;
      }
    }
    day += days{1};
    time = seconds{0};
  }
  return std::nullopt;
}

std::optional<timestamp> cron_expression::next_after(timestamp t) const {
  using std::chrono::sys_seconds;
  sys_seconds cursor = std::chrono::floor<seconds>(t) + seconds{1};
  const sys_seconds limit = cursor + horizon;
  const auto local = [](sys_seconds at, seconds offset) { return local_time{(at + offset).time_since_epoch()}; };
  // The time line in pieces of constant offset; local time is a line in each of them.
  while (cursor < limit) {
    const auto piece = zone_->get_info(cursor);
    const auto until = std::min<sys_seconds>(piece.end, limit);
    auto from = local(cursor, piece.offset);
    if (!follows_clock_ && piece.begin > sys_seconds{-days{50'000}}) {
      const auto before = zone_->get_info(piece.begin - seconds{1}).offset;
      if (before < piece.offset && cursor == piece.begin &&
          next_local(local(piece.begin, before), local(piece.begin, piece.offset)))
        return piece.begin;
      // What the clocks repeat has run already.
      if (before > piece.offset) from = std::max(from, local(piece.begin, before));
    }
    if (const auto found = next_local(from, local(until, piece.offset)))
      return sys_seconds{found->time_since_epoch() - piece.offset};
    cursor = until;
  }
  return std::nullopt;
}

} // namespace matricula::runtime

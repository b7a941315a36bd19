#include "connectors/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace matricula::connectors {

namespace {

constexpr std::size_t number_bytes_max = 9;

std::optional<int> number(std::string_view text) {
  int out = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || text.front() == '-' || wrong != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return out;
}

/// "Sun, 06 Nov 1994 08:49:37 GMT". The two older forms of a date that RFC 9110 knows are sent by nobody any more.
std::optional<timestamp> http_date(std::string_view text) {
  constexpr std::string_view shape = "Www, 00 Mmm 0000 00:00:00 GMT";
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != shape.size() || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  for (const std::size_t blank : {7U, 11U, 16U})
    if (text[blank] != ' ') return std::nullopt;
  if (text[19] != ':' || text[22] != ':') return std::nullopt;
  const auto month = std::ranges::find(months, text.substr(8, 3));
  const auto day = number(text.substr(5, 2)), year = number(text.substr(12, 4)), hour = number(text.substr(17, 2)),
             minute = number(text.substr(20, 2)), second = number(text.substr(23, 2));
  if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(*year),
                            std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
                            std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second);
}

} // namespace

std::optional<milliseconds> parse_retry_after(std::string_view value, timestamp now, milliseconds longest) {
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  const bool all_digits = !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (all_digits && value.size() > number_bytes_max) return longest;
  milliseconds wait{0};
  if (all_digits)
    wait = std::chrono::seconds(*number(value));
  else if (const auto date = http_date(value))
    wait = *date - now;
  if (wait < std::chrono::seconds(1)) return std::nullopt;
  return std::min(wait, longest);
}

} // namespace matricula::connectors

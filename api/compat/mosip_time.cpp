#include "api/compat/mosip_time.hpp"

namespace matricula::api::compat {

using namespace std::chrono;

std::optional<timestamp> parse_mosip_time(std::string_view text) noexcept {
  constexpr std::string_view pattern = "0000-00-00T00:00:00.000Z"; // 0 stands for any digit
  if (text.size() != pattern.size()) return std::nullopt;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool fits = pattern[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
    if (!fits) return std::nullopt;
  }
  const auto number = [text](std::size_t at, std::size_t digits) {
    int n = 0;
    for (const char c : text.substr(at, digits)) n = n * 10 + (c - '0');
    return n;
  };
  const year_month_day date{year{number(0, 4)}, month{static_cast<unsigned>(number(5, 2))},
                            day{static_cast<unsigned>(number(8, 2))}};
  const hours h{number(11, 2)};
  const minutes m{number(14, 2)};
  const seconds s{number(17, 2)};
  const milliseconds ms{number(20, 3)};
  if (date.year() < year{1} || !date.ok() || m > minutes{59} || s > seconds{59}) return std::nullopt;
  const auto into_day = h + m + s + ms;
  if (into_day > hours{24}) return std::nullopt;
  const timestamp at = sys_days{date} + into_day;
  if (at >= sys_days{year{10'000} / January / 1}) return std::nullopt;
  return at;
}

} // namespace matricula::api::compat

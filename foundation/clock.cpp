#include "foundation/clock.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula {

timestamp system_clock::wall() const {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}
std::chrono::nanoseconds system_clock::monotonic() const { return std::chrono::steady_clock::now().time_since_epoch(); }

decision_clock::decision_clock(const clock& source, timestamp last_durable)
    : source_(source), last_(last_durable), believed_(last_durable), believed_at_(source.monotonic()),
      allowance_(restart_jump_max) {
  if (last_durable == timestamp{}) trust();
  (void)believed_now();
}

/// @pre the mutex is held, or nobody else knows this yet
timestamp decision_clock::believed_now() {
  const auto wall = source_.wall();
  const auto monotonic = source_.monotonic();
  const auto expected = believed_ + std::chrono::duration_cast<milliseconds>(monotonic - believed_at_);
  suspect_ = wall > expected + allowance_;
  if (suspect_) return expected;
  if (wall >= expected) {
    // Believed from here on. A clock that is behind is waited for: until it has caught up, time stands still.
    believed_ = wall;
    believed_at_ = monotonic;
    allowance_ = jump_max;
  }
  return wall;
}

timestamp decision_clock::now() {
  const std::lock_guard guard(mutex_);
  last_ = std::max(last_, believed_now());
  return last_;
}

bool decision_clock::suspect() {
  const std::lock_guard guard(mutex_);
  (void)believed_now();
  return suspect_;
}

void decision_clock::trust() {
  const std::lock_guard guard(mutex_);
  believed_ = source_.wall();
  believed_at_ = source_.monotonic();
  allowance_ = jump_max;
  suspect_ = false;
}

std::string to_rfc3339(timestamp t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd{day};
  const std::chrono::hh_mm_ss time{t - day};
  const int year = static_cast<int>(ymd.year());
  // Beyond what the format has room for, such as the largest of all times: readable, but it is not read back.
  if (year < 0 || year > 9'999)
    return fmt::format("{}-{:02}-{:02}", year, static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
  // By hand: almost every answer and log line has one, and a general formatter showed in profiles.
  std::string text = "0000-00-00T00:00:00.000Z";
  const auto put = [&text](std::size_t at, std::size_t digits, std::uint64_t value) {
    for (; digits > 0; value /= 10) text[at + --digits] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, static_cast<unsigned>(year));
  put(5, 2, static_cast<unsigned>(ymd.month()));
  put(8, 2, static_cast<unsigned>(ymd.day()));
  put(11, 2, static_cast<std::uint64_t>(time.hours().count()));
  put(14, 2, static_cast<std::uint64_t>(time.minutes().count()));
  put(17, 2, static_cast<std::uint64_t>(time.seconds().count()));
  put(20, 3, static_cast<std::uint64_t>(time.subseconds().count()));
  return text;
}

result<timestamp> parse_rfc3339(std::string_view text) {
  const auto bad = [&] {
    return fail(errc::invalid_argument,
                fmt::format("'{}' is not a time like 2030-01-31T23:59:59.000Z", text.substr(0, 40)));
  };
  std::size_t at = 0;
  const auto digits = [&](int count) -> int {
    int value = 0;
    for (int i = 0; i < count; ++i, ++at) {
      if (at >= text.size() || text[at] < '0' || text[at] > '9') return -1;
      value = value * 10 + (text[at] - '0');
    }
    return value;
  };
  const auto literal = [&](char c) { return at < text.size() && text[at] == c ? (++at, true) : false; };

  const int year = digits(4);
  if (year < 1970 || !literal('-')) return bad();
  const int month = digits(2);
  if (month < 1 || !literal('-')) return bad();
  const int day = digits(2);
  if (day < 1 || !literal('T')) return bad();
  const int hour = digits(2);
  if (hour < 0 || hour > 23 || !literal(':')) return bad();
  const int minute = digits(2);
  if (minute < 0 || minute > 59 || !literal(':')) return bad();
  const int second = digits(2);
  if (second < 0 || second > 59) return bad();
  int millis = 0;
  if (literal('.')) {
    int seen = 0, scale = 100;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++seen) {
      millis += (text[at] - '0') * scale;
      scale /= 10;
    }
    if (seen < 1 || seen > 9) return bad();
  }
  int offset_minutes = 0;
  if (!literal('Z')) {
    const bool negative = at < text.size() && text[at] == '-';
    if (!literal('+') && !literal('-')) return bad();
    const int oh = digits(2);
    if (oh < 0 || oh > 23 || !literal(':')) return bad();
    const int om = digits(2);
    if (om < 0 || om > 59) return bad();
    offset_minutes = (oh * 60 + om) * (negative ? -1 : 1);
  }
  if (at != text.size()) return bad();
  const std::chrono::year_month_day ymd{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                        std::chrono::day{static_cast<unsigned>(day)}};
  if (!ymd.ok()) return bad();
  const timestamp t = std::chrono::sys_days{ymd} + std::chrono::hours{hour} +
                      std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second} +
                      milliseconds{millis};
  constexpr std::chrono::sys_days year_10000{std::chrono::year{10000} / 1 / 1}; // an offset can lead there
  if (t < timestamp{} || t >= year_10000) return bad();
  return t;
}

} // namespace matricula

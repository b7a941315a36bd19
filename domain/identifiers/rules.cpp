#include "domain/identifiers/rules.hpp"

#include "domain/identifiers/checksum.hpp"

#include <algorithm>

namespace matricula::identifiers {
namespace {

/// The periods of 1/7, 1/17, 1/19, 1/23 and 1/29. The next one, of 1/47, has 46 digits: longer than any identifier.
constexpr std::array<std::string_view, 5> cyclic_periods{"142857", "0588235294117647", "052631578947368421",
                                                         "0434782608695652173913", "0344827586206896551724137931"};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_next(char low, char high, bool wraps) noexcept {
  return is_digit(low) && is_digit(high) && (high - low == 1 || (wraps && low == '9' && high == '0'));
}

bool has_run(std::string_view id, unsigned limit, bool wraps) noexcept {
  unsigned up = 1;
  unsigned down = 1;
  for (std::size_t i = 1; i < id.size(); ++i) {
    up = is_next(id[i - 1], id[i], wraps) ? up + 1 : 1;
    down = is_next(id[i], id[i - 1], wraps) ? down + 1 : 1;
    if (std::max(up, down) >= limit) return true;
  }
  return false;
}

bool repeats_within(std::string_view id, std::size_t distance_max) noexcept {
  for (std::size_t i = 1; i < id.size(); ++i)
    for (std::size_t distance = 1; distance <= std::min(distance_max, i); ++distance)
      if (id[i] == id[i - distance]) return true;
  return false;
}

bool repeats_in_a_row(std::string_view id, unsigned limit) noexcept {
  unsigned equal = 1;
  for (std::size_t i = 1; i < id.size(); ++i) {
    equal = id[i] == id[i - 1] ? equal + 1 : 1;
    if (equal > limit) return true;
  }
  return false;
}

bool repeats(const rule_set& rules, std::string_view id) noexcept {
  switch (rules.repeating) {
  case repeating_kind::within_limit:
    return repeats_within(id, rules.repeating_limit);
  case repeating_kind::below_limit:
    return repeats_within(id, rules.repeating_limit - 1);
  case repeating_kind::in_a_row:
    return repeats_in_a_row(id, rules.repeating_limit);
  }
  return false;
}

bool repeats_block(std::string_view id, std::size_t limit) noexcept {
  for (std::size_t i = 0; i + 2 * limit <= id.size(); ++i)
    for (std::size_t j = i + limit; j + limit <= id.size(); ++j)
      if (std::equal(id.begin() + i, id.begin() + i + limit, id.begin() + j)) return true;
  return false;
}

bool has_even_run(std::string_view id, unsigned limit, bool zero_counts) noexcept {
  unsigned run = 0;
  for (const char c : id) {
    const bool even = is_digit(c) && (c - '0') % 2 == 0 && (zero_counts || c != '0');
    run = even ? run + 1 : 0;
    if (run >= limit) return true;
  }
  return false;
}

bool contains_any(std::string_view id, const auto& numbers) noexcept {
  return std::ranges::any_of(numbers, [id](std::string_view number) { return id.contains(number); });
}

bool groups_apply(const rule_set& rules, std::size_t length, std::size_t limit) noexcept {
  return limit > 0 && (rules.groups_may_overlap ? length > limit : length >= 2 * limit);
}

bool has_equal_groups(std::string_view id, std::size_t limit) noexcept {
  return id.substr(0, limit) == id.substr(id.size() - limit);
}

bool has_mirrored_groups(std::string_view id, std::size_t limit) noexcept {
  return std::equal(id.begin(), id.begin() + limit, id.rbegin());
}

/// Whether `id`, of the right length and alphabet, breaks `r`.
bool breaks(const rule_set& rules, rule r, std::string_view id) noexcept {
  switch (r) {
  case rule::first_digit:
    return std::ranges::any_of(rules.not_start_with, [id](const auto& prefix) { return id.starts_with(prefix); });
  case rule::sequence:
    return rules.sequence_limit > 0 && has_run(id, rules.sequence_limit, rules.sequence_wraps);
  case rule::repeating:
    return rules.repeating_limit > 0 && repeats(rules, id);
  case rule::repeating_block:
    return rules.repeating_block_limit > 0 && repeats_block(id, rules.repeating_block_limit);
  case rule::even_digits:
    return rules.conjugative_even_digits_limit > 0 &&
           has_even_run(id, rules.conjugative_even_digits_limit, rules.zero_counts_as_even);
  case rule::equal_groups:
    return groups_apply(rules, id.size(), rules.digits_limit) && has_equal_groups(id, rules.digits_limit);
  case rule::mirrored_groups:
    return groups_apply(rules, id.size(), rules.reverse_digits_limit) &&
           has_mirrored_groups(id, rules.reverse_digits_limit);
  case rule::restricted_number:
    return contains_any(id, rules.restricted_numbers);
  case rule::cyclic_number:
    return rules.cyclic_numbers && contains_any(id, cyclic_periods);
  case rule::check_digit:
    return rules.check_digit && !has_valid_check_digit(id);
  case rule::length:
  case rule::alphabet:
    break;
  }
  return false;
}

/// Rules that a part of an identifier can break for all of it; the cheapest and most selective come first.
constexpr std::array part_rules{rule::repeating,       rule::sequence,          rule::even_digits,
                                rule::repeating_block, rule::restricted_number, rule::cyclic_number};
/// Rules that only the whole identifier can break.
constexpr std::array whole_rules{rule::first_digit, rule::equal_groups, rule::mirrored_groups};
/// All but length and alphabet, in the order in which they are reported.
constexpr std::array reported_rules{
    rule::first_digit,  rule::sequence,        rule::repeating,         rule::repeating_block, rule::even_digits,
    rule::equal_groups, rule::mirrored_groups, rule::restricted_number, rule::cyclic_number,   rule::check_digit};

} // namespace

std::string_view to_string(rule r) noexcept {
  switch (r) {
  case rule::length:
    return "length";
  case rule::alphabet:
    return "alphabet";
  case rule::first_digit:
    return "first_digit";
  case rule::sequence:
    return "sequence";
  case rule::repeating:
    return "repeating";
  case rule::repeating_block:
    return "repeating_block";
  case rule::even_digits:
    return "even_digits";
  case rule::equal_groups:
    return "equal_groups";
  case rule::mirrored_groups:
    return "mirrored_groups";
  case rule::restricted_number:
    return "restricted_number";
  case rule::cyclic_number:
    return "cyclic_number";
  case rule::check_digit:
    return "check_digit";
  }
  return "unknown";
}

std::span<const std::string_view> cyclic_numbers() noexcept { return cyclic_periods; }

bool has_check_digit(const rule_set& rules, alphabet written_in) noexcept {
  return rules.check_digit && written_in == alphabet::digits;
}

std::string first_symbols(const rule_set& rules, alphabet written_in) {
  std::string allowed;
  for (const char symbol : symbols(written_in))
    if (std::ranges::find(rules.not_start_with, std::string_view(&symbol, 1)) == rules.not_start_with.end())
      allowed.push_back(symbol);
  return allowed;
}

uint128 raw_size(const id_format& format) {
  const auto body = format.length - (has_check_digit(format.rules, format.written_in) ? 1 : 0);
  uint128 size = first_symbols(format.rules, format.written_in).size();
  for (std::size_t i = 1; i < body; ++i) size *= radix(format.written_in);
  return size;
}

std::vector<rule> failed_rules(const rule_set& rules, alphabet written_in, std::size_t length, std::string_view id) {
  std::vector<rule> failed;
  if (id.size() != length) failed.push_back(rule::length);
  if (!is_written_in(written_in, id)) failed.push_back(rule::alphabet);
  if (!failed.empty()) return failed;
  for (const auto r : reported_rules) {
    if (r == rule::check_digit && !has_check_digit(rules, written_in)) continue;
    if (breaks(rules, r, id)) failed.push_back(r);
  }
  return failed;
}

bool accepts(const rule_set& rules, std::string_view id) noexcept {
  return accepts_part(rules, id) && std::ranges::none_of(whole_rules, [&](rule r) { return breaks(rules, r, id); });
}

bool accepts_part(const rule_set& rules, std::string_view part) noexcept {
  return std::ranges::none_of(part_rules, [&](rule r) { return breaks(rules, r, part); });
}

} // namespace matricula::identifiers

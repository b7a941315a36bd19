#include "domain/identifiers/profiles.hpp"

#include "domain/identifiers/enumeration.hpp"

#include <algorithm>
#include <array>

namespace matricula::identifiers {
namespace {

constexpr std::array<std::string_view, 6> names{
    "mosip-uin", "mosip-uin-validator", "mosip-vid", "mosip-prid", "openg2p", "strict"};

rule_set mosip_vid() {
  rule_set rules;
  rules.not_start_with = {"0", "1"};
  rules.sequence_limit = 3;
  rules.repeating_limit = 2;
  rules.repeating = repeating_kind::within_limit;
  rules.repeating_block_limit = 2;
  rules.restricted_numbers = {"786", "666"};
  rules.check_digit = true;
  return rules;
}

rule_set mosip_prid() {
  auto rules = mosip_vid();
  rules.repeating_block_limit = 3;
  return rules;
}

rule_set mosip_uin() {
  auto rules = mosip_vid();
  rules.sequence_wraps = true;
  rules.conjugative_even_digits_limit = 3;
  rules.digits_limit = 5;
  rules.reverse_digits_limit = 5;
  rules.groups_may_overlap = true;
  rules.cyclic_numbers = true;
  return rules;
}

rule_set mosip_uin_validator() {
  auto rules = mosip_uin();
  rules.sequence_wraps = false;
  rules.repeating = repeating_kind::in_a_row;
  rules.cyclic_numbers = false;
  return rules;
}

rule_set openg2p() {
  auto rules = mosip_uin();
  rules.sequence_wraps = false;
  rules.repeating = repeating_kind::below_limit;
  rules.zero_counts_as_even = true;
  rules.groups_may_overlap = false;
  rules.restricted_numbers.clear();
  return rules;
}

rule_set strict() {
  auto rules = mosip_uin();
  rules.zero_counts_as_even = true;
  return rules;
}

struct limit_range {
  std::string_view name;
  unsigned value;
  unsigned low;
  unsigned high;
  std::string_view why;
};

result<void> check_limits(const rule_set& rules) {
  const unsigned repeating_min = rules.repeating == repeating_kind::below_limit ? 2 : 1;
  const std::array ranges{
      limit_range{"sequence_limit", rules.sequence_limit, 2, 10, "a single digit is no run, and a run has ten at most"},
      limit_range{"repeating_limit", rules.repeating_limit, repeating_min, 31, "it is a distance between symbols"},
      limit_range{"repeating_block_limit", rules.repeating_block_limit, 1, 16, "two blocks must fit"},
      limit_range{"conjugative_even_digits_limit", rules.conjugative_even_digits_limit, 1, 32, "no id is longer"},
      limit_range{"digits_limit", rules.digits_limit, 1, 16, "two groups must fit"},
      limit_range{"reverse_digits_limit", rules.reverse_digits_limit, 1, 16, "two groups must fit"},
  };
  for (const auto& r : ranges)
    if (r.value != 0 && (r.value < r.low || r.value > r.high))
      return fail(errc::invalid_argument, std::string(r.name) + " is " + std::to_string(r.value) +
                                              ", but must be 0 (off) or " + std::to_string(r.low) + " to " +
                                              std::to_string(r.high) + ": " + std::string(r.why));
  return {};
}

/// Entries may use digits even where the alphabet lacks some of them, so that one profile serves both alphabets.
bool may_be_listed(alphabet written_in, char c) {
  return value_of(written_in, c).has_value() || value_of(alphabet::digits, c).has_value();
}

/// As it may be shown in a message: anything but printable ASCII becomes '?', and a long text is cut.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 40));
  std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return "\"" + out + (text.size() > 40 ? "...\"" : "\"");
}

result<void> check_list(std::string_view name, const std::vector<std::string>& entries, alphabet written_in,
                        std::size_t length) {
  constexpr std::size_t entries_max = 1000;
  const std::string where(name);
  if (entries.size() > entries_max)
    return fail(errc::invalid_argument, where + " has " + std::to_string(entries.size()) + " entries; at most " +
                                            std::to_string(entries_max) + " are allowed");
  for (const auto& entry : entries) {
    if (entry.empty())
      return fail(errc::invalid_argument, where + " has an empty entry; leave the list empty to turn the rule off");
    if (!std::ranges::all_of(entry, [&](char c) { return may_be_listed(written_in, c); }))
      return fail(errc::invalid_argument, where + " entry " + shown(entry) + " holds something other than " +
                                              std::string(symbols(written_in)) + "; blanks count too");
    if (entry.size() > length)
      return fail(errc::invalid_argument, where + " entry " + shown(entry) + " is longer than the identifier's " +
                                              std::to_string(length) + " symbols and would never match");
  }
  return {};
}

/// Whether one identifier can be found. The budget is for rule sets so tight that the search would take minutes; those
/// are refused too, since a type that has hardly any identifier cannot be meant.
bool leaves_an_identifier(const id_format& format) {
  constexpr std::uint64_t parts_max = 1'000'000;
  bool found = false;
  enumerate(format, [&found](std::string_view) { return !(found = true); }, parts_max);
  return found;
}

} // namespace

std::optional<rule_set> find_profile(std::string_view name) {
  constexpr std::array makers{mosip_uin, mosip_uin_validator, mosip_vid, mosip_prid, openg2p, strict};
  static_assert(makers.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return makers[i]();
  return std::nullopt;
}

std::span<const std::string_view> profile_names() noexcept { return names; }

result<void> validate(const rule_set& rules, alphabet written_in, std::size_t length) {
  if (length < 2 || length > length_max(written_in))
    return fail(errc::invalid_argument, "length is " + std::to_string(length) + ", but must be 2 to " +
                                            std::to_string(length_max(written_in)) + " for the alphabet " +
                                            std::string(to_string(written_in)));
  if (auto limits = check_limits(rules); !limits) return limits;
  if (auto list = check_list("not_start_with", rules.not_start_with, written_in, length); !list) return list;
  if (auto list = check_list("restricted_numbers", rules.restricted_numbers, written_in, length); !list) return list;
  if (first_symbols(rules, written_in).empty())
    return fail(errc::invalid_argument, "not_start_with forbids every first symbol; leave at least one");
  if (!leaves_an_identifier({written_in, length, rules}))
    return fail(errc::invalid_argument,
                "no identifier of " + std::to_string(length) +
                    " symbols was found that obeys all rules; loosen a rule or change the length");
  return {};
}

} // namespace matricula::identifiers

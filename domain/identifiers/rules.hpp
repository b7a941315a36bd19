/// The one rule engine: which identifiers a rule set accepts, and which rules an identifier breaks.
/// The same functions filter what is generated and judge what is presented, so that the two never disagree.
///
/// All rules look at the whole identifier, its check digit included. Identifiers of letters and digits are held to the
/// same rules with these bounds: runs and even digits are runs of digits (a letter ends them), and there is no check
/// digit, because Verhoeff's code is decimal.
#pragma once
#include "domain/identifiers/alphabet.hpp"
#include "foundation/uint128.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

enum class rule : std::uint8_t {
  length,
  alphabet,
  first_digit,
  sequence,
  repeating,
  repeating_block,
  even_digits,
  equal_groups,
  mirrored_groups,
  restricted_number,
  cyclic_number,
  check_digit,
};

/// The stable, snake_case name: "first_digit", "even_digits", ...
[[nodiscard]] std::string_view to_string(rule r) noexcept;

/// What a repeating limit of n forbids.
enum class repeating_kind : std::uint8_t {
  within_limit, ///< the same symbol at a distance of 1 to n
  below_limit,  ///< the same symbol at a distance of 1 to n-1
  in_a_row,     ///< more than n equal symbols in a row
};

/// The parameters of every rule. A limit of 0 turns its rule off; an empty list forbids nothing.
struct rule_set {
  std::vector<std::string> not_start_with; ///< prefixes of any length
  unsigned sequence_limit = 0;             ///< this many digits, each one more (or each one less) than the last
  bool sequence_wraps = false;             ///< 9 is followed by 0, both ways: 890 and 109 are runs
  unsigned repeating_limit = 0;
  repeating_kind repeating = repeating_kind::within_limit;
  unsigned repeating_block_limit = 0;         ///< a block of this many symbols that comes again later without overlap
  unsigned conjugative_even_digits_limit = 0; ///< this many even digits in a row
  bool zero_counts_as_even = false;
  unsigned digits_limit = 0;                   ///< the first n symbols equal the last n
  unsigned reverse_digits_limit = 0;           ///< the first n symbols equal the last n read backwards
  bool groups_may_overlap = false;             ///< group rules hold above length n; otherwise from length 2n on
  std::vector<std::string> restricted_numbers; ///< may stand nowhere in the identifier
  bool cyclic_numbers = false;                 ///< the period of 1/7, 1/17, 1/19, 1/23 or 1/29 may stand nowhere in it
  bool check_digit = false;                    ///< the last digit is Verhoeff's; digits only
  bool operator==(const rule_set&) const = default;
};

/// How the identifiers of one type are written: all that decides which ones exist.
struct id_format {
  alphabet written_in = alphabet::digits;
  std::size_t length = 10; ///< symbols, check digit included
  rule_set rules;
  bool operator==(const id_format&) const = default;
};

/// The numbers that `cyclic_numbers` forbids.
[[nodiscard]] std::span<const std::string_view> cyclic_numbers() noexcept;

/// Whether identifiers of this format end in a check digit.
[[nodiscard]] bool has_check_digit(const rule_set& rules, alphabet written_in) noexcept;

/// The symbols that may stand first: those that are not themselves an entry of `not_start_with`.
[[nodiscard]] std::string first_symbols(const rule_set& rules, alphabet written_in);

/// How many raw numbers there are: choices for the first symbol times free symbols, check digit excluded.
/// @pre 2 <= length <= length_max.
[[nodiscard]] uint128 raw_size(const id_format& format);

/// Every rule that `id` breaks, in the order of the enumeration; empty when it is valid. Any bytes may be passed.
/// When the length or a symbol is wrong, only those two are reported: the others would mean nothing.
[[nodiscard]] std::vector<rule> failed_rules(const rule_set& rules, alphabet written_in, std::size_t length,
                                             std::string_view id);

/// Whether `id` breaks no rule but, perhaps, the check digit's. Leaves at the first broken rule.
/// @pre `id` is a complete identifier of the right length and alphabet.
[[nodiscard]] bool accepts(const rule_set& rules, std::string_view id) noexcept;

/// Whether `part`, wherever it stands in an identifier, breaks a rule on its own: no identifier that holds such a part
/// is valid. Lets a generator reject a number before all of it is written.
[[nodiscard]] bool accepts_part(const rule_set& rules, std::string_view part) noexcept;

} // namespace matricula::identifiers

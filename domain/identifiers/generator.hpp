/// The identifiers of one type, in the secret order in which they are handed out.
///
/// A counter goes through the keyed permutation and becomes a raw number; its symbols are the body of an identifier,
/// the check digit is appended, and the rules accept it or not. So every valid identifier has exactly one counter: no
/// duplicates, no look-up for uniqueness, and the space is exhausted exactly when the counter ends.
#pragma once
#include "domain/identifiers/body_codec.hpp"
#include "domain/identifiers/permutation.hpp"
#include "domain/identifiers/rules.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// An identifier without a heap allocation: at most 32 symbols.
class id_text {
public:
  id_text() = default;
  /// @pre at most 32 bytes.
  explicit id_text(std::string_view text);
  [[nodiscard]] std::string_view view() const noexcept { return {symbols_.data(), size_}; }
  bool operator==(const id_text&) const = default;

private:
  std::array<char, 32> symbols_{};
  std::uint8_t size_ = 0;
};

struct candidate {
  std::uint64_t counter = 0;
  id_text id;
  bool operator==(const candidate&) const = default;
};

/// The counters `from`, `from + stride`, ... below `to`, until `ids_max` identifiers are found.
struct walk_order {
  std::uint64_t from = 0;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t stride = 1; ///< above 0
  std::size_t ids_max = std::numeric_limits<std::size_t>::max();
};

/// A type's key that was replaced by a later one.
struct past_key {
  permutation_key key;
  std::uint64_t end = 0; ///< counters below this, and not below the end of the key before, are its own
};

/// A type's key may be replaced: what was issued stays where it is, and the rest of the space is drawn with the new
/// key. Counters run on: those of each key stand behind those of the one before. A later key passes over every
/// identifier that an earlier one has under a counter of its own, so that each valid identifier still has exactly one
/// counter.
///
/// Immutable; all members may be called from several threads at once.
class identifier_space {
public:
  /// Refuses what `validate` refuses.
  /// @param key the key of this type alone (permutation_key::derive), never a master key.
  /// @param type_name bound into the permutation as its tweak.
  [[nodiscard]] static result<identifier_space> make(id_format format, const permutation_key& key,
                                                     std::string_view type_name);

  /// One whose keys were replaced. Refuses, besides, ends that do not ascend or lie beyond their key's numbers, and
  /// counters that would run out: those from counters_max on are not for generated identifiers.
  /// @param past keys of this type alone, the oldest first; empty: as above.
  [[nodiscard]] static result<identifier_space> make(id_format format, std::span<const past_key> past,
                                                     const permutation_key& key, std::string_view type_name);

  /// With keys that were replaced, every counter is below this.
  static constexpr std::uint64_t counters_max = std::uint64_t{1} << 63;

  [[nodiscard]] const id_format& format() const noexcept { return format_; }
  /// The first counter of the present key: 0 unless it replaced others.
  [[nodiscard]] std::uint64_t present_key_from() const noexcept { return epochs_.back().from; }

  /// How many raw numbers there are, valid or not.
  [[nodiscard]] uint128 domain_size() const noexcept { return epochs_.back().shuffle.size(); }

  /// Counters are below this: the present key's first one and the domain's size, or 2^64-1 where that is larger. A walk
  /// that arrives here has seen all identifiers that will ever be issued.
  [[nodiscard]] std::uint64_t counter_end() const noexcept;

  /// Appends the valid identifiers of the order's counters, in the order of their counters.
  /// @return the first counter that was not walked: one stride after the last identifier when `ids_max` was reached,
  /// otherwise at or above the smaller of `to` and counter_end() (never wrapping). All counters of the order below it
  /// that were not appended break a rule.
  /// About 65 ns a counter; one in 14 gives an identifier for 10 digits of mosip-uin, one in 88 for 16 of mosip-vid,
  /// but one in millions for 32 digits of strict: bound such walks with `to`.
  std::uint64_t walk(const walk_order& order, std::vector<candidate>& out) const;

  /// The identifier of `counter`; nothing when its number breaks a rule or the counter lies outside the domain.
  [[nodiscard]] std::optional<id_text> id_of(uint128 counter) const;

  /// The counter of `id`; nothing when the identifier breaks a rule. Any bytes may be passed. It may be counter_end()
  /// or more in a domain above 2^64: such an identifier is valid, but never issued here.
  [[nodiscard]] std::optional<uint128> counter_of(std::string_view id) const;

  [[nodiscard]] std::vector<rule> failed_rules(std::string_view id) const {
    return identifiers::failed_rules(format_.rules, format_.written_in, format_.length, id);
  }

private:
  /// The counters [from, to) and the key that they go through, counted from `from`.
  struct epoch {
    permutation shuffle;
    std::uint64_t from;
    std::uint64_t to; ///< of the present key: counter_end()
  };
  identifier_space(id_format format, std::span<const past_key> past, const permutation_key& key,
                   std::string_view type_name);
  [[nodiscard]] const epoch& epoch_at(std::uint64_t counter) const noexcept;
  [[nodiscard]] std::optional<id_text> identifier_of(halves number, const epoch& under) const;

  id_format format_;
  bool check_digit_;
  body_codec codec_;
  std::vector<epoch> epochs_; ///< oldest first; the last one is the present key's
};

} // namespace matricula::identifiers

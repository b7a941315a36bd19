/// Identifiers that one issuer of a type gives to another one that has none left. A grant is numbered by giver and
/// taker, and there is one on its way between two issuers at most: the taker knows a repetition by its number.
#pragma once
#include "domain/identifiers/record.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// Identifiers of one grant at most: their rows fit into one batch on either side.
inline constexpr std::uint64_t grant_ids_max = 256;
/// Bytes of what a grant carries at most, so that it ends early when histories are long.
inline constexpr std::size_t grant_bytes_max = std::size_t{48} * 1024;
/// Room that the batch of a grant takes on either side: the records, what is carried, and small rows for each.
inline constexpr std::size_t grant_room = std::size_t{128} * 1024;

/// An AVAILABLE identifier on its way, with all that is known of it.
struct granted_id {
  std::uint64_t counter = 0;
  id_record record;
  bool operator==(const granted_id&) const = default;
};
[[nodiscard]] std::string encode(std::span<const granted_id> ids);
/// Errors: corrupt.
[[nodiscard]] result<std::vector<granted_id>> decode_granted_ids(std::string_view bytes);

/// What the giver keeps about the grants to one taker.
struct given_grant {
  std::uint64_t number = 0;    ///< of the last one; 0 = none yet
  std::vector<granted_id> ids; ///< on their way; empty once the taker has said that it has them
  bool operator==(const given_grant&) const = default;
};
[[nodiscard]] std::string encode(const given_grant& grant);
[[nodiscard]] result<given_grant> decode_given_grant(std::string_view bytes);

/// What the taker keeps about the grants of one giver: the number of the last one that it took.
[[nodiscard]] std::string encode_taken_grant(std::uint64_t number);
[[nodiscard]] result<std::uint64_t> decode_taken_grant(std::string_view bytes);

/// The counters of several issuers as those of one pool: numbers added up, the earliest floor.
[[nodiscard]] pool_counters sum(std::span<const pool_counters> issuers);

/// What an issuer can hope for that lacks identifiers and has walked its class to the end.
enum class lending : std::uint8_t {
  possible,  ///< another issuer has some, or may find some
  arriving,  ///< all there are left are on their way between issuers: wait
  cooling,   ///< everything is in use, and something cools off
  too_few,   ///< there are some, but fewer than are asked for
  exhausted, ///< nothing is left anywhere, for good
};

/// @param own the asking issuer's counters as they are in its memory
/// @param others all other issuers' counters, as they were at one moment
/// @param ends what each of the others has to walk, in the same order
[[nodiscard]] lending what_can_be_lent(const pool_counters& own, std::span<const pool_counters> others,
                                       std::span<const std::uint64_t> ends, std::uint64_t wanted) noexcept;

} // namespace matricula::identifiers

/// What the issuers of a type keep about the identifiers that they give each other, beside each one's counters, and who
/// has an identifier now.
#pragma once
#include "domain/identifiers/grants.hpp"
#include "storage/commit_log.hpp"
#include "storage/identifiers.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace matricula::storage {

/// Grants to `taker`: in column pools.
[[nodiscard]] std::string given_key(const id_partition& giver, std::uint32_t taker);
/// Grants of `giver`: in column pools.
[[nodiscard]] std::string taken_key(const id_partition& taker, std::uint32_t giver);

/// Number 0 when there was none yet. Errors: corrupt, io.
[[nodiscard]] result<identifiers::given_grant> find_given(const view& v, const id_partition& giver,
                                                          std::uint32_t taker);
[[nodiscard]] result<std::uint64_t> find_taken(const view& v, const id_partition& taker, std::uint32_t giver);

/// Who has an identifier, and its record as its users may see it: nothing when it was never issued.
struct owned_id {
  std::uint32_t issuer = 0;
  std::optional<identifiers::id_record> record;
};
/// Follows the identifier from its home, the issuer of its counter, to the one that it was given to last. One that is
/// on its way is AVAILABLE and its giver's. At most one look-up for each issuer.
/// @param issuers of the type, in the order of their numbers. Errors: corrupt, io.
[[nodiscard]] result<owned_id> find_owner(const commit_log& log, std::span<const id_partition> issuers,
                                          std::uint64_t counter);
/// The same in one view of the whole store.
[[nodiscard]] result<owned_id> find_owner(const view& all, std::span<const id_partition> issuers,
                                          std::uint64_t counter);

/// The durable counters of all issuers of a type.
struct pools_seen {
  std::vector<identifiers::pool_counters> counters; ///< in the order of their numbers
  /// Whether all were so at one moment: it lies between two looks at all of them that saw the same. Issuers may be in
  /// shards that show different moments, and an identifier that changes hands between two looks would be seen nowhere.
  bool at_one_moment = false;
};
/// Errors: corrupt, io, unavailable.
[[nodiscard]] result<pools_seen> find_pools(const commit_log& log, std::span<const id_partition> issuers);

/// The issuer that answers for an idempotency key or a holder, for ever: where its rows are.
[[nodiscard]] std::uint32_t issuer_of_key(std::string_view key, std::uint32_t issuers);

/// For tools: a row of column pools that is not a type's counters. Errors: corrupt.
[[nodiscard]] result<std::string> describe_grant_row(std::string_view key, std::string_view value);

} // namespace matricula::storage

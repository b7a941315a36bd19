/// Whether the rows of one identifier type agree with each other: the walked equation against a recount, the released
/// list, the due index and the idempotency rows against the records.
#pragma once
#include "storage/identifiers.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/model.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace matricula::sim {

/// From `first` until `second` the clock was suspect: the expirer had to hold.
using held_interval = std::pair<timestamp, timestamp>;

/// Every record of an issuer. What does not decode is a finding.
[[nodiscard]] stored_rows read_rows(const storage::view& v, const storage::id_partition& part, findings& found);

/// Every identifier of a type that was ever issued, as those see it who ask. That one has two owners is a finding.
[[nodiscard]] stored_rows read_owned(const storage::view& v, std::span<const storage::id_partition> issuers,
                                     findings& found);

/// The cheap part: the counters add up.
void check_equation(const storage::view& v, const storage::id_partition& part, const sim_type& type, findings& found);

void check_rows(const storage::view& v, const storage::id_partition& part, const sim_type& type,
                const stored_rows& rows, const std::vector<held_interval>& held, findings& found);

/// The rows of every issuer, and all of them together: what was ever issued, as read_owned gives it.
[[nodiscard]] stored_rows check_type(const storage::view& v, std::span<const storage::id_partition> issuers,
                                     const sim_type& type, const std::vector<held_interval>& held, findings& found);

/// What `matricula verify` says of the identifiers: whatever it finds is a finding.
void check_as_operators_do(const storage::view& v, findings& found);

/// Every identifier of the type is in use, and no more.
/// @pre none is retired
void check_used_up(const identifiers::pool_counters& all_issuers, const sim_type& type, findings& found);

/// The answer that a key has in the store, at the issuer that answers for it.
[[nodiscard]] std::optional<std::pair<std::string, identifiers::issued_ids>>
read_key(const storage::view& v, std::span<const storage::id_partition> issuers, const std::string& reference,
         findings& found);
/// The answer that a key has in the store: the payload's fingerprint and the identifiers.
[[nodiscard]] std::optional<std::pair<std::string, identifiers::issued_ids>>
read_key(const storage::view& v, const storage::id_partition& part, const std::string& reference, findings& found);

} // namespace matricula::sim

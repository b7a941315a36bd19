/// The rows of the holders of VIDs: in the partition of the pool that issues their VIDs, one row a holder.
#pragma once
#include "domain/identifiers/holder.hpp"
#include "storage/identifiers.hpp"
#include "storage/inspect.hpp"
#include "storage/verify.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage {

/// By a hash of the name: keys appear in messages of tools, and names are personal data.
[[nodiscard]] std::string holder_key(const id_partition& part, std::string_view name);

/// Erases the row of a holder without VIDs.
void put(batch& into, const id_partition& part, const identifiers::holder& h);

/// A holder without VIDs when there is no row. Errors: corrupt, io.
[[nodiscard]] result<identifiers::holder> find_holder(const view& v, const id_partition& part, std::string_view name);

struct found_vid {
  identifiers::holder of;
  std::size_t place = 0; ///< among the holder's VIDs
};
/// The VID of this counter, if a policy made it and its holder's row still lists it. Errors: corrupt, io.
[[nodiscard]] result<std::optional<found_vid>> find_vid(const view& v, const id_partition& part, std::uint64_t counter);

/// Holders against records, both ways: each open VID of a row is assigned to that holder, and each identifier that a
/// policy assigned is in its holder's row.
class holders_verifier final : public verifier {
public:
  [[nodiscard]] std::string_view name() const noexcept override { return "holders"; }
  void check(const view& rows, verify_report& report) const override;
};

/// For tools, like describe_id_row.
void add_holder_decoder(row_decoders& to);

} // namespace matricula::storage

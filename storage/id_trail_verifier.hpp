/// Whether the journals hold, the audit trail of each identifier type agrees with its records, and the index of
/// unconfirmed identifiers with both: what `matricula verify` asks of them.
#pragma once
#include "storage/inspect.hpp"
#include "storage/verify.hpp"

namespace matricula::storage {

class id_trail_verifier final : public verifier {
public:
  [[nodiscard]] std::string_view name() const noexcept override { return "journals"; }
  void check(const view& rows, verify_report& report) const override;
};

/// Adds the decoders of the journals and of the index.
void add_journal_decoders(row_decoders& to);

} // namespace matricula::storage

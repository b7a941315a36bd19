/// Whether the rows of the identifier types agree with each other: what `matricula verify` asks of them.
#pragma once
#include "domain/identifiers/type.hpp"
#include "storage/identifiers.hpp"
#include "storage/inspect.hpp"
#include "storage/verify.hpp"

#include <span>
#include <vector>

namespace matricula::storage {

struct issuer_rows;

/// Counters against records, the released list against records, the due index against records both ways, and no
/// identifier twice; of several issuers each by itself, and that every identifier which was given away has one owner or
/// is on its way. With the types (their key at hand) also that each identifier is the one of its counter.
class identifiers_verifier final : public verifier {
public:
  /// @param masters the keys that are at hand, for types whose key was replaced; the one of `types` first
  explicit identifiers_verifier(std::vector<identifiers::id_type> types = {},
                                std::vector<identifiers::permutation_key> masters = {})
      : types_(std::move(types)), masters_(std::move(masters)) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "identifiers"; }
  void check(const view& rows, verify_report& report) const override;
  /// One type alone.
  void check_type(const view& rows, verify_report& report, const type_setup& setup) const;

private:
  void check_type(const view& rows, verify_report& report, std::span<const identifiers::id_type> types,
                  const type_setup& setup) const;
  void check_issuer(const view& rows, verify_report& report, std::span<const identifiers::id_type> types,
                    const type_setup& setup, const id_partition& part, issuer_rows& found) const;
  std::vector<identifiers::id_type> types_;
  std::vector<identifiers::permutation_key> masters_;
};

/// Adds the decoders of the identifier columns.
void add_identifier_decoders(row_decoders& to);

} // namespace matricula::storage

/// The rows of alerts: one each, and the next number. All are read when the node starts; there are only so many.
#pragma once
#include "domain/alerts/alert.hpp"
#include "storage/batch.hpp"
#include "storage/inspect.hpp"
#include "storage/verify.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage {

/// One writer's alerts.
struct alert_partition {
  shard_id shard;

  [[nodiscard]] std::string alert_key(std::uint64_t id) const;
  [[nodiscard]] std::string next_key() const;
};
/// Where all alerts are.
[[nodiscard]] alert_partition alerts_of_node();

struct stored_alerts {
  std::vector<alerts::alert> all; ///< by number
  std::uint64_t next_id = 1;
  std::size_t unreadable = 0; ///< rows that do not decode: they are passed over
};
/// Errors: corrupt, io.
[[nodiscard]] result<stored_alerts> find_alerts(const view& v, const alert_partition& part);
void put_next_alert_id(batch& into, const alert_partition& part, std::uint64_t next_id);

/// No number twice or too high, one open alert of a rule and subject.
class alerts_verifier final : public verifier {
public:
  [[nodiscard]] std::string_view name() const noexcept override { return "alerts"; }
  void check(const view& rows, verify_report& report) const override;
};

/// For tools.
void add_alert_decoder(row_decoders& to);

} // namespace matricula::storage

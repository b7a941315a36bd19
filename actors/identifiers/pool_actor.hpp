/// The only writer of its identifier type: hands out, confirms, takes back, revokes, expires.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "domain/identifiers/pool.hpp"
#include "runtime/supervised_actor.hpp"
#include "storage/id_ledger.hpp"
#include "storage/partition.hpp"

#include <caf/result.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace matricula::actors {

/// What a caller is told of a write that did not become durable.
[[nodiscard]] error verdict_error(storage::verdict v);

class pool_actor final : public runtime::supervised_actor, private identifiers::pool_rows {
public:
  pool_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);

  caf::behavior make_behavior() override;
  void on_exit() override;
  [[nodiscard]] std::string describe() const override;

private:
  // pool_rows
  result<std::optional<identifiers::id_record>> record(std::uint64_t counter) override;
  result<std::uint64_t> released_at(std::uint64_t slot) override;

  caf::behavior loading();
  caf::behavior serving();
  void load(const tenure_granted& granted);

  caf::result<void> on_issue(const issue_ids& request);
  caf::result<void> on_change(const change_id& request);
  caf::result<void> on_proposal(const propose& proposal);
  caf::result<void> on_due(const apply_due& order);
  caf::result<void> on_reclaim(const reclaim_ids& order);

  result<void> issue(const issue_ids& request, timestamp now);
  result<issue_answer> replay(const issue_ids& request, std::string_view stored, timestamp now);
  result<void> change(const change_id& request, timestamp now);
  result<void> reclaim(const reclaim_ids& order, timestamp now);
  /// Erases the idempotency record unless one of its identifiers is, or was lately, in its caller's hands.
  result<void> purge_record(const identifiers::due_row& row, timestamp now, storage::batch& batch);

  /// Everything that a decision changes, and its row of the audit trail: the one way in which rows of the type come
  /// into a batch.
  void put(storage::batch& batch, identifiers::pool_changes& changes, const storage::asker& who);

  /// Whether to leave the message for a later incarnation because this one must not write any more.
  [[nodiscard]] bool stand_down();
  /// Whether the request should wait for the refill that is on its way.
  [[nodiscard]] bool should_wait(std::uint32_t count);
  void tell_level(std::uint64_t wanted = 0);
  /// Says up to when everything that was decided here is durable, so that the due index's floor passes no row on its
  /// way.
  void tell_decided();
  /// Answers what may rest on writes that have not settled yet: after them.
  template <class T>
  void answer_settled(const runtime::reply_to<T>& reply, result<T> answer);
  [[nodiscard]] std::string idempotency_key(std::string_view ref) const;
  [[nodiscard]] bool deadline_passed(const request_context& context) const;

  std::shared_ptr<const type_context> cx_;
  std::unique_ptr<random_source> random_;
  std::optional<storage::partition> part_;
  std::optional<identifiers::pool> pool_;
  std::optional<storage::id_ledger> ledger_;
  /// Keys whose first request has not settled, with their fingerprints.
  std::unordered_map<std::string, std::string> running_;
  std::deque<std::pair<std::uint64_t, std::string>> running_order_;
  std::deque<std::pair<std::uint64_t, timestamp>> decided_; ///< unsettled writes, and a time not after their decision
  std::uint64_t decided_ticket_ = 0;                        ///< the last write that was looked at for this
  timestamp decided_looked_at_{};
  std::optional<std::chrono::nanoseconds> dry_since_;
  std::uint64_t patience_ = 0;
  bool standing_down_ = false;
};

} // namespace matricula::actors

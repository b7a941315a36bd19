/// The only writer of its identifier type: hands out, confirms, takes back, revokes, expires.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "actors/messages.hpp"
#include "domain/identifiers/pool.hpp"
#include "runtime/supervised_actor.hpp"
#include "storage/partition.hpp"

#include <caf/result.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace matricula::actors {

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

  result<void> issue(const issue_ids& request, timestamp now);
  result<issue_answer> replay(const issue_ids& request, std::string_view stored, timestamp now);
  result<void> change(const change_id& request, timestamp now);
  /// Erases the idempotency record unless one of its identifiers is, or was lately, in its caller's hands.
  result<void> purge_record(const identifiers::due_row& row, timestamp now, storage::batch& batch);

  // -- between the issuers of a type (pool_grants.cpp) ----------------------------------------------------------------
  caf::result<void> on_borrow(const borrow_ids& request);
  caf::result<void> on_grant(const grant_ids& grant);
  caf::result<void> on_grant_taken(const grant_taken& answer);
  /// What was on its way when the predecessor ended.
  result<void> load_grants(const storage::view& durable);
  /// For a request that only another issuer can help with: asks one. Always an error; refilling while that may help.
  [[nodiscard]] error borrow(std::uint32_t count);
  /// Whether the request that `borrow` was called for should wait for what it asked for.
  [[nodiscard]] bool should_wait_for_grant();
  void take_grant(const grant_ids& grant);
  void send_grant(std::uint32_t taker);
  void send_grants_again();
  void remind();

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
  /// Keys whose first request has not settled, with their fingerprints.
  std::unordered_map<std::string, std::string> running_;
  std::deque<std::pair<std::uint64_t, std::string>> running_order_;
  std::deque<std::pair<std::uint64_t, timestamp>> decided_; ///< unsettled writes, and a time not after their decision
  std::uint64_t decided_ticket_ = 0;                        ///< the last write that was looked at for this
  timestamp decided_looked_at_{};
  std::optional<std::chrono::nanoseconds> dry_since_;
  std::uint64_t patience_ = 0;
  bool standing_down_ = false;
  struct outgoing_grant {
    identifiers::given_grant grant;
    std::uint64_t ticket = 0; ///< of the write that gives it
  };
  std::vector<outgoing_grant> given_; ///< by taker; of an only issuer: none
  bool asked_ = false;                ///< the request at hand waits for another issuer
  std::optional<std::chrono::nanoseconds> asked_at_, lacking_since_;
  std::uint64_t asks_ = 0;
  bool reminder_set_ = false;
};

} // namespace matricula::actors

/// The only writer of its identifier type: hands out, confirms, takes back, revokes, expires.
#pragma once
#include "actors/answers.hpp"
#include "actors/identifiers/type_context.hpp"
#include "actors/tenured_actor.hpp"
#include "domain/identifiers/pool.hpp"
#include "storage/id_ledger.hpp"
#include "storage/idempotency.hpp"

#include <caf/result.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace matricula::actors {

class pool_actor final : public tenured_actor, private identifiers::pool_rows {
public:
  pool_actor(caf::actor_config& cfg, runtime::child_context context, std::shared_ptr<const type_context> shared);

  caf::behavior make_behavior() override;
  void on_exit() override;
  [[nodiscard]] std::string describe() const override;

private:
  // pool_rows
  result<std::optional<identifiers::id_record>> record(std::uint64_t counter) override;
  result<std::uint64_t> released_at(std::uint64_t slot) override;
  result<std::optional<std::uint64_t>> imported_at(std::string_view id) override;

  caf::behavior loading();
  caf::behavior serving();
  void load() override;

  caf::result<void> on_issue(const issue_ids& request);
  caf::result<void> on_change(const change_id& request);
  caf::result<void> on_proposal(const propose& proposal);
  caf::result<void> on_due(const apply_due& order);
  caf::result<void> on_reclaim(const reclaim_ids& order);
  caf::result<void> on_import(const import_ids& request);

  result<void> issue(const issue_ids& request, timestamp now);
  result<issue_answer> replay(const issue_ids& request, std::string_view stored, timestamp now);
  result<void> change(const change_id& request, timestamp now);
  result<void> reclaim(const reclaim_ids& order, timestamp now);
  /// Bytes of the rows of the index that list these identifiers: each is written again. What would make it too much for
  /// one write is taken off the end.
  result<std::size_t> index_rows_of(std::vector<identifiers::due_entry>& entries);
  result<void> import(const import_ids& request, timestamp now);
  /// The counter of an identifier that has a record, wherever it came from; nothing for one that has none.
  result<std::optional<std::uint64_t>> counter_of(std::string_view id);
  /// Of what a walk found, without the imported ones.
  std::vector<identifiers::candidate> without_imported(const propose& proposal);
  /// Erases the idempotency record unless one of its identifiers is, or was lately, in its caller's hands.
  result<void> purge_record(const identifiers::due_row& row, timestamp now, storage::batch& batch);

  /// Everything that a decision changes, and its row of the audit trail: the one way in which rows of the type come
  /// into a batch.
  void put(storage::batch& batch, identifiers::pool_changes& changes, const storage::asker& who);
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
  // -- VIDs of holders: pool_holders.cpp -----------------------------------------------------------------------------
  caf::result<void> on_vids(const change_vids& request);
  result<void> change_held(const change_vids& request, timestamp now);
  result<identifiers::holder> holder_named(std::string_view name);
  result<identifiers::holder> holder_and_place(const change_vids& request, std::size_t& place);
  result<identifiers::vid_plan> plan_of(const change_vids& request, const identifiers::holder& of, std::size_t place,
                                        timestamp now) const;
  result<vid_answer> replay_held(const change_vids& request, std::string_view stored, timestamp now);
  /// What carries a plan out, decided and not yet written: the caller may add to the batch.
  struct carried {
    storage::permit room;
    storage::batch batch;
    identifiers::holder of; ///< afterwards
    std::optional<identifiers::held_vid> fresh;
  };
  /// Errors: refilling (wait and try again), and what reserve, issue and the rows' own give. Then nothing has happened.
  result<carried> carry(identifiers::holder of, const identifiers::vid_plan& plan, const request_context& who,
                        const trace_context& trace, const std::string& ref, timestamp now);
  /// A plain revocation of a VID that a policy made. False: it is none, or there is nothing to end.
  result<bool> revoke_held(const change_id& request, timestamp now);
  /// Tells the holders' rows what became due: their VIDs expired, or left their cool-off.
  void note_due(const identifiers::pool_changes& changes, storage::batch& batch);
  /// The identifiers that an idempotency record answers with.
  static result<identifiers::issued_ids> answered_with(const storage::idempotency::record& kept);

  /// The stored answer to this key, if it was used before. Errors: idempotency_mismatch or idempotency_running while
  /// the first request under it has not settled.
  result<std::optional<std::string>> known_answer(const std::string& ref, const std::string& fingerprint);
  /// From now on and until the last write has settled, the key is running.
  void note_running(const std::string& ref, const std::string& fingerprint);

  /// Whether the request should wait for the refill that is on its way.
  [[nodiscard]] bool should_wait(std::uint32_t count);
  void tell_level(std::uint64_t wanted = 0);
  /// Says up to when everything that was decided here is durable, so that the due index's floor passes no row on its
  /// way.
  void tell_decided();
  /// Answers what may rest on writes that have not settled yet: after them.
  template <class T>
  void answer_settled(const runtime::reply_to<T>& reply, result<T> answer) {
    part_->after_settled(when_durable(reply, std::move(answer), advice_on_identifiers));
  }
  [[nodiscard]] std::string idempotency_key(std::string_view ref) const;
  [[nodiscard]] bool deadline_passed(const request_context& context) const;

  std::shared_ptr<const type_context> cx_;
  std::unique_ptr<random_source> random_;
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

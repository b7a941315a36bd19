/// The clients of the simulated node: what they ask next, and what still waits for its answer.
#pragma once
#include "foundation/random.hpp"
#include "test/sim/audit_check.hpp"
#include "test/sim/model.hpp"
#include "test/sim/node.hpp"
#include "test/sim/store_check.hpp"

#include <map>
#include <string>
#include <vector>

namespace matricula::sim {

class client {
public:
  client(random_source& random, model& known) : random_(random), model_(known), keys_(sim_types().size()) {}

  /// Sends one request of any kind.
  void ask(node& to, timestamp now, std::int64_t now_ns);
  /// One identifier, without key, deadline or expiry.
  void ask_for_one(node& to, std::size_t type, timestamp now);
  /// Repeats a request under a key that was used before, unchanged. False when there is none.
  bool repeat(node& to, std::size_t type, timestamp now);
  void run_expirer(node& to, std::size_t type, timestamp now);

  /// Which distrust of the clock there is; 0: none.
  void clock_held(std::uint64_t hold) noexcept { hold_ = hold; }

  /// Tells the model of every answer that has arrived, and `note` of a number that stands for it.
  template <class Note>
  void collect(node& from, timestamp now, std::int64_t now_ns, bool storage_failed, findings& found, Note note);
  /// The node is gone; nobody will answer.
  void forget() { issues_.clear(), changes_.clear(), expiries_.clear(); }

  [[nodiscard]] std::size_t waiting() const noexcept { return issues_.size() + changes_.size() + expiries_.size(); }
  /// What has waited longest, in words.
  [[nodiscard]] std::string oldest() const;
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  /// What the audit trail must name.
  [[nodiscard]] const acknowledged_steps& steps() const noexcept { return steps_; }
  /// The node was restored: only these were acknowledged.
  void assume(const acknowledged_steps& steps) { steps_ = steps; }
  [[nodiscard]] std::uint64_t deadlines_expired() const noexcept { return deadlines_expired_; }
  /// How the last `ask_for_one` of the type was answered: empty when it was met.
  [[nodiscard]] const std::optional<errc>& last_refusal(std::size_t type) const { return last_refusal_.at(type); }
  [[nodiscard]] bool last_run_succeeded(std::size_t type) const { return last_run_.at(type); }

private:
  template <class Call, class Cell>
  struct waiting_for {
    Call call;
    Cell cell;
  };
  void ask_for_ids(node& to, timestamp now, std::int64_t now_ns);
  void ask_for_change(node& to, timestamp now, std::int64_t now_ns);
  void send(node& to, issue_call call);
  [[nodiscard]] std::int64_t some_deadline(std::int64_t now_ns);
  [[nodiscard]] issue_call new_issue(std::size_t type, timestamp now);

  random_source& random_;
  model& model_;
  acknowledged_steps steps_;
  std::uint64_t sent_ = 0;
  std::uint64_t deadlines_expired_ = 0;
  std::uint64_t payloads_ = 0;
  std::uint64_t hold_ = 0;
  std::vector<waiting_for<issue_call, node::issue_cell>> issues_;
  std::vector<waiting_for<change_call, node::change_cell>> changes_;
  std::vector<waiting_for<expiry_call, node::expiry_cell>> expiries_;
  std::vector<std::vector<issue_call>> keys_; ///< by type: every request under a key
  std::map<std::size_t, std::optional<errc>> last_refusal_;
  std::map<std::size_t, bool> last_run_;
};

template <class Note>
void client::collect(node& from, timestamp now, std::int64_t now_ns, bool storage_failed, findings& found, Note note) {
  const auto code_of = [&](const auto& answer) -> std::uint64_t {
    if (answer) return 0;
    if (answer.error().code == errc::deadline_exceeded) ++deadlines_expired_;
    return 1 + static_cast<std::uint64_t>(answer.error().code);
  };
  std::erase_if(issues_, [&](const auto& w) {
    if (!w.cell->ready()) return false;
    const auto& answer = w.cell->value();
    note(code_of(answer));
    if (answer)
      for (std::size_t i = 0; i < answer->issued.ids.size(); ++i)
        note(std::stoull(answer->issued.ids[i]) << 8 | answer->issued.assignments[i]);
    if (w.call.key.empty() && w.call.count == 1)
      last_refusal_[w.call.type] = answer ? std::optional<errc>{} : answer.error().code;
    if (answer) steps_.add(w.call, *answer);
    model_.answered(w.call, answer, now, now_ns, storage_failed);
    return true;
  });
  std::erase_if(changes_, [&](const auto& w) {
    if (!w.cell->ready()) return false;
    note(code_of(w.cell->value()));
    if (w.cell->value()) steps_.add(w.call, *w.cell->value());
    model_.answered(w.call, w.cell->value(), now, now_ns, storage_failed);
    return true;
  });
  std::erase_if(expiries_, [&](const auto& w) {
    if (!w.cell->ready()) return false;
    const auto& answer = w.cell->value();
    note(code_of(answer));
    if (answer) note(answer->expired << 32 | answer->released << 16 | answer->retired);
    last_run_[w.call.type] = answer.has_value();
    stored_rows rows;
    if (answer && from.fatal().empty())
      rows = read_rows(*from.durable(), from.parts(w.call.type)[w.call.issuer], found);
    model_.answered(w.call, answer, rows, hold_);
    return true;
  });
}

} // namespace matricula::sim

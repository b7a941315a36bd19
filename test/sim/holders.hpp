/// Holders of VIDs and what the outside knows of them: who asked for what, what was acknowledged, and what must
/// therefore be true of their rows and records.
#pragma once
#include "foundation/random.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/node.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::sim {

/// The type that holders draw from; nobody else issues of it.
[[nodiscard]] std::size_t holders_type();
/// One that replaces itself, one with a time, one with few transactions, one that is replaced when it is used.
[[nodiscard]] const identifiers::vid_policies& sim_policies();

class holders {
public:
  holders(random_source& random, findings& found) : random_(random), found_(found) {}

  /// Sends one request of any kind.
  void ask(node& to, timestamp now, std::int64_t now_ns);
  /// A creation that must be met once faults are over; false when none was needed because it waits already.
  void ask_for_one(node& to, timestamp now);
  [[nodiscard]] bool last_was_met() const noexcept { return last_was_met_; }
  /// Learns from every answer that has arrived, and tells `note` of a number that stands for it.
  template <class Note>
  void collect(timestamp now, std::int64_t now_ns, bool storage_failed, Note note) {
    std::erase_if(waiting_, [&](const waiting& w) {
      if (!w.cell->ready()) return false;
      const auto& answer = w.cell->value();
      note(answer ? answer->of.vids.size() : 100 + static_cast<std::uint64_t>(answer.error().code));
      answered(w.what, answer, now, now_ns, storage_failed);
      return true;
    });
  }
  /// The node is gone; nobody will answer.
  void forget() { waiting_.clear(); }
  /// Compares the durable rows with each other, with the policies and with what was acknowledged.
  void check(const storage::view& durable, const storage::id_partition& part, timestamp now);

  [[nodiscard]] std::size_t waiting_for_answers() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::uint64_t made() const noexcept { return made_; }
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }

private:
  struct call {
    actors::change_vids message;
    std::string key;
    timestamp sent_at;
  };
  struct waiting {
    call what;
    node::vid_cell cell;
  };
  /// One assignment of a VID that some answer named.
  struct vid {
    std::string id;
    std::string policy;
    bool ended = false;                ///< an answer said so
    std::optional<std::uint32_t> left; ///< the fewest transactions that an answer left it with
    std::set<std::uint32_t> spent;     ///< what uses of their own were answered with
  };
  using name = std::pair<std::uint64_t, std::uint32_t>; ///< counter, assignment
  struct key_state {
    call first;
    std::optional<identifiers::holder> answer;
    timestamp not_before{}; ///< it was carried out then or later
  };

  void send(node& to, call what);
  [[nodiscard]] call some_call();
  void answered(const call& what, const result<actors::vid_answer>& answer, timestamp now, std::int64_t now_ns,
                bool storage_failed);
  void learn(const call& what, const actors::vid_answer& answer);
  void refused(const call& what, const error& why, std::int64_t now_ns, bool storage_failed);

  random_source& random_;
  findings& found_;
  std::vector<waiting> waiting_;
  std::map<name, vid> vids_;
  std::vector<name> targets_; ///< in the order in which they were learned
  std::map<std::string, key_state> keys_;
  std::uint64_t sent_ = 0, acknowledged_ = 0, made_ = 0, used_ = 0;
  bool last_was_met_ = false;
};

} // namespace matricula::sim

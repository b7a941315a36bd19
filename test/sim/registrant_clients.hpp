/// Registrants in the simulation: who creates them, the generator of another system from which they get their IDs, and
/// what the outside knows of both.
#pragma once
#include "domain/registrants/id_generator.hpp"
#include "foundation/random.hpp"
#include "test/sim/findings.hpp"
#include "test/sim/node.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace matricula::sim {

/// A generator that does not know requests again, fails as it likes, and loses answers. It outlives the node.
class sim_generator final : public registrants::id_generator {
public:
  explicit sim_generator(random_source& random) : random_(random) {}
  [[nodiscard]] registrants::generator_answer issue(std::string_view request) override;
  [[nodiscard]] registrants::generator_answer confirm(std::string_view id) override;
  [[nodiscard]] bool knows_requests() const noexcept override { return false; }

  /// By request: what it has given out, answered or not.
  std::map<std::string, std::set<std::string>, std::less<>> given;
  std::uint64_t calls = 0, answers_lost = 0;
  bool in_order = false; ///< nothing fails any more

private:
  random_source& random_;
  std::uint64_t issued_ = 0;
};

class registrant_clients {
public:
  registrant_clients(random_source& random, findings& found)
      : random_(random), found_(found), generator_(std::make_shared<sim_generator>(random)) {}

  /// Something that a client or an operator does.
  void ask(node& to);
  /// Whoever is called answers one of the calls on their way. False when there is none.
  bool answer_a_call();
  void learn(bool storage_failed);
  /// The node goes: calls on their way had their effect or not, and nobody hears of it. @pre it is still there
  void node_ends();
  /// It came back from a backup: what came after it is not there.
  void restored();
  void check(const storage::view& durable);
  /// Faults are over: the generator works.
  void put_in_order(bool on) { generator_->in_order = on; }
  /// Registrants that have no confirmed ID yet, in durable rows; asks again for them.
  [[nodiscard]] std::uint64_t unfinished(node& at);

  [[nodiscard]] const std::shared_ptr<sim_generator>& generator() const noexcept { return generator_; }
  /// For a node that begins its life: where its calls go. What it still wants when it has gone nobody hears.
  [[nodiscard]] std::function<void(std::function<void()>)> blocking_work() {
    node_lives_ = true;
    return [this](std::function<void()> work) {
      if (node_lives_) calls_.push_back(std::move(work));
    };
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return asked_.size(); }
  [[nodiscard]] std::uint64_t created() const noexcept { return known_.size(); }
  [[nodiscard]] std::uint64_t in_doubt() const noexcept { return most_in_doubt_; }

private:
  template <class T>
  using cell = std::shared_ptr<runtime::reply_cell<T>>;

  random_source& random_;
  findings& found_;
  std::shared_ptr<sim_generator> generator_;
  std::deque<std::function<void()>> calls_;
  bool node_lives_ = false;
  std::vector<cell<std::vector<actors::created_registrant>>> asked_;
  std::set<std::uint64_t> known_;                   ///< that were acknowledged
  std::map<std::uint64_t, std::string> unique_ids_; ///< as they were seen
  std::uint64_t sent_ = 0, most_in_doubt_ = 0;
};

} // namespace matricula::sim

/// Drops rows of the journals that are older than their retention, on a schedule, some at a time.
#pragma once
#include "actors/messages.hpp"
#include "runtime/supervised_actor.hpp"
#include "storage/journal.hpp"
#include "storage/notebook.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace matricula::actors {

struct journal_keeper_options {
  storage::commit_log* log = nullptr; ///< lives longer than the actor
  decision_clock* time = nullptr;     ///< likewise
  milliseconds retention{0};          ///< 0 = for ever: nothing is dropped
  std::vector<storage::journal::chain> chains;
};

class journal_keeper final : public runtime::supervised_actor {
public:
  static constexpr std::size_t rows_in_a_write = 500;

  journal_keeper(caf::actor_config& cfg, runtime::child_context context, journal_keeper_options options);

  caf::behavior make_behavior() override;
  [[nodiscard]] std::string describe() const override;

private:
  void next_write();

  journal_keeper_options options_;
  /// By chain. Another writer than the journal's own: it touches other rows, those at the beginning.
  std::vector<std::unique_ptr<storage::notebook>> notes_;
  std::uint64_t run_ = 0;
  bool running_ = false;
  std::size_t at_ = 0; ///< the chain that is being cut
  timestamp before_;
  std::uint64_t dropped_ = 0;
};

} // namespace matricula::actors

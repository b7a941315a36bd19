/// Clients of the simulated node that load identifiers issued elsewhere: new ones, repeated ones, such as lie in the
/// pool, such as were issued here, and such as break the rules; and what must be true of them from then on.
#pragma once
#include "foundation/random.hpp"
#include "test/sim/model.hpp"
#include "test/sim/node.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace matricula::sim {

class imports {
public:
  imports(random_source& random, findings& found) : random_(random), found_(found), types_(sim_types().size()) {}

  /// Sends one import of a few identifiers. They are in a state that they never leave by themselves, so that none of
  /// them may ever be issued.
  void ask(node& to, model& known);
  /// Looks at every answer that has arrived. @return a number that stands for them
  std::uint64_t collect(bool storage_failed);
  /// The node is gone; nobody will answer.
  void forget() { waiting_.clear(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  /// The node is restored from a backup, with what the lost disk had. @param taken_over by type
  void restored(const imports& at_backup, const std::vector<std::set<std::string>>& taken_over);

  /// Whether everything that was acknowledged is there, nothing of it was issued, and nothing else is there.
  void check(std::size_t type, const stored_rows& rows) const;

  [[nodiscard]] std::uint64_t loaded() const noexcept { return loaded_; }
  [[nodiscard]] std::uint64_t repeated() const noexcept { return repeated_; }
  [[nodiscard]] std::uint64_t in_conflict() const noexcept { return in_conflict_; }
  /// Loaded ones that had been issued here before, and were available again.
  [[nodiscard]] std::uint64_t of_returned() const noexcept { return of_returned_; }

private:
  struct type_state {
    std::set<std::string> sent;         ///< may be there
    std::set<std::string> acknowledged; ///< must be there
  };
  struct request {
    std::size_t type = 0;
    std::vector<std::string> ids;
    std::vector<bool> issued_before; ///< of each, as far as somebody was told
    node::import_cell cell;
  };
  [[nodiscard]] std::string some_id(const node& to, const model& known, std::size_t type);
  void learn(const request& asked, const std::vector<identifiers::import_verdict>& verdicts);

  random_source& random_;
  findings& found_;
  std::vector<type_state> types_;
  std::vector<request> waiting_;
  std::uint64_t loaded_ = 0, repeated_ = 0, in_conflict_ = 0, of_returned_ = 0, foreign_ = 0;
};

} // namespace matricula::sim

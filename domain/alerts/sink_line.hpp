/// The notices that wait for one sink, and when the next one is tried. Bounded: repeats go first, then whole stories of
/// alerts that are over; the first notice and the recovery of what is open are never dropped. Pure: time and randomness
/// come in.
#pragma once
#include "domain/alerts/alert.hpp"
#include "domain/tasks/retry_policy.hpp"
#include "foundation/random.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace matricula::alerts {

/// How a try to pass a notice on has ended.
struct delivery {
  enum class outcome : std::uint8_t {
    done,
    failed, ///< to be tried again
    refused ///< this one, for good
  };
  outcome how = outcome::done;
  std::string why; ///< a sentence without what was sent, addresses and secrets; empty when it is done
};

class sink_line {
public:
  using nanoseconds = std::chrono::nanoseconds;

  /// @param waiting_max notices, 1 or more @param retry its back-off is used, its number of tries is not: it never ends
  sink_line(std::size_t waiting_max, tasks::retry_policy retry) : waiting_max_(waiting_max), retry_(retry) {}

  /// A repeat takes the place of an earlier one of its alert, and a recovery that of a repeat. A first notice or a
  /// recovery that waits already is not added again.
  void add(notice n);
  /// The notice whose turn it is, or null when there is none or its time has not come. It stays in front until
  /// `settle`.
  [[nodiscard]] const notice* begin(nanoseconds now);
  /// How the one that was begun has ended. @param now after the try
  void settle(const delivery& how, nanoseconds now, random_source& random);
  /// When something is to be done next; nothing while nobody waits.
  [[nodiscard]] std::optional<nanoseconds> next_at() const;
  /// Stories that were dropped since the last call: what is owed of them never comes.
  [[nodiscard]] std::vector<notice> take_dropped() { return std::exchange(dropped_, {}); }

  struct state {
    std::size_t waiting = 0;
    std::uint64_t sent = 0;
    std::uint64_t failed = 0; ///< tries
    std::uint64_t refused = 0;
    std::uint64_t dropped = 0;
    std::uint32_t failures_in_a_row = 0; ///< tries since one was done, refused ones, too
    nanoseconds failing_since{0};        ///< of the first of them
  };
  [[nodiscard]] const state& now() const noexcept { return state_; }

private:
  void shrink();

  std::size_t waiting_max_;
  tasks::retry_policy retry_;
  std::deque<notice> waiting_;
  bool begun_ = false; ///< the front one
  nanoseconds not_before_{0};
  std::vector<notice> dropped_;
  state state_;
};

} // namespace matricula::alerts

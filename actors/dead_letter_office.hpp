/// Keeps the messages that crashed their actor, durably, and sends them again when an operator says so.
#pragma once
#include "foundation/random.hpp"
#include "runtime/dead_letters.hpp"
#include "storage/dead_letters.hpp"
#include "storage/notebook.hpp"

#include <caf/fwd.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::runtime {
class registry;
}

namespace matricula::actors {

/// A dead letter with its id, as kept.
struct kept_letter {
  std::string id;
  runtime::dead_letter letter;
  bool replayed = false;
};

class dead_letter_office final : public runtime::dead_letter_sink {
public:
  /// @param cap letters kept per actor and message type; further ones are counted.
  /// @param random for the letters' ids
  dead_letter_office(storage::commit_log& log, std::uint64_t cap,
                     std::unique_ptr<random_source> random = std::make_unique<secure_random>());

  /// For replays: where actors are found. Call it when the actor system is there, and with nulls before it goes.
  void connect(caf::actor_system* system, const runtime::registry* actors);
  void set_cap(std::uint64_t cap) noexcept { cap_.store(cap, std::memory_order_relaxed); }

  void keep(runtime::dead_letter letter) noexcept override;
  /// Letters that could not be written since the start.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

  struct page {
    std::vector<kept_letter> letters; ///< oldest first
    std::string next;                 ///< empty at the end
  };
  [[nodiscard]] result<page> list(std::string_view after, std::size_t limit) const;
  /// Errors: not_found.
  [[nodiscard]] result<kept_letter> find(std::string_view id) const;
  /// Notes that it was replayed and, once that is durable, sends it to its actor: it is sent at most once, whatever
  /// ends in between. The letter stays until it is discarded. Errors: not_found, conflict (replayed already, being
  /// replayed, or not replayable), unavailable, outcome_unknown (the note was not durable in time; it may still be
  /// sent).
  [[nodiscard]] result<void> replay(std::string_view id, std::chrono::milliseconds at_most);
  /// Errors: not_found, unavailable, outcome_unknown.
  [[nodiscard]] result<void> discard(std::string_view id, std::chrono::milliseconds at_most);

private:
  void send_again(const kept_letter& letter) noexcept;

  std::atomic<std::uint64_t> cap_;
  std::atomic<std::uint64_t> lost_{0};
  mutable std::mutex mutex_;
  std::unique_ptr<random_source> random_;
  std::set<std::string, std::less<>> replaying_;
  caf::actor_system* system_ = nullptr;
  const runtime::registry* actors_ = nullptr;
  storage::notebook notes_; ///< ends first: what it still has to say needs the rest
};

} // namespace matricula::actors

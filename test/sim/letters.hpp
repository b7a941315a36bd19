/// What the outside knows of the dead letters: every message that crashed an actor, what an operator did with the
/// letters, and what must therefore be in the store.
#pragma once
#include "actors/dead_letter_office.hpp"
#include "runtime/dead_letters.hpp"
#include "storage/view.hpp"
#include "test/sim/findings.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::sim {

class letters {
public:
  /// Letters that the office keeps per actor and type of message: so few that some are only counted.
  static constexpr std::uint64_t cap = 4;

  explicit letters(findings& found) : found_(found) {}

  // -- one life -------------------------------------------------------------------------------------------------------
  void life_begins(const storage::view& durable);
  /// Whatever the dying node still says counts for nothing.
  void life_ends() noexcept { alive_ = false; }

  /// An actor crashed on a message.
  void crashed(const runtime::dead_letter& letter);
  /// @param there_is_an_actor at the path where the message crashed one: not while all around it is started again
  void asked_to_replay(const std::string& id, const result<void>& answer, bool there_is_an_actor);
  void asked_to_discard(const std::string& id, const result<void>& answer);

  /// Compares the durable letters with what is known.
  void check(const storage::view& durable);
  /// The same when nothing is on its way: every crash of this life is kept or counted. @param lost as the office says
  void check_at_rest(const storage::view& durable, std::uint64_t lost);

  [[nodiscard]] std::uint64_t crashes() const noexcept { return crashed_; }
  /// The durable letter of the message that crashed its actor last; nothing when that was only counted.
  [[nodiscard]] std::optional<std::string> latest() const;
  [[nodiscard]] std::uint64_t kept() const noexcept { return known_.size(); }
  [[nodiscard]] std::uint64_t counted_only() const noexcept { return counted_only_; }
  [[nodiscard]] std::uint64_t replayed() const noexcept { return replayed_; }
  [[nodiscard]] std::uint64_t refused_replays() const noexcept { return refused_replays_; }
  [[nodiscard]] std::uint64_t discarded() const noexcept { return discarded_; }

private:
  using source = std::pair<std::string, std::string>; ///< actor and reason
  struct known_letter {
    std::string whole; ///< everything but its id and state, as bytes
    std::string payload;
    source from;
    bool replayable = false;
    bool replay_asked = false;
    bool marked = false; ///< replayed, durably
    bool discard_asked = false;
    bool discard_answered = false;
    bool gone = false;
  };
  struct tally {
    std::uint64_t crashed = 0; ///< in this life
    std::uint64_t before = 0;  ///< kept, counted or discarded when this life began
    std::uint64_t gone = 0;    ///< of the kept ones, ever
    std::uint64_t dropped = 0; ///< as last seen
  };
  [[nodiscard]] std::uint64_t total(const storage::view& durable, const source& from, const tally& t);

  findings& found_;
  bool alive_ = false;
  std::set<std::string> crashes_;                   ///< everything that could be a letter, as bytes
  std::map<std::string, std::uint64_t> by_payload_; ///< crashes of replayable messages
  std::map<std::string, std::uint64_t> replays_;    ///< by payload: letters that an operator had sent again
  std::map<std::string, known_letter> known_;       ///< by id, those ever seen to be durable
  std::map<source, tally> tallies_;
  std::string latest_payload_;
  std::uint64_t crashed_ = 0;
  std::uint64_t counted_only_ = 0;
  std::uint64_t replayed_ = 0;
  std::uint64_t refused_replays_ = 0;
  std::uint64_t discarded_ = 0;
};

/// Notes every letter on its way to the office.
class watched_letters final : public runtime::dead_letter_sink {
public:
  watched_letters(letters& known, actors::dead_letter_office& office) : known_(known), office_(office) {}
  void keep(runtime::dead_letter letter) noexcept override {
    known_.crashed(letter);
    office_.keep(std::move(letter));
  }

private:
  letters& known_;
  actors::dead_letter_office& office_;
};

} // namespace matricula::sim

#include "actors/dead_letter_office.hpp"

#include "foundation/bytes.hpp"
#include "foundation/log.hpp"
#include "runtime/message_codec.hpp"
#include "runtime/registry.hpp"

#include <fmt/format.h>

namespace matricula::actors {

namespace letters = storage::dead_letters;

namespace {

constexpr storage::shard_id letters_shard{0};
constexpr std::size_t reason_bytes_max = 1'000;

/// What went wrong may quote the message: it is kept with the payload, not with the summary that tools print.
std::string pack(const runtime::dead_letter& l) {
  byte_writer out;
  out.text(std::string_view(l.reason).substr(0, reason_bytes_max))
      .varint(l.generation)
      .varint(l.size_bytes)
      .raw(l.payload);
  return std::move(out).str();
}

kept_letter unpack(letters::letter&& l) {
  kept_letter out;
  out.id = std::move(l.id);
  out.replayed = l.now == letters::state::replayed;
  byte_reader in{l.payload};
  out.letter.reason = in.text();
  out.letter.generation = in.varint();
  out.letter.size_bytes = in.varint();
  out.letter.payload = in.rest();
  out.letter.actor_path = std::move(l.actor);
  out.letter.at = l.at;
  out.letter.message_type = std::move(l.message_type);
  out.letter.replayable = l.replayable;
  out.letter.trace = std::move(l.trace);
  return out;
}

} // namespace

dead_letter_office::dead_letter_office(storage::commit_log& log, std::uint64_t cap,
                                       std::unique_ptr<random_source> random)
    : cap_(cap), random_(std::move(random)), notes_(log, letters_shard, "dead letters") {}

void dead_letter_office::connect(caf::actor_system* system, const runtime::registry* actors) {
  const std::lock_guard guard(mutex_);
  system_ = system;
  actors_ = actors;
}

void dead_letter_office::keep(runtime::dead_letter letter) noexcept {
  letters::letter kept;
  {
    const std::lock_guard guard(mutex_);
    kept.id = make_ulid(letter.at.time_since_epoch().count(), *random_);
  }
  kept.at = letter.at;
  kept.actor = letter.actor_path;
  kept.reason = "handler_failed:" + letter.message_type;
  kept.message_type = letter.message_type;
  kept.summary = fmt::format("a handler of generation {} failed on a message of about {} bytes", letter.generation,
                             letter.size_bytes);
  kept.replayable = letter.replayable;
  kept.trace = letter.trace;
  kept.payload = pack(letter);
  notes_.write(
      [l = std::move(kept), cap = cap_.load(std::memory_order_relaxed)](const storage::view& rows,
                                                                        storage::batch& to) mutable -> result<void> {
        const auto put = letters::put(rows, to, std::move(l), cap);
        if (!put) return std::unexpected(put.error());
        return {};
      },
      [this, path = std::move(letter.actor_path)](result<void> how) noexcept {
        if (how) return;
        lost_.fetch_add(1, std::memory_order_relaxed);
        log::error("dead_letter.lost", how.error().message, {{"actor", path}});
      });
}

result<dead_letter_office::page> dead_letter_office::list(std::string_view after, std::size_t limit) const {
  const auto rows = notes_.rows();
  if (!rows) return std::unexpected(rows.error());
  auto found = letters::list(**rows, letters_shard, after, limit);
  if (!found) return std::unexpected(found.error());
  page out;
  for (auto& l : found->letters) out.letters.push_back(unpack(std::move(l)));
  out.next = std::move(found->next);
  return out;
}

result<kept_letter> dead_letter_office::find(std::string_view id) const {
  const auto rows = notes_.rows();
  if (!rows) return std::unexpected(rows.error());
  auto found = letters::get(**rows, letters_shard, id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(errc::not_found, "There is no dead letter of this id.");
  return unpack(std::move(**found));
}

result<void> dead_letter_office::replay(std::string_view id, std::chrono::milliseconds at_most) {
  {
    const std::lock_guard guard(mutex_);
    if (!replaying_.emplace(id).second) return fail(errc::conflict, "This dead letter is being replayed.");
  }
  const auto end = [this, id = std::string(id)] {
    const std::lock_guard guard(mutex_);
    replaying_.erase(id);
  };
  // Read only now: whoever replayed it before has noted that.
  auto kept = find(id);
  auto may = kept ? result<void>{} : std::unexpected(kept.error());
  if (may && kept->replayed) may = fail(errc::conflict, "This dead letter was replayed already.");
  if (may) {
    const std::lock_guard guard(mutex_);
    may = system_ ? runtime::check_replay(*system_, *actors_, kept->letter)
                  : fail(errc::unavailable, "The node is stopping.");
  }
  if (!may) {
    end();
    return may;
  }
  return notes_.write_and_wait(
      [id = std::string(id)](const storage::view& rows, storage::batch& to) {
        return letters::mark_replayed(rows, to, id);
      },
      at_most,
      [this, end, letter = std::move(*kept)](result<void> how) noexcept {
        if (how) send_again(letter);
        end();
      });
}

void dead_letter_office::send_again(const kept_letter& kept) noexcept {
  result<void> how = fail(errc::unavailable, "The node is stopping.");
  {
    const std::lock_guard guard(mutex_);
    if (system_) how = runtime::replay(*system_, *actors_, kept.letter);
  }
  if (how)
    log::info("dead_letter.replayed", "A dead letter was sent to its actor again.",
              {{"actor", kept.letter.actor_path}, {"message_type", kept.letter.message_type}}, &kept.letter.trace);
  else
    log::error("dead_letter.not_sent", "It is marked as replayed but was not sent: " + how.error().message,
               {{"actor", kept.letter.actor_path}, {"id", kept.id}});
}

result<void> dead_letter_office::discard(std::string_view id, std::chrono::milliseconds at_most) {
  return notes_.write_and_wait(
      [id = std::string(id)](const storage::view& rows, storage::batch& to) { return letters::erase(rows, to, id); },
      at_most);
}

} // namespace matricula::actors

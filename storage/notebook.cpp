#include "storage/notebook.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace matricula::storage {

/// Shared with the completions, which may come after the notebook has gone.
struct notebook::desk : std::enable_shared_from_this<notebook::desk> {
  struct job {
    composer compose;
    completion<result<void>> settled;
  };
  desk(commit_log& l, shard_id s) : log(l), shard(s) {}

  commit_log& log;
  const shard_id shard;
  std::mutex mutex;
  std::optional<result<tenure>> held;
  std::deque<job> waiting;
  bool writing = false;
  bool closed = false;

  /// Writes what waits until something is under way. Completions come on the log's thread, which calls this again.
  void go_on() {
    for (;;) {
      std::optional<job> next;
      {
        const std::lock_guard guard(mutex);
        if (!held || writing || waiting.empty()) return;
        next = std::move(waiting.front());
        waiting.pop_front();
        writing = true;
      }
      if (begin(*next)) return;
      const std::lock_guard guard(mutex);
      writing = false;
    }
  }

  /// False when the job ended at once.
  bool begin(job& j) {
    const auto end = [&](result<void> how) {
      j.settled(std::move(how));
      return false;
    };
    if (!*held) return end(std::unexpected(held->error()));
    const auto rows = log.read(shard);
    if (!rows) return end(std::unexpected(rows.error()));
    batch b(shard);
    if (auto composed = j.compose(**rows, b); !composed) return end(std::unexpected(composed.error()));
    if (b.empty()) return end({});
    if (!b.fits()) return end(fail(errc::payload_too_large, "A note is larger than one write may be."));
    auto room = log.reserve(**held, b.bytes());
    if (!room) return end(std::unexpected(room.error()));
    log.append(std::move(*room), std::move(b),
               [self = shared_from_this(), settled = std::move(j.settled)](verdict v, position) mutable noexcept {
                 if (v == verdict::durable)
                   settled({});
                 else if (v == verdict::fenced)
                   settled(fail(errc::unavailable, "Somebody else writes these rows now."));
                 else
                   settled(fail(errc::outcome_unknown, "The write failed midway and may or may not have been done."));
                 {
                   const std::lock_guard guard(self->mutex);
                   self->writing = false;
                 }
                 self->go_on();
               });
    return true;
  }
};

notebook::notebook(commit_log& log, shard_id shard, std::string partition) : desk_(std::make_shared<desk>(log, shard)) {
  log.acquire(shard, partition, [d = desk_](result<tenure> t) noexcept {
    {
      const std::lock_guard guard(d->mutex);
      d->held = std::move(t);
    }
    d->go_on();
  });
}

notebook::~notebook() {
  std::deque<desk::job> left;
  {
    const std::lock_guard guard(desk_->mutex);
    desk_->closed = true;
    left.swap(desk_->waiting);
  }
  for (auto& j : left) j.settled(fail(errc::unavailable, "The node is stopping."));
}

shard_id notebook::shard() const noexcept { return desk_->shard; }
result<std::shared_ptr<const view>> notebook::rows() const { return desk_->log.read(desk_->shard); }

void notebook::write(composer compose, completion<result<void>> settled) {
  std::unique_lock guard(desk_->mutex);
  if (desk_->closed || desk_->waiting.size() >= waiting_max) {
    guard.unlock();
    return settled(fail(errc::overloaded, "Too many notes are waiting to be written.", std::chrono::seconds(1)));
  }
  desk_->waiting.push_back({std::move(compose), std::move(settled)});
  guard.unlock();
  desk_->go_on();
}

result<void> notebook::write_and_wait(composer compose, std::chrono::milliseconds at_most,
                                      completion<result<void>> settled) {
  struct outcome {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<result<void>> how;
  };
  const auto shared = std::make_shared<outcome>();
  write(std::move(compose), [shared, settled = std::move(settled)](result<void> how) mutable noexcept {
    if (settled) settled(how);
    const std::lock_guard guard(shared->mutex);
    shared->how = std::move(how);
    shared->changed.notify_all();
  });
  std::unique_lock lock(shared->mutex);
  if (!shared->changed.wait_for(lock, at_most, [&] { return shared->how.has_value(); }))
    return fail(errc::outcome_unknown, "The write did not become durable in time; it may still be done.",
                std::chrono::seconds(1));
  return *shared->how;
}

} // namespace matricula::storage

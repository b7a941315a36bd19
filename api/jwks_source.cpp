#include "api/jwks_source.hpp"

#include "foundation/digest.hpp"
#include "foundation/log.hpp"
#include "foundation/random.hpp"
#include "foundation/thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds first_retry{1000};
constexpr std::uint64_t jitter_percent = 10;

/// What is remembered of one set is valid for that set only, also when there are several sources.
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}
} // namespace

struct jwks_source::inside {
  explicit inside(jwks_source_options o) : options(std::move(o)) {}

  const jwks_source_options options;

  mutable std::mutex set_guard; ///< held for a copy or a swap only
  std::shared_ptr<const key_set> keys;
  std::string digest; ///< of the text of `keys`
  steady_clock::time_point read_at = steady_clock::now();
  std::atomic<std::uint64_t> number{0};

  std::mutex reading;            ///< one attempt at a time
  mutable std::mutex guard;      ///< of everything below
  std::condition_variable work;  ///< for the thread: there is something to do
  std::condition_variable ended; ///< for those who wait: an attempt has ended
  bool stopping = false;
  bool asked = false;
  bool last_failed = false;
  std::uint64_t begun_count = 0;
  std::uint64_t ended_count = 0; ///< begun_count, or one less while an attempt runs
  std::uint64_t failures = 0;
  std::uint64_t failures_in_a_row = 0;
  unsigned waiters = 0;
  unsigned early_waiters = 0;
  steady_clock::time_point last_begun;
  jwks_fetch* running = nullptr;
  std::thread thread;
  secure_random random;

  result<void> take_over(const std::string& text);
  result<void> attempt();
  [[nodiscard]] steady_clock::time_point next_turn();
  void go_on();
};

result<void> jwks_source::inside::take_over(const std::string& text) {
  auto digest_now = sha256(text);
  {
    const std::scoped_lock hold(set_guard);
    if (keys && digest_now == digest) {
      read_at = steady_clock::now();
      return {};
    }
  }
  auto parsed = key_set::parse(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  auto fresh = std::make_shared<const key_set>(std::move(*parsed));
  for (const auto& why : fresh->left_out()) log::warning("auth.jwks_key_left_out", why);
  log::info("auth.jwks_changed", "The issuer's key set was taken over.",
            {{"keys", fresh->size()}, {"left_out", fresh->left_out().size()}});
  const std::scoped_lock hold(set_guard);
  keys = std::move(fresh);
  digest = std::move(digest_now);
  read_at = steady_clock::now();
  number.store(next_number(), std::memory_order_release);
  return {};
}

result<void> jwks_source::inside::attempt() {
  const std::scoped_lock one_at_a_time(reading);
  jwks_fetch fetch(options.from);
  {
    const std::scoped_lock hold(guard);
    if (stopping) return fail(errc::unavailable, "The node is stopping.");
    ++begun_count;
    last_begun = steady_clock::now();
    asked = false; // whoever asked until now is served by this attempt
    running = &fetch;
  }
  auto text = fetch.run(options.fetch_at_most);
  auto outcome = text ? take_over(*text) : result<void>(std::unexpected(text.error()));
  const std::scoped_lock hold(guard);
  running = nullptr;
  ++ended_count;
  last_failed = !outcome;
  failures += outcome ? 0 : 1;
  failures_in_a_row = outcome ? 0 : failures_in_a_row + 1;
  if (!outcome && !stopping)
    log::error("auth.jwks_failed", outcome.error().message + " The keys of before, if any, apply.",
               {{"failures_in_a_row", failures_in_a_row}});
  ended.notify_all();
  return outcome;
}

/// When the next attempt is due that nobody asked for. After failures sooner; never at the same time as other nodes.
steady_clock::time_point jwks_source::inside::next_turn() {
  auto wait = options.every;
  if (failures_in_a_row > 0)
    wait = std::min(wait, first_retry * (1 << std::min<std::uint64_t>(failures_in_a_row - 1, 10)));
  const auto part = random.below(jitter_percent * 10 + 1); // in thousandths
  return last_begun + wait - wait * static_cast<int>(part) / 1000;
}

void jwks_source::inside::go_on() {
  name_this_thread("jwks");
  std::unique_lock hold(guard);
  auto due = next_turn();
  for (;;) {
    if (stopping) return;
    const auto when = asked ? std::min(due, last_begun + options.at_least_between) : due;
    if (steady_clock::now() < when) {
      work.wait_until(hold, when);
      continue;
    }
    hold.unlock();
    (void)attempt(); // it logs what went wrong
    hold.lock();
    due = next_turn();
  }
}

jwks_source::jwks_source(jwks_source_options options) : in_(std::make_unique<inside>(std::move(options))) {}
jwks_source::~jwks_source() { stop(); }

result<void> jwks_source::start() {
  auto first = in_->attempt();
  in_->thread = std::thread([in = in_.get()] { in->go_on(); });
  return first;
}

void jwks_source::stop() {
  {
    const std::scoped_lock hold(in_->guard);
    in_->stopping = true;
    if (in_->running) in_->running->stop();
    in_->work.notify_all();
    in_->ended.notify_all();
  }
  if (in_->thread.joinable()) in_->thread.join();
}

jwks_source::numbered_set jwks_source::current() const {
  const std::scoped_lock hold(in_->set_guard);
  return {in_->keys, in_->number.load(std::memory_order_relaxed)};
}

std::uint64_t jwks_source::number() const noexcept { return in_->number.load(std::memory_order_acquire); }

result<void> jwks_source::read_again(std::uint64_t known) {
  auto& in = *in_;
  const auto busy = [] {
    return fail(errc::overloaded, "The token's key is not known yet, and too many wait for the issuer's keys already.",
                first_retry);
  };
  const auto not_had = [] {
    return fail(errc::unavailable, "The token's key is not known, and the issuer's keys cannot be had at present.",
                first_retry);
  };
  const auto deadline = steady_clock::now() + in.options.wait_at_most;
  std::unique_lock hold(in.guard);
  if (number() != known) return {};
  if (in.waiters >= in.options.waiters_max) return busy();
  // An attempt that runs already may have read the set before the key came into it.
  const auto attempt_wanted = in.begun_count + 1;
  ++in.waiters;
  bool early = false;
  const auto leave = [&](result<void> outcome) {
    --in.waiters;
    if (early) --in.early_waiters;
    return outcome;
  };
  for (;;) {
    if (number() != known) return leave({});
    if (in.stopping) return leave(not_had());
    if (in.ended_count >= attempt_wanted) return leave(in.last_failed ? result<void>(not_had()) : result<void>());
    const bool must_pause =
        in.begun_count == in.ended_count && steady_clock::now() < in.last_begun + in.options.at_least_between;
    if (must_pause && !early) {
      if (in.early_waiters >= in.options.early_waiters_max) return leave(busy());
      early = true;
      ++in.early_waiters;
    }
    if (!in.asked) {
      in.asked = true;
      in.work.notify_one();
    }
    if (in.ended.wait_until(hold, deadline) == std::cv_status::timeout && steady_clock::now() >= deadline)
      return leave(number() != known ? result<void>() : result<void>(not_had()));
  }
}

void jwks_source::ask() {
  const std::scoped_lock hold(in_->guard);
  in_->asked = true;
  in_->work.notify_one();
}

result<void> jwks_source::read_now() { return in_->attempt(); }

jwks_source::state jwks_source::now() const {
  state out;
  {
    const std::scoped_lock hold(in_->set_guard);
    out.age = std::chrono::duration_cast<milliseconds>(steady_clock::now() - in_->read_at);
    out.has_set = in_->keys != nullptr;
    out.keys = in_->keys ? in_->keys->size() : 0;
  }
  const std::scoped_lock hold(in_->guard);
  out.failures = in_->failures;
  return out;
}

} // namespace matricula::api

#include "domain/tasks/task.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace matricula::tasks {

namespace {

constexpr std::uint8_t task_version = 1, lease_version = 1;
enum bit : std::uint8_t { has_last_try = 1, has_finished = 2, all_bits = 3 };

constexpr std::array<std::string_view, 6> state_words{"UNKNOWN",   "PENDING", "RUNNING",
                                                      "COMPLETED", "FAILED",  "CANCELLED"};
constexpr std::array<std::string_view, 7> outcome_words{"unknown", "done", "transient", "permanent",
                                                        "not_yet", "lost", "cancelled"};

bool same_word(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
  for (std::size_t i = 1; i < N; ++i)
    if (same_word(words[i], word)) return static_cast<Enum>(i);
  return std::nullopt;
}

template <class Enum, std::size_t N>
std::string_view word_of(const std::array<std::string_view, N>& words, Enum e) noexcept {
  const auto i = static_cast<std::size_t>(e);
  return words[i < N ? i : 0];
}

std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  // Not in the middle of a character.
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return std::string(text.substr(0, bytes_max));
}

void finish(task& t, task_state as, timestamp now) {
  t.state = as;
  t.finished_at = now;
}

void remember_try(task& t, const lease& held, outcome_kind how, std::string error, timestamp now) {
  if (t.history.size() >= task::history_max) {
    // However long it waits for what is not there, what really happened to it stays on record.
    const bool waits = how == outcome_kind::not_yet && t.history.back().ended == how;
    t.history.erase(waits ? std::prev(t.history.end()) : t.history.begin());
  }
  t.history.push_back({t.tries, held.token, held.granted_at, now, how, held.worker, std::move(error)});
}

/// The tries in a row, the latest among them, for which what they need was not there.
std::uint32_t waits_in_a_row(const task& t) {
  const auto other = [](const attempt& a) { return a.ended != outcome_kind::not_yet; };
  return static_cast<std::uint32_t>(std::ranges::find_if(t.history.rbegin(), t.history.rend(), other) -
                                    t.history.rbegin());
}

} // namespace

std::string queue_name(std::string_view worker_type, std::string_view lane) {
  std::string name(worker_type);
  if (!lane.empty()) (name += '.') += lane;
  return name;
}
std::string queue_of(const task& t) { return queue_name(t.worker_type, t.lane); }
bool is_of(const task& t, std::string_view name) { return name == t.worker_type || name == queue_of(t); }

std::string_view to_string(task_state s) noexcept { return word_of(state_words, s); }
std::optional<task_state> parse_task_state(std::string_view word) noexcept {
  return parse<task_state>(state_words, word);
}
std::string_view to_string(outcome_kind k) noexcept { return word_of(outcome_words, k); }
std::optional<outcome_kind> parse_outcome_kind(std::string_view word) noexcept {
  return parse<outcome_kind>(outcome_words, word);
}

void begin_try(task& t, timestamp now) {
  require(t.state == task_state::pending, "only a task that waits is begun");
  t.state = task_state::running;
  ++t.tries;
  t.last_try_at = now;
}

void end_try(task& t, const lease& held, const outcome& how, timestamp now, const retry_policy& policy,
             random_source& random) {
  require(t.state == task_state::running && t.tries > 0, "only a running task's try ends");
  require(how.kind != outcome_kind::cancelled, "who cancels a task ends its try");
  remember_try(t, held, how.kind, how.kind == outcome_kind::done ? "" : cut(how.text, task::error_bytes_max), now);
  if (how.kind == outcome_kind::not_yet) --t.tries;
  t.last_error = t.history.back().error;
  switch (how.kind) {
  case outcome_kind::done:
    t.result = how.text;
    return finish(t, task_state::completed, now);
  case outcome_kind::permanent:
    return finish(t, task_state::failed, now);
  case outcome_kind::not_yet:
    t.state = task_state::pending;
    t.due_at = now + how.try_again.value_or(pause_for_not_yet(policy, random, waits_in_a_row(t)));
    return;
  case outcome_kind::transient:
  case outcome_kind::lost:
  case outcome_kind::cancelled:
    break;
  }
  if (t.tries >= t.tries_max) return finish(t, task_state::failed, now);
  t.state = task_state::pending;
  t.due_at = now + how.try_again.value_or(backoff(policy, t.tries - t.tries_before, random));
}

bool cancel(task& t, const lease* held, timestamp now) {
  if (is_final(t.state)) return false;
  require((held != nullptr) == (t.state == task_state::running), "a running task has a lease, and no other");
  if (held != nullptr) remember_try(t, *held, outcome_kind::cancelled, {}, now);
  finish(t, task_state::cancelled, now);
  return true;
}

bool retry(task& t, std::uint32_t more, timestamp now) {
  if (t.state != task_state::failed && t.state != task_state::cancelled) return false;
  t.state = task_state::pending;
  t.finished_at.reset();
  t.due_at = now;
  t.tries_before = t.tries;
  t.tries_max = t.tries + more;
  return true;
}

std::optional<timestamp> put_off_since(const task& t) {
  std::optional<timestamp> since;
  for (auto a = t.history.rbegin(); a != t.history.rend(); ++a) {
    if (a->ended != outcome_kind::not_yet) return since;
    since = a->ended_at;
  }
  // Earlier tries are not kept.
  return t.history.size() >= task::history_max ? t.queued_at : since;
}

std::string encode(const task& t) {
  byte_writer out;
  out.reserve(96 + t.lane.size() + t.payload.size() + t.result.size() + t.history.size() * 48);
  const auto bits = (t.last_try_at ? has_last_try : 0) | (t.finished_at ? has_finished : 0);
  out.u8(task_version).u8(static_cast<std::uint8_t>(t.state)).u8(t.priority).u8(static_cast<std::uint8_t>(bits));
  out.varint(t.id).text(t.worker_type).text(t.lane).text(t.payload).text(t.unique_key).text(t.queued_by);
  out.varint(to_unix_ms(t.queued_at)).varint(to_unix_ms(t.due_at)).varint(t.rank);
  out.varint(t.tries).varint(t.tries_max).varint(t.tries_before);
  if (t.last_try_at) out.varint(to_unix_ms(*t.last_try_at));
  if (t.finished_at) out.varint(to_unix_ms(*t.finished_at));
  out.text(t.last_error).text(t.result).varint(t.history.size());
  for (const auto& a : t.history) {
    out.varint(a.number).varint(a.token).varint(to_unix_ms(a.started_at)).varint(to_unix_ms(a.ended_at));
    out.u8(static_cast<std::uint8_t>(a.ended)).text(a.worker).text(a.error);
  }
  return std::move(out).str();
}

result<task> decode_task(std::string_view bytes) {
  const auto bad = [](const char* what) { return fail(errc::corrupt, std::string("task: ") + what); };
  byte_reader in{bytes};
  task t;
  const auto version = in.u8();
  const auto state = in.u8();
  t.priority = in.u8();
  const auto bits = in.u8();
  t.id = in.varint();
  t.worker_type = in.text();
  t.lane = in.text();
  t.payload = in.text();
  t.unique_key = in.text();
  t.queued_by = in.text();
  t.queued_at = from_unix_ms(in.varint());
  t.due_at = from_unix_ms(in.varint());
  t.rank = in.varint();
  const auto tries = in.varint(), tries_max = in.varint(), tries_before = in.varint();
  if (bits & has_last_try) t.last_try_at = from_unix_ms(in.varint());
  if (bits & has_finished) t.finished_at = from_unix_ms(in.varint());
  t.last_error = in.text();
  t.result = in.text();
  const auto count = in.varint();
  if (!in.ok() || version != task_version) return bad("unknown version or cut short");
  if (state == 0 || state >= state_words.size() || t.priority > task::priority_lowest || bits > all_bits ||
      tries > UINT32_MAX || tries_max > UINT32_MAX || tries_before > tries || count > task::history_max)
    return bad("a value out of range");
  t.state = static_cast<task_state>(state);
  if (is_final(t.state) != t.finished_at.has_value()) return bad("it has ended without a time, or has not and has one");
  t.tries = static_cast<std::uint32_t>(tries);
  t.tries_max = static_cast<std::uint32_t>(tries_max);
  t.tries_before = static_cast<std::uint32_t>(tries_before);
  for (std::uint64_t i = 0; i < count; ++i) {
    attempt a;
    const auto number = in.varint();
    a.token = in.varint();
    a.started_at = from_unix_ms(in.varint());
    a.ended_at = from_unix_ms(in.varint());
    const auto ended = in.u8();
    a.worker = in.text();
    a.error = in.text();
    if (!in.ok() || number > UINT32_MAX || ended == 0 || ended >= outcome_words.size())
      return bad("a try does not decode");
    a.number = static_cast<std::uint32_t>(number);
    a.ended = static_cast<outcome_kind>(ended);
    t.history.push_back(std::move(a));
  }
  if (!in.done()) return bad("too long");
  return t;
}

std::string encode(const lease& l) {
  byte_writer out;
  out.u8(lease_version).varint(l.token).text(l.worker).varint(to_unix_ms(l.granted_at)).varint(to_unix_ms(l.until));
  return std::move(out).str();
}

result<lease> decode_lease(std::string_view bytes) {
  byte_reader in{bytes};
  const auto version = in.u8();
  lease l;
  l.token = in.varint();
  l.worker = in.text();
  l.granted_at = from_unix_ms(in.varint());
  l.until = from_unix_ms(in.varint());
  if (version != lease_version || !in.done()) return fail(errc::corrupt, "lease: unknown version or malformed");
  return l;
}

} // namespace matricula::tasks

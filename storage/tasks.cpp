#include "storage/tasks.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace matricula::storage {

using namespace tasks;

namespace {

enum kind : std::uint8_t { ready = 1, waiting, running, ended, unique, queue, next };
constexpr std::string_view partition_name = "tasks";

key_builder of_kind(const task_partition& part, kind k) {
  key_builder out{part.shard};
  out.u8(k);
  return out;
}

std::string prefix_of(const task_partition& part, kind k, std::string_view type) {
  return of_kind(part, k).text(type).str();
}
std::string prefix_of(const task_partition& part, task_state state) {
  return of_kind(part, ended).u8(static_cast<std::uint8_t>(state)).str();
}

/// The last 16 bytes of a key of `ready`, `waiting` or `ended`.
std::optional<place_in_index> place_at_end(std::string_view key) {
  constexpr std::size_t bytes = 16;
  if (key.size() < bytes) return std::nullopt;
  byte_reader in{key.substr(key.size() - bytes)};
  const auto at = in.big64();
  return place_in_index{at, in.big64()};
}

std::string after(const std::string& prefix, place_in_index p) {
  return prefix + byte_writer{}.big64(p.at).big64(p.id).str();
}

std::unexpected<error> malformed(std::string_view what) {
  return fail(errc::corrupt, fmt::format("tasks: {} is malformed", what));
}

/// Rows of [lower, upper) as places.
result<std::vector<place_in_index>> places(const view& v, const std::string& lower, const std::string& upper,
                                           std::size_t limit, bool backwards) {
  std::vector<place_in_index> found;
  bool bad = false;
  const auto take = [&](std::string_view key, std::string_view) {
    const auto p = place_at_end(key);
    if (!p) return !(bad = true);
    found.push_back(*p);
    return found.size() < limit;
  };
  if (limit == 0) return found;
  const auto walked =
      backwards ? v.walk_back(column::task_index, lower, upper, take) : v.walk(column::task_index, lower, upper, take);
  if (!walked) return std::unexpected(walked.error());
  if (bad) return malformed("a key of the index");
  return found;
}

} // namespace

std::string task_partition::task_key(std::uint64_t id) const { return key_builder{shard}.u64(id).str(); }
std::string task_partition::ready_key(std::string_view type, std::uint64_t rank, std::uint64_t id) const {
  return of_kind(*this, ready).text(type).u64(rank).u64(id).str();
}
std::string task_partition::waiting_key(std::string_view type, timestamp due, std::uint64_t id) const {
  return of_kind(*this, waiting).text(type).u64(to_unix_ms(due)).u64(id).str();
}
std::string task_partition::running_key(std::string_view type, std::uint64_t id) const {
  return of_kind(*this, running).text(type).u64(id).str();
}
std::string task_partition::ended_key(task_state state, timestamp at, std::uint64_t id) const {
  return of_kind(*this, ended).u8(static_cast<std::uint8_t>(state)).u64(to_unix_ms(at)).u64(id).str();
}
std::string task_partition::unique_key(std::string_view type, std::string_view key) const {
  return of_kind(*this, unique).text(type).fixed(sha256(key)).str();
}
std::string task_partition::queue_key(std::string_view type) const { return prefix_of(*this, queue, type); }
std::string task_partition::next_key() const { return of_kind(*this, next).str(); }

task_partition tasks_of_node() { return {shard_of(partition_name)}; }

std::uint64_t rank_of(const task& t, milliseconds ageing) noexcept {
  return to_unix_ms(t.due_at) + t.priority * static_cast<std::uint64_t>(ageing.count());
}

row_reader reader_of(const view& v) {
  return [&v](column where, std::string_view key) { return v.get(where, key); };
}

result<std::optional<task>> find_task_row(const row_reader& rows, const task_partition& part, std::uint64_t id) {
  const auto bytes = rows(column::tasks, part.task_key(id));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return std::optional<task>{};
  auto t = decode_task(**bytes);
  if (!t) return std::unexpected(t.error());
  return std::optional(std::move(*t));
}

result<std::optional<found_task>> find_task(const view& v, const task_partition& part, std::uint64_t id) {
  auto row = find_task_row(reader_of(v), part, id);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::optional<found_task>{};
  found_task out{std::move(**row), std::nullopt};
  if (out.task.state != task_state::pending) return out;
  const auto bytes = v.get(column::task_index, part.running_key(queue_of(out.task), id));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return out;
  auto held = decode_lease(**bytes);
  if (!held) return std::unexpected(held.error());
  begin_try(out.task, held->granted_at);
  out.held = std::move(*held);
  return out;
}

result<queue_counts> find_queue(const view& v, const task_partition& part, std::string_view type) {
  const auto bytes = v.get(column::task_index, part.queue_key(type));
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return queue_counts{};
  return decode_queue_counts(**bytes);
}

result<std::vector<std::string>> find_queues(const view& v, const task_partition& part) {
  const auto prefix = of_kind(part, queue).str();
  std::vector<std::string> found;
  bool bad = false;
  const auto walked =
      v.walk(column::task_index, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view) {
        key_reader in{key};
        (void)in.shard();
        (void)in.u8();
        found.push_back(in.text());
        bad = bad || !in.done();
        return true;
      });
  if (!walked) return std::unexpected(walked.error());
  if (bad) return malformed("a key of the index");
  return found;
}

task_numbers numbers_beyond(timestamp now) noexcept {
  constexpr timestamp begin{std::chrono::sys_days{std::chrono::year{2025} / 1 / 1}};
  constexpr int a_second = 20; // bits
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now - begin).count();
  const auto number = seconds > 0 ? (static_cast<std::uint64_t>(seconds) + 1) << a_second : 1;
  return {number, number};
}

result<task_numbers> find_numbers(const view& v, const task_partition& part) {
  const auto bytes = v.get(column::task_index, part.next_key());
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes) return task_numbers{};
  byte_reader in{**bytes};
  task_numbers n;
  n.next_id = in.varint();
  n.next_token = in.varint();
  if (!in.done() || n.next_id == 0 || n.next_token == 0) return malformed("the row of the next numbers");
  return n;
}

void put_numbers(batch& into, const task_partition& part, const task_numbers& n) {
  into.put(column::task_index, part.next_key(), byte_writer{}.varint(n.next_id).varint(n.next_token).str());
}

result<std::vector<place_in_index>> find_ready(const view& v, const task_partition& part, std::string_view type,
                                               place_in_index from, std::size_t limit) {
  const auto prefix = prefix_of(part, ready, type);
  return places(v, after(prefix, from), after_prefix(prefix), limit, false);
}

result<std::vector<place_in_index>> find_waiting(const view& v, const task_partition& part, std::string_view type,
                                                 place_in_index from, std::size_t limit) {
  const auto prefix = prefix_of(part, waiting, type);
  return places(v, after(prefix, from), after_prefix(prefix), limit, false);
}

result<std::vector<place_in_index>> find_ended(const view& v, const task_partition& part, task_state state,
                                               std::optional<place_in_index> before, std::size_t limit) {
  const auto prefix = prefix_of(part, state);
  return places(v, prefix, before ? after(prefix, *before) : after_prefix(prefix), limit, true);
}

result<std::vector<place_in_index>> find_ended_first(const view& v, const task_partition& part, task_state state,
                                                     place_in_index from, std::size_t limit) {
  const auto prefix = prefix_of(part, state);
  return places(v, after(prefix, from), after_prefix(prefix), limit, false);
}

result<std::vector<std::pair<std::uint64_t, lease>>> find_running(const view& v, const task_partition& part,
                                                                  std::string_view type) {
  const auto prefix = prefix_of(part, running, type);
  std::vector<std::pair<std::uint64_t, lease>> found;
  std::optional<error> bad;
  const auto walked =
      v.walk(column::task_index, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view value) {
        auto l = decode_lease(value);
        if (!l) return bad = l.error(), false;
        if (key.size() != prefix.size() + 8) return bad = malformed("a key of the index").error(), false;
        found.emplace_back(byte_reader{key.substr(key.size() - 8)}.big64(), std::move(*l));
        return true;
      });
  if (!walked) return std::unexpected(walked.error());
  if (bad) return std::unexpected(*bad);
  return found;
}

namespace {

/// A key of the index, taken apart.
struct index_key {
  task_partition part;
  kind of = ready;
  std::string type;
  task_state state = task_state::pending;
  place_in_index place; ///< of `running` only the number
};

std::optional<index_key> parse(std::string_view key) {
  constexpr std::size_t hash_bytes = 32;
  key_reader in{key};
  index_key out;
  out.part.shard = in.shard();
  const auto k = in.u8();
  if (k < ready || k > next) return std::nullopt;
  out.of = static_cast<kind>(k);
  if (out.of == ended)
    out.state = static_cast<task_state>(in.u8());
  else if (out.of != next)
    out.type = in.text();
  if (out.of == unique) (void)in.fixed(hash_bytes);
  if (out.of == ready || out.of == waiting || out.of == ended) out.place.at = in.u64();
  if (out.of == ready || out.of == waiting || out.of == ended || out.of == running) out.place.id = in.u64();
  if (!in.done()) return std::nullopt;
  return out;
}

constexpr std::array<std::string_view, 8> kind_words{"",      "ready",  "waiting", "running",
                                                     "ended", "unique", "queue",   "next"};

std::string describe(const queue_counts& c) {
  json_line out;
  for (const auto s :
       {task_state::pending, task_state::running, task_state::completed, task_state::failed, task_state::cancelled})
    out.number(to_string(s), c.of(s));
  return out.number("queued_total", c.queued_total)
      .number("tries_total", c.tries_total)
      .number("purged_total", c.purged_total)
      .flag("paused", c.paused)
      .str();
}

result<std::string> describe_index_row(std::string_view key, std::string_view value) {
  const auto k = parse(key);
  if (!k) return malformed("a key of the index");
  json_line out;
  out.text("index", kind_words[k->of]);
  if (!k->type.empty()) out.text("worker_type", k->type);
  switch (k->of) {
  case queue: {
    const auto c = decode_queue_counts(value);
    if (!c) return std::unexpected(c.error());
    return out.raw("counts", describe(*c)).str();
  }
  case next: {
    byte_reader in{value};
    out.number("next_id", in.varint()).number("next_token", in.varint());
    if (!in.done()) return malformed("the row of the next numbers");
    return out.str();
  }
  case unique: {
    byte_reader in{value};
    out.number("id", in.varint());
    if (!in.done()) return malformed("a row of a unique key");
    return out.str();
  }
  case running: {
    const auto l = decode_lease(value);
    if (!l) return std::unexpected(l.error());
    return out.number("id", k->place.id)
        .number("token", l->token)
        .text("worker", l->worker)
        .text("until", to_rfc3339(l->until))
        .str();
  }
  case ended:
    out.text("state", to_string(k->state));
    break;
  case ready:
  case waiting:
    break;
  }
  return out.number("at_ms", k->place.at).number("id", k->place.id).str();
}

result<std::string> describe_task_row(std::string_view, std::string_view value) {
  const auto t = decode_task(value);
  if (!t) return std::unexpected(t.error());
  json_line out;
  out.number("id", t->id).text("worker_type", t->worker_type).text("state", to_string(t->state));
  if (!t->lane.empty()) out.text("lane", t->lane);
  out.number("priority", static_cast<unsigned>(t->priority))
      .number("tries", t->tries)
      .number("tries_max", t->tries_max);
  out.text("queued_at", to_rfc3339(t->queued_at)).text("due_at", to_rfc3339(t->due_at));
  if (t->finished_at) out.text("finished_at", to_rfc3339(*t->finished_at));
  return out.number("payload_bytes", t->payload.size()).number("history", t->history.size()).str();
}

} // namespace

void tasks_verifier::check(const view& rows, verify_report& report) const {
  const auto bad = [&](std::string what) { report.add(name(), std::move(what)); };
  struct seen {
    queue_counts found;
    std::optional<queue_counts> kept;
    std::vector<std::uint64_t> live; ///< numbers of those that stand in `ready`, `waiting` or `running`
  };
  using name_of_queue = std::pair<std::uint8_t, std::string>;
  std::map<name_of_queue, seen> queues;
  std::map<std::uint8_t, task_numbers> numbers, used;
  const auto walked = rows.walk(column::task_index, "", "", [&](std::string_view key, std::string_view value) {
    const auto k = parse(key);
    if (!k) return true; // the check of the rows tells
    if (k->of == queue) {
      if (const auto c = decode_queue_counts(value)) queues[{k->part.shard.value, k->type}].kept = *c;
      return true;
    }
    if (k->of == next) {
      if (const auto n = find_numbers(rows, k->part)) numbers[k->part.shard.value] = *n;
      return true;
    }
    if (k->of == unique) return true;
    const auto t = find_task_row(reader_of(rows), k->part, k->place.id);
    if (!t || !*t) {
      bad(fmt::format("the index ({}) names task {}, which has no row", kind_words[k->of], k->place.id));
      return true;
    }
    const bool final_one = is_final((*t)->state);
    if ((*t)->state == task_state::running || final_one != (k->of == ended) ||
        (k->of == ended && ((*t)->state != k->state || to_unix_ms(*(*t)->finished_at) != k->place.at)))
      bad(fmt::format("task {} is {} and stands in the index as {}", k->place.id, to_string((*t)->state),
                      kind_words[k->of]));
    if (k->of == waiting && to_unix_ms((*t)->due_at) != k->place.at)
      bad(fmt::format("task {} waits in the index for another time than its own", k->place.id));
    if (k->of == ready && (*t)->rank != k->place.at)
      bad(fmt::format("task {} is ready in the index at another rank than its own", k->place.id));
    const auto its_queue = queue_of(**t);
    if (k->of != ended && k->type != its_queue)
      bad(fmt::format("task {} stands in the index of another worker type", k->place.id));
    auto& q = queues[{k->part.shard.value, its_queue}];
    ++q.found.of(final_one ? (*t)->state : k->of == running ? task_state::running : task_state::pending);
    if (k->of != ended) q.live.push_back(k->place.id);
    if (k->of != running) return true;
    auto& token = used[k->part.shard.value].next_token;
    if (const auto held = decode_lease(value)) token = std::max(token, held->token + 1);
    return true;
  });
  if (!walked) bad(walked.error().message);
  for (auto& [where, q] : queues) {
    std::ranges::sort(q.live);
    const auto twice = std::ranges::adjacent_find(q.live);
    if (twice != q.live.end()) bad(fmt::format("task {} stands in the index more than once", *twice));
  }
  std::uint64_t count = 0;
  std::map<name_of_queue, std::uint64_t> rows_of;
  const auto counted = rows.walk(column::tasks, "", "", [&](std::string_view key, std::string_view value) {
    ++count;
    const auto t = decode_task(value);
    if (!t) return true; // the check of the rows tells
    const task_partition part{{static_cast<std::uint8_t>(key.front())}};
    if (part.task_key(t->id) != key) bad(fmt::format("task {} stands under another number", t->id));
    const name_of_queue where{part.shard.value, queue_of(*t)};
    ++rows_of[where];
    auto& most = used[part.shard.value];
    most.next_id = std::max(most.next_id, t->id + 1);
    for (const auto& a : t->history) most.next_token = std::max(most.next_token, a.token + 1);
    if (is_final(t->state)) {
      const auto stands = rows.get(column::task_index, part.ended_key(t->state, *t->finished_at, t->id));
      if (stands && !*stands) bad(fmt::format("task {} has ended and does not stand in the index", t->id));
    } else if (!std::ranges::binary_search(queues[where].live, t->id)) {
      bad(fmt::format("task {} is to be done and does not stand in the index", t->id));
    }
    if (t->unique_key.empty()) return true;
    const auto named = rows.get(column::task_index, part.unique_key(t->worker_type, t->unique_key));
    if (!named) return true;
    // The key of one that has ended may lead to another one: a registrant's task that was asked for anew, or tried
    // again.
    const auto leads_to = *named ? byte_reader{**named}.varint() : 0;
    if (leads_to != t->id && (leads_to == 0 || !is_final(t->state)))
      bad(fmt::format("task {} is not the one that its unique key names", t->id));
    return true;
  });
  if (!counted) bad(counted.error().message);
  for (const auto& [where, q] : queues) {
    const auto kept = q.kept.value_or(queue_counts{});
    if (!q.kept && rows_of[where] > 0) bad(fmt::format("worker type {} has tasks and no counters", where.second));
    if (kept.in_state != q.found.in_state)
      bad(fmt::format("the counters of worker type {} say {}, its rows say {}", where.second, describe(kept),
                      describe(q.found)));
    std::uint64_t in_index = 0, in_states = 0;
    for (const auto n : q.found.in_state) in_index += n;
    for (const auto n : kept.in_state) in_states += n;
    if (in_index != rows_of[where])
      bad(fmt::format("worker type {} has {} tasks, and {} stand in the index", where.second, rows_of[where],
                      in_index));
    if (in_states + kept.purged_total != kept.queued_total)
      bad(fmt::format("the counters of worker type {} do not add up: {}", where.second, describe(kept)));
  }
  for (const auto& [shard, n] : used)
    if (numbers[shard].next_id < n.next_id || numbers[shard].next_token < n.next_token)
      bad("the next number of a task or the next token of a lease was given out before");
  report.count("tasks", count);
}

void add_task_decoders(row_decoders& to) {
  to.set(column::tasks, describe_task_row);
  to.set(column::task_index, describe_index_row);
}

} // namespace matricula::storage

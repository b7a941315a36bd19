#include "api/resources/tasks.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/page_size.hpp"
#include "api/problem.hpp"
#include "storage/task_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace matricula::api {

using tasks::outcome_kind;
using tasks::task;
using tasks::task_state;

namespace {

constexpr std::size_t unique_key_bytes_max = 128;
constexpr std::size_t worker_bytes_max = 64;
constexpr std::size_t queue_name_bytes_max = 128;
constexpr std::int64_t tries_most = 1'000;
constexpr std::int64_t leased_most = 100;
constexpr std::int64_t lease_seconds_most = 12 * 3'600;
constexpr std::int64_t wait_seconds_most = 60;
constexpr std::int64_t retry_seconds_most = 30 * 24 * 3'600;
constexpr std::int64_t retried_most = 10'000;
constexpr std::size_t error_prefix_bytes_max = 200;
constexpr std::size_t error_sent_bytes_max = std::size_t{16} << 10;
constexpr std::size_t reason_bytes_max = 500;
constexpr std::size_t following_most = 10;
constexpr std::size_t bodies_bytes_max = std::size_t{512} << 10;
constexpr std::size_t cursor_bytes_max = 64;

/// Of the text "until.at.id".
std::optional<actors::failed_place> parse_place(std::string_view text) {
  actors::failed_place place;
  const auto* at = text.data();
  const auto* const to = text.data() + text.size();
  for (auto* number : {&place.until_ms, &place.at, &place.id}) {
    const auto [end, bad] = std::from_chars(at, to, *number);
    const bool last = number == &place.id;
    if (bad != std::errc{} || (last ? end != to : end == to || *end != '.')) return std::nullopt;
    at = last ? end : end + 1;
  }
  return place;
}

void write_members(json::writer& w, const task& t, const std::optional<tasks::lease>& held) {
  w.member("id", t.id).member("worker_type", t.worker_type).key("worker_payload").raw(t.payload);
  w.member("task_status", tasks::to_string(t.state)).member("priority", t.priority);
  w.member("number_of_attempts", t.tries).member("max_attempts", t.tries_max);
  w.member("queued_datetime", to_rfc3339(t.queued_at)).member("queued_by", t.queued_by);
  if (t.state == task_state::pending) w.member("due_at", to_rfc3339(t.due_at));
  if (t.last_try_at) w.member("last_attempt_datetime", to_rfc3339(*t.last_try_at));
  if (!t.last_error.empty()) w.member("last_attempt_error_code", t.last_error);
  if (t.finished_at) w.member("finished_at", to_rfc3339(*t.finished_at));
  if (!t.unique_key.empty()) w.member("unique_key", t.unique_key);
  if (!t.result.empty()) w.key("result").raw(t.result);
  if (held)
    w.key("lease")
        .begin_object()
        .member("worker", held->worker)
        .member("granted_at", to_rfc3339(held->granted_at))
        .member("until", to_rfc3339(held->until))
        .end_object();
  w.key("history").begin_array();
  for (const auto& a : t.history) {
    w.begin_object().member("attempt", a.number).member("outcome", tasks::to_string(a.ended));
    w.member("started_at", to_rfc3339(a.started_at)).member("ended_at", to_rfc3339(a.ended_at));
    w.member("worker", a.worker);
    if (!a.error.empty()) w.member("error", a.error);
    w.end_object();
  }
  w.end_array();
}

response one(int status, const task& t, const std::optional<tasks::lease>& held = std::nullopt) {
  json::writer w(512 + t.payload.size());
  w.begin_object();
  write_members(w, t, held);
  w.end_object();
  return {.status = status, .body = std::move(w).str()};
}

/// For a unique key whose task is no longer kept: it is not queued again.
response purged(std::uint64_t id, const actors::new_task& wanted) {
  json::writer w;
  w.begin_object().member("id", id).member("worker_type", wanted.worker_type).member("unique_key", wanted.unique_key);
  w.member("purged", true).end_object();
  return {.body = std::move(w).str()};
}

class task_resource {
public:
  task_resource(actors::task_door& door, audit_hook audit) : door_(door), audit_(std::move(audit)) {}

  outcome<begun> enqueue(const request& r, const runtime::reply_notice& told) const {
    json::fields body(r.body);
    const auto* many = body.any("tasks");
    std::vector<actors::new_task> wanted;
    if (many != nullptr) {
      const auto* list = many->as<json::value::array>();
      if (list == nullptr || list->empty() || list->size() > actors::enqueued_tasks_max) {
        body.refuse_field("tasks", fmt::format("must be a list of 1 to {} tasks", actors::enqueued_tasks_max));
      } else {
        for (std::size_t i = 0; i < list->size(); ++i) {
          json::fields each((*list)[i], fmt::format("tasks[{}].", i));
          wanted.push_back(read_task(each));
          if (auto bad = each.wrong()) return std::unexpected(*bad);
        }
      }
    } else {
      wanted.push_back(read_task(body));
    }
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const actors::new_task first{.worker_type = wanted.front().worker_type, .unique_key = wanted.front().unique_key};
    return answer_later(
        [first, whole = many == nullptr,
         answer = door_.begin_enqueue(std::move(wanted), many == nullptr, caller_of(r), told)]() -> outcome<response> {
          const auto queued = answer();
          if (!queued) return std::unexpected(refusal(queued.error()));
          if (whole) {
            const auto& only = queued->front();
            if (!only.task) return purged(only.id, first);
            return one(only.existed ? 200 : 201, *only.task, only.held);
          }
          json::writer w(64 + queued->size() * 32);
          w.begin_object().key("items").begin_array();
          for (const auto& q : *queued) w.begin_object().member("id", q.id).member("existed", q.existed).end_object();
          w.end_array().end_object();
          return response{.status = 201, .body = std::move(w).str()};
        });
  }

  outcome<response> show(const request& r) const {
    const auto id = id_of(r);
    if (!id) return std::unexpected(id.error());
    const auto found = find(*id);
    if (!found) return std::unexpected(found.error());
    return one(200, found->task, found->held);
  }

  outcome<response> list(const request& r) const {
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    storage::task_query what;
    if (const auto status = r.query_value("status")) {
      what.state = tasks::parse_task_state(*status);
      if (!what.state)
        return refuse(400, errc::invalid_argument, "status is one of PENDING, RUNNING, COMPLETED, FAILED, CANCELLED.");
    }
    what.worker_type = r.query_value("worker_type").value_or("");
    const auto rows = door_.rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    auto types = storage::find_queues(**rows, door_.part());
    if (!types) return std::unexpected(refusal(types.error()));
    what.types = std::move(*types);
    const auto page = storage::list_tasks(**rows, door_.part(), what, r.query_value("cursor").value_or(""), *limit);
    if (!page) {
      if (page.error().code == errc::invalid_argument) return refuse(400, page.error().code, page.error().message);
      return std::unexpected(refusal(page.error()));
    }
    json::writer w(256 + page->items.size() * 512);
    w.begin_object().key("items").begin_array();
    for (const auto& item : page->items) {
      w.begin_object();
      write_members(w, item.task, item.held);
      w.end_object();
    }
    w.end_array().member_if("next_cursor", page->next).end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> change(const request& r, bool cancel) const {
    const auto id = id_of(r);
    if (!id) return std::unexpected(id.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto reason = read_reason(body);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    if (const auto known = find(*id); !known) return std::unexpected(known.error());
    if (auto ok = audit_act(r, cancel ? "task.cancel" : "task.retry", std::to_string(*id), reason, audit_); !ok)
      return std::unexpected(ok.error());
    const auto done = cancel ? door_.cancel(*id, caller_of(r)) : door_.retry(*id, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    return one(200, *done);
  }

  outcome<response> retry_failed(const request& r) const {
    json::fields body(r.body, json::fields::empty_body::allowed);
    actors::task_door::failed_ones which;
    which.worker_type = body.optional_text("worker_type", {.bytes_max = queue_name_bytes_max}).value_or("");
    which.error_prefix = body.optional_text("error", {.bytes_max = error_prefix_bytes_max}).value_or("");
    which.limit =
        static_cast<std::uint32_t>(body.whole("limit", {.least = 1, .most = retried_most, .fallback = 1'000}));
    if (const auto cursor = body.optional_text("cursor", {.bytes_max = cursor_bytes_max})) {
      if (const auto place = parse_place(*cursor))
        which.from = *place;
      else
        body.refuse_field("cursor", "must be the next_cursor of an earlier answer of this route");
    }
    const auto reason = read_reason(body);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto of = which.worker_type.empty() ? "every worker type" : which.worker_type;
    if (auto ok = audit_act(r, "task.retry_failed", of, reason, audit_); !ok) return std::unexpected(ok.error());
    const auto done = door_.retry_failed(which, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    w.begin_object().member("retried", done->count);
    if (done->next)
      w.member("next_cursor", fmt::format("{}.{}.{}", done->next->until_ms, done->next->at, done->next->id));
    w.end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> queues(const request&) const {
    const auto rows = door_.rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    const auto reports = door_.reports();
    json::writer w(1'024);
    w.begin_object().key("items").begin_array();
    for (const auto& [name, report] : reports) {
      const auto& c = report.counts;
      w.begin_object().member("worker_type", name).member("paused", c.paused);
      w.member("pending", c.of(task_state::pending)).member("running", c.of(task_state::running));
      w.member("completed", c.of(task_state::completed)).member("failed", c.of(task_state::failed));
      w.member("cancelled", c.of(task_state::cancelled)).member("queued_total", c.queued_total);
      w.member("attempts_total", c.tries_total).member("purged_total", c.purged_total);
      const auto ready = row_of(**rows, report.next_ready), waits = row_of(**rows, report.next_waiting);
      if (ready) w.member("next_due_at", to_rfc3339(ready->due_at));
      if (ready || waits)
        w.member("next_queued_at", to_rfc3339(std::min(ready ? ready->queued_at : timestamp::max(),
                                                       waits ? waits->queued_at : timestamp::max())));
      if (const auto* type = type_named(name)) {
        w.member("max_attempts", type->retry.tries_max).member("lease_seconds", type->lease.count() / 1'000);
        if (type->running_max != 0) w.member("running_max", type->running_max);
        if (type->starts_per_s != 0) w.member("starts_per_s", type->starts_per_s);
      } else {
        w.member("configured", false);
      }
      w.end_object();
    }
    w.end_array().end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> pause(const request& r, bool paused) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto reason = read_reason(body);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    if (auto ok = audit_act(r, paused ? "queue.pause" : "queue.resume", (*type)->name, reason, audit_); !ok)
      return std::unexpected(ok.error());
    const auto done = door_.pause((*type)->name, paused, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    w.begin_object().member("worker_type", (*type)->name).member("paused", *done).end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<begun> lease(const request& r, const runtime::reply_notice& told) const {
    const auto type = type_of(r);
    if (!type) return std::unexpected(type.error());
    json::fields body(r.body);
    actors::task_door::lease_call call;
    call.worker_type = (*type)->name;
    call.worker = body.text("worker", {.bytes_max = worker_bytes_max});
    call.count = static_cast<std::uint32_t>(body.whole("count", {.least = 1, .most = leased_most, .fallback = 1}));
    call.lease = read_lease(body);
    call.wait =
        std::chrono::seconds(body.whole("wait_seconds", {.least = 0, .most = wait_seconds_most, .fallback = 0}));
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    return answer_later([leased = door_.begin_lease(call, caller_of(r), told)]() -> outcome<response> {
      auto found = leased();
      if (!found) return std::unexpected(refusal(found.error()));
      json::writer w(64 + found->size() * 512);
      w.begin_object().key("items").begin_array();
      for (const auto& one : *found) {
        w.begin_object().member("token", one.lease.token);
        write_members(w, one.task, one.lease);
        w.end_object();
      }
      w.end_array().end_object();
      return response{.body = std::move(w).str()};
    });
  }

  outcome<begun> heartbeat(const request& r, const runtime::reply_notice& told) const {
    const auto id = id_of(r);
    if (!id) return std::unexpected(id.error());
    json::fields body(r.body);
    const auto token = read_token(body);
    const auto lease = read_lease(body);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    return answer_later(
        [id = *id, answer = door_.begin_renew(*id, token, lease, caller_of(r), told)]() -> outcome<response> {
          const auto renewed = answer();
          if (!renewed) return std::unexpected(refusal(renewed.error()));
          json::writer w;
          w.begin_object().member("id", id).member("until", to_rfc3339(renewed->until)).end_object();
          return response{.body = std::move(w).str()};
        });
  }

  outcome<begun> complete(const request& r, const runtime::reply_notice& told) const {
    const auto id = id_of(r);
    if (!id) return std::unexpected(id.error());
    json::fields body(r.body);
    actors::task_door::ending ending{.id = *id, .token = read_token(body), .how = {}, .then = {}, .effect = {}};
    ending.how.kind = outcome_kind::done;
    ending.how.text = read_result(body);
    ending.effect.unique_id =
        body.optional_text("unique_id", {.bytes_max = registrants::registrant::unique_id_bytes_max}).value_or("");
    if (const auto* then = body.any("then")) {
      const auto* list = then->as<json::value::array>();
      if (list == nullptr || list->size() > following_most) {
        body.refuse_field("then", fmt::format("must be a list of at most {} tasks", following_most));
      } else {
        for (std::size_t i = 0; i < list->size(); ++i) {
          json::fields each((*list)[i], fmt::format("then[{}].", i));
          ending.then.push_back(read_task(each));
          if (auto bad = each.wrong()) return std::unexpected(*bad);
        }
      }
    }
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    return ended(std::move(ending), r, told);
  }

  outcome<begun> complete_many(const request& r, const runtime::reply_notice& told) const {
    json::fields body(r.body);
    std::vector<actors::finished_try> tries;
    const auto* given = body.any("items");
    const auto* list = given == nullptr ? nullptr : given->as<json::value::array>();
    if (list == nullptr || list->empty() || list->size() > actors::finished_tries_max) {
      body.refuse_field("items",
                        fmt::format("must be a list of 1 to {} tasks with their tokens", actors::finished_tries_max));
    } else {
      for (std::size_t i = 0; i < list->size(); ++i) {
        json::fields each((*list)[i], fmt::format("items[{}].", i));
        const auto id = static_cast<std::uint64_t>(each.whole("id", {.least = 1}));
        const auto token = read_token(each);
        tries.push_back({id, token, read_result(each)});
        if (auto bad = each.wrong()) return std::unexpected(*bad);
      }
    }
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    std::vector<std::uint64_t> ids;
    for (const auto& t : tries) ids.push_back(t.id);
    return answer_later([ids = std::move(ids),
                         answer = door_.begin_finish(std::move(tries), caller_of(r), told)]() -> outcome<response> {
      const auto done = answer();
      if (!done) return std::unexpected(refusal(done.error()));
      json::writer w(64 + ids.size() * 48);
      w.begin_object().key("items").begin_array();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        w.begin_object().member("id", ids[i]);
        const auto& one = done->at(i);
        if (one)
          w.member("task_status", tasks::to_string(*one));
        else
          w.key("error")
              .begin_object()
              .member("code", to_string(one.error().code))
              .member("detail", detail_of(refusal(one.error())))
              .end_object();
        w.end_object();
      }
      w.end_array().end_object();
      return response{.body = std::move(w).str()};
    });
  }

  outcome<begun> fail_task(const request& r, const runtime::reply_notice& told) const {
    const auto id = id_of(r);
    if (!id) return std::unexpected(id.error());
    json::fields body(r.body);
    actors::task_door::ending ending{.id = *id, .token = read_token(body), .how = {}, .then = {}, .effect = {}};
    ending.how.text = read_error(body);
    const auto kind = body.optional_text("kind", {.bytes_max = 16}).value_or("transient");
    const auto parsed = tasks::parse_outcome_kind(kind);
    if (!parsed || *parsed == outcome_kind::done || *parsed > outcome_kind::not_yet)
      body.refuse_field("kind", "must be transient, permanent or not_yet");
    else
      ending.how.kind = *parsed;
    if (const auto retry = body.optional_whole("retry_in_seconds", {.least = 0, .most = retry_seconds_most}))
      ending.how.try_again = std::chrono::seconds(*retry);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    return ended(std::move(ending), r, told);
  }

private:
  static actors::caller caller_of(const request& r) { return {r.who->name, r.who->tenant, r.trace, r.deadline}; }

  [[nodiscard]] const actors::worker_type* type_named(std::string_view name) const {
    const auto found = std::ranges::find(door_.types(), name, &actors::worker_type::name);
    return found == door_.types().end() ? nullptr : &*found;
  }
  outcome<const actors::worker_type*> type_of(const request& r) const {
    if (const auto* type = type_named(r.param("worker_type"))) return type;
    return refuse(404, errc::not_found, fmt::format("No worker type is called '{}'.", r.param("worker_type")));
  }

  static outcome<std::uint64_t> id_of(const request& r) {
    const auto text = r.param("id");
    std::uint64_t id = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (bad != std::errc{} || end != text.data() + text.size())
      return refuse(404, errc::not_found, "A task's id is a whole number.");
    return id;
  }

  static std::uint64_t read_token(json::fields& body) {
    return static_cast<std::uint64_t>(body.whole("token", {.least = 1}));
  }

  /// None: as the worker type has it.
  static std::chrono::seconds read_lease(json::fields& body) {
    return std::chrono::seconds(
        body.optional_whole("lease_seconds", {.least = 1, .most = lease_seconds_most}).value_or(0));
  }
  static std::string read_reason(json::fields& body) {
    return body.optional_text("reason", {.bytes_max = reason_bytes_max}).value_or("");
  }
  /// As JSON; empty: none.
  static std::string read_result(json::fields& body) {
    const auto* result = body.any("result");
    if (result == nullptr) return {};
    auto text = json::text_of(*result);
    if (text.size() > task::result_bytes_max)
      body.refuse_field("result", fmt::format("must be at most {} bytes long", task::result_bytes_max));
    return text;
  }
  /// What went wrong, in the worker's words: any text, of several lines too. The queue keeps the beginning.
  static std::string read_error(json::fields& body) {
    const auto* given = body.any("error");
    const auto* text = given == nullptr ? nullptr : given->as<std::string>();
    if (text != nullptr && !text->empty() && text->size() <= error_sent_bytes_max) return *text;
    body.refuse_field("error", fmt::format("must be a text of 1 to {} bytes", error_sent_bytes_max));
    return {};
  }

  actors::new_task read_task(json::fields& body) const {
    actors::new_task t;
    t.worker_type = body.text("worker_type", {.bytes_max = worker_bytes_max});
    if (!t.worker_type.empty() && (tasks::is_lane(t.worker_type) || type_named(t.worker_type) == nullptr)) {
      std::string known;
      for (const auto& type : door_.types())
        if (!tasks::is_lane(type.name)) known += (known.empty() ? "" : ", ") + type.name;
      body.refuse_field("worker_type", fmt::format("names no worker type that is configured here ({})", known));
    }
    const auto* payload = body.any("worker_payload");
    if (payload == nullptr || payload->as<json::value::object>() == nullptr) {
      body.refuse_field("worker_payload", "must be an object");
    } else {
      t.payload = json::text_of(*payload);
      if (t.payload.size() > task::payload_bytes_max)
        body.refuse_field("worker_payload", fmt::format("must be at most {} bytes long", task::payload_bytes_max));
    }
    t.unique_key = body.optional_text("unique_key", {.bytes_max = unique_key_bytes_max}).value_or("");
    if (registrants::concerns_registrants(t.worker_type)) name_registrant(body, payload, t);
    t.priority = static_cast<std::uint8_t>(
        body.whole("priority", {.least = 0, .most = task::priority_lowest, .fallback = task::priority_usual}));
    if (const auto due = body.optional_time("due_at")) t.due_at_ms = due->time_since_epoch().count();
    t.tries_max =
        static_cast<std::uint32_t>(body.optional_whole("max_attempts", {.least = 1, .most = tries_most}).value_or(0));
    return t;
  }

  /// A registrant's tasks have it as their key, so that there is one of each type.
  static void name_registrant(json::fields& body, const json::value* payload, actors::new_task& t) {
    const auto* members = payload == nullptr ? nullptr : payload->as<json::value::object>();
    if (members == nullptr) return;
    const auto found = std::ranges::find(*members, "registrant_id", &json::member::name);
    const auto* id = found == members->end() ? nullptr : found->held.as<std::int64_t>();
    // One that names nobody fails where it is worked on, as tasks of other systems do.
    const auto key = id != nullptr && *id > 0 ? registrants::task_key_of(static_cast<std::uint64_t>(*id)) : "";
    if (!t.unique_key.empty() && t.unique_key != key)
      body.refuse_field("unique_key", fmt::format("must be absent for a {}: its registrant is the key", t.worker_type));
    t.unique_key = key;
  }

  /// For lists: one that cannot be read is left out.
  [[nodiscard]] std::optional<task> row_of(const storage::view& rows, std::uint64_t id) const {
    if (id == 0) return std::nullopt;
    auto row = storage::find_task_row(storage::reader_of(rows), door_.part(), id);
    return row ? std::move(*row) : std::nullopt;
  }

  outcome<storage::found_task> find(std::uint64_t id) const {
    const auto rows = door_.rows();
    if (!rows) return std::unexpected(refusal(rows.error()));
    auto found = storage::find_task(**rows, door_.part(), id);
    if (!found) return std::unexpected(refusal(found.error()));
    if (!*found)
      return std::unexpected(
          refusal(error{errc::not_found, fmt::format("There is no task {}, or no longer.", id), std::nullopt}));
    return std::move(**found);
  }

  outcome<begun> ended(actors::task_door::ending ending, const request& r, const runtime::reply_notice& told) const {
    return answer_later([answer = door_.begin_end(std::move(ending), caller_of(r), told)]() -> outcome<response> {
      const auto done = answer();
      if (!done) return std::unexpected(refusal(done.error()));
      return one(200, *done);
    });
  }

  actors::task_door& door_;
  audit_hook audit_;
};

} // namespace

std::vector<route> task_routes(actors::task_door& door, audit_hook audit) {
  const auto tasks = std::make_shared<const task_resource>(door, std::move(audit));
  using handler = outcome<response> (task_resource::*)(const request&) const;
  const auto simple = [tasks](std::string method, std::string path, std::string scope, handler what) {
    return route{std::move(method), std::move(path), std::move(scope),
                 [tasks, what](const request& r) { return ((*tasks).*what)(r); }};
  };
  using beginner = outcome<begun> (task_resource::*)(const request&, const runtime::reply_notice&) const;
  const auto begun_one = [tasks](std::string path, std::string scope, beginner what,
                                 std::size_t body_bytes_max = bodies_bytes_max) {
    route r{"POST", std::move(path), std::move(scope), {}};
    r.body_bytes_max = body_bytes_max;
    r.begin = [tasks, what](const request& from, const runtime::reply_notice& told) {
      return ((*tasks).*what)(from, told);
    };
    r.begin_reads = has_large_body;
    return r;
  };
  auto list = simple("GET", "/v1/tasks", "tasks:read", &task_resource::list);
  list.query = {"status", "worker_type", "cursor", "limit"};
  return {
      begun_one("/v1/tasks", "tasks:write", &task_resource::enqueue),
      begun_one("/v1/tasks/complete", "tasks:work", &task_resource::complete_many),
      begun_one("/v1/tasks/{id}/complete", "tasks:work", &task_resource::complete),
      begun_one("/v1/tasks/{id}/fail", "tasks:work", &task_resource::fail_task),
      begun_one("/v1/tasks/{id}/heartbeat", "tasks:work", &task_resource::heartbeat, small_body_bytes_max),
      begun_one("/v1/queues/{worker_type}/lease", "tasks:work", &task_resource::lease, small_body_bytes_max),
      std::move(list),
      simple("GET", "/v1/tasks/{id}", "tasks:read", &task_resource::show),
      simple("POST", "/v1/tasks/retry", "tasks:act", &task_resource::retry_failed),
      {"POST", "/v1/tasks/{id}/retry", "tasks:act", [tasks](const request& r) { return tasks->change(r, false); }},
      {"POST", "/v1/tasks/{id}/cancel", "tasks:act", [tasks](const request& r) { return tasks->change(r, true); }},
      simple("GET", "/v1/queues", "tasks:read", &task_resource::queues),
      {"POST", "/v1/queues/{worker_type}/pause", "tasks:act",
       [tasks](const request& r) { return tasks->pause(r, true); }},
      {"POST", "/v1/queues/{worker_type}/resume", "tasks:act",
       [tasks](const request& r) { return tasks->pause(r, false); }},
  };
}

} // namespace matricula::api

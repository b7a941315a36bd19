#include "api/resources/actors.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace matricula::api {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds answer_at_most{1'000};

double to_ms(std::chrono::nanoseconds t) { return std::chrono::duration<double, std::milli>(t).count(); }

/// The members of one actor, without the brackets around them.
void write_members(json::writer& w, const runtime::actor_snapshot& a) {
  w.member("path", a.path)
      .member("kind", a.kind)
      .member("state", runtime::to_string(a.state))
      .member("generation", a.generation)
      .member("mailbox_depth", a.depth)
      .member("mailbox_high_water", a.high_water)
      .member("handled", a.handled)
      .member("rejected", a.rejected)
      .member("poisonous", a.poisonous)
      .member("unexpected", a.unexpected)
      .member("dropped", a.dropped)
      .member("messages_per_second", a.rates.over_10s)
      .member("handler_p50_ms", to_ms(a.p50))
      .member("handler_p99_ms", to_ms(a.p99))
      .member("busy_ms", to_ms(a.busy_for))
      .member("crashes", a.crashes)
      .member("restarts", a.restarts)
      .member("alive_ms", to_ms(a.alive_for));
  if (!a.busy_with.empty()) w.member("busy_with", a.busy_with);
  if (a.stuck) w.member("stuck", true);
  if (!a.last_reason.empty()) w.member("last_reason", a.last_reason);
  if (a.next_retry_in.count() > 0) w.member("next_retry_in_ms", to_ms(a.next_retry_in));
  if (a.refused_types.empty()) return;
  w.key("refused_types").begin_array();
  for (const auto& type : a.refused_types) w.value(type);
  w.end_array();
}

bool is_below(std::string_view path, std::string_view ancestor) {
  return path.size() > ancestor.size() && path.starts_with(ancestor) && path[ancestor.size()] == '/';
}

/// Nested by path: an actor stands under the longest path that is above its own.
std::string tree_of(std::vector<runtime::actor_snapshot> actors) {
  // '/' before all else, so that "a/b" comes right behind "a" and not behind "a-b".
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  std::ranges::sort(actors, [rank](const auto& a, const auto& b) {
    return std::ranges::lexicographical_compare(a.path, b.path, {}, rank, rank);
  });
  json::writer w(512 * actors.size() + 64);
  w.begin_object().key("items").begin_array();
  std::vector<std::string_view> open;
  const auto close_one = [&] {
    w.end_array().end_object();
    open.pop_back();
  };
  for (const auto& actor : actors) {
    while (!open.empty() && !is_below(actor.path, open.back())) close_one();
    w.begin_object();
    write_members(w, actor);
    w.key("children").begin_array();
    open.push_back(actor.path);
  }
  while (!open.empty()) close_one();
  w.end_array().end_object();
  return std::move(w).str();
}

std::unexpected<refusal> no_such_actor(std::string_view path) {
  return std::unexpected(refusal(
      error{errc::not_found, "There is no actor " + std::string(path) + ". GET /v1/actors shows all.", std::nullopt}));
}

outcome<response> show(const actor_desk& actors, const request& from, const clock& time) {
  const auto path = from.param("path");
  const auto actor = actors.find(path);
  if (!actor) return no_such_actor(path);
  json::writer w(2048);
  w.begin_object();
  write_members(w, *actor);
  w.key("recent").begin_array();
  const auto now = time.monotonic();
  for (const auto& message : actors.recent(path))
    w.begin_object()
        .member("type", message.type)
        .member("size_bytes", message.size_bytes)
        .member("ago_ms", to_ms(now - message.began))
        .member("taken_ms", to_ms(message.taken))
        .end_object();
  w.end_array();
  // An actor that is busy or down cannot tell about itself; what is known without it is still worth an answer.
  if (const auto self = actors.inspect(path, answer_at_most); !self)
    w.member("self_missing", self.error().message);
  else if (json::parse(*self))
    w.key("self").raw(*self);
  else
    w.member("self", *self);
  w.end_object();
  return response{.body = std::move(w).str()};
}

outcome<response> act(actor_desk& actors, const request& from, actor_desk::action what, std::string_view name,
                      const audit_hook& audit) {
  const auto path = from.param("path");
  if (!actors.find(path)) return no_such_actor(path);
  if (auto ok = audit_with_reason(from, "actor." + std::string(name), std::string(path), audit); !ok)
    return std::unexpected(ok.error());
  const auto generation = actors.act(path, what, answer_at_most);
  if (!generation) return std::unexpected(refusal(generation.error()));
  json::writer w;
  w.begin_object().member("path", path).member("action", name).member("generation", *generation);
  if (const auto actor = actors.find(path)) w.member("state", runtime::to_string(actor->state));
  w.end_object();
  return response{.body = std::move(w).str()};
}
} // namespace

std::vector<route> actor_routes(actor_desk& actors, audit_hook audit, const clock& time) {
  using action = actor_desk::action;
  constexpr std::array<std::pair<action, std::string_view>, 4> actions = {
      {{action::restart, "restart"}, {action::stop, "stop"}, {action::kill, "kill"}, {action::start, "start"}}};
  std::vector<route> routes = {
      {"GET", "/v1/actors", "actors:read",
       [&actors](const request&) { return response{.body = tree_of(actors.list())}; }},
      {"GET", "/v1/actors/{path...}", "actors:read",
       [&actors, &time](const request& from) { return show(actors, from, time); }},
  };
  for (const auto& [what, name] : actions)
    routes.push_back(
        {"POST", "/v1/actors/{path...}/" + std::string(name), "actors:act",
         [&actors, audit, what, name](const request& from) { return act(actors, from, what, name, audit); }});
  return routes;
}

} // namespace matricula::api

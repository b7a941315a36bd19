#include "api/resources/alerts.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "api/page_size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

namespace matricula::api {

using alerts::alert;

namespace {

constexpr std::size_t reason_bytes_max = 500;

void write_members(json::writer& w, const alert& a) {
  w.member("id", a.id).member("rule", a.rule).member("subject", a.subject);
  w.member("severity", to_string(a.how)).member("state", a.ended_at ? "over" : "open").member("text", a.text);
  w.member("since", to_rfc3339(a.since)).member("notices", a.told).member("told_at", to_rfc3339(a.told_at));
  if (!a.ended_at && !a.acknowledged_at) w.member("next_notice_at", to_rfc3339(a.next_due));
  w.member("came_back", a.returns);
  if (a.acknowledged_at)
    w.member("acknowledged_at", to_rfc3339(*a.acknowledged_at)).member("acknowledged_by", a.acknowledged_by);
  if (a.ended_at) w.member("ended_at", to_rfc3339(*a.ended_at)).member("unheard", a.unheard);
  if (a.debts.empty()) return;
  w.key("untold_sinks").begin_array();
  for (const auto& d : a.debts) w.value(d.sink);
  w.end_array();
}

response one(const alert& a) {
  json::writer w(512);
  w.begin_object();
  write_members(w, a);
  w.end_object();
  return {.body = std::move(w).str()};
}

std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
  std::uint64_t n = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (bad != std::errc{} || end != text.data() + text.size() || n == 0) return std::nullopt;
  return n;
}

class alert_resource {
public:
  alert_resource(actors::alert_door& door, audit_hook audit) : door_(door), audit_(std::move(audit)) {}

  outcome<response> list(const request& r) const {
    const auto limit = page_size(r);
    if (!limit) return std::unexpected(limit.error());
    const auto state = r.query_value("state");
    if (state && *state != "open" && *state != "over")
      return refuse(400, errc::invalid_argument, "state is one of open, over.");
    const auto rule = r.query_value("rule"), subject = r.query_value("subject"), cursor = r.query_value("cursor");
    const auto before = cursor ? number_in(*cursor) : UINT64_MAX;
    if (!before)
      return refuse(400, errc::invalid_argument, "cursor is the next_cursor of an earlier page of the same list.");
    const auto all = door_.list();
    if (!all) return std::unexpected(refusal(all.error()));
    json::writer w(1'024);
    w.begin_object().key("items").begin_array();
    std::size_t count = 0;
    std::uint64_t last = 0;
    bool more = false;
    for (auto a = (*all)->rbegin(); a != (*all)->rend(); ++a) {
      const bool wanted = a->id < *before && (!state || (*state == "open") != a->ended_at.has_value()) &&
                          (!rule || *rule == a->rule) && (!subject || *subject == a->subject);
      if (!wanted) continue;
      more = count == *limit;
      if (more) break;
      w.begin_object();
      write_members(w, *a);
      w.end_object();
      last = a->id;
      ++count;
    }
    w.end_array();
    if (more) w.member("next_cursor", std::to_string(last));
    w.end_object();
    return response{.body = std::move(w).str()};
  }

  outcome<response> acknowledge(const request& r) const {
    const auto id = number_in(r.param("id"));
    if (!id) return refuse(404, errc::not_found, "An alert's id is a whole number.");
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto reason = body.optional_text("reason", {.bytes_max = reason_bytes_max}).value_or("");
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto all = door_.list();
    if (!all) return std::unexpected(refusal(all.error()));
    if (!std::ranges::binary_search(**all, *id, {}, &alert::id))
      return std::unexpected(
          refusal(error{errc::not_found, fmt::format("There is no alert {}, or no longer.", *id), std::nullopt}));
    if (auto ok = audit_act(r, "alert.acknowledge", std::to_string(*id), reason, audit_); !ok)
      return std::unexpected(ok.error());
    const auto done = door_.acknowledge(*id, {r.who->name, r.who->tenant, r.trace, r.deadline});
    if (!done) return std::unexpected(refusal(done.error()));
    return one(*done);
  }

private:
  actors::alert_door& door_;
  audit_hook audit_;
};

} // namespace

std::vector<route> alert_routes(actors::alert_door& door, audit_hook audit) {
  const auto alerts = std::make_shared<const alert_resource>(door, std::move(audit));
  std::vector<route> routes{
      {"GET", "/v1/alerts", "alerts:read", [alerts](const request& r) { return alerts->list(r); }},
      {"POST", "/v1/alerts/{id}/acknowledge", "alerts:act",
       [alerts](const request& r) { return alerts->acknowledge(r); }},
  };
  routes[0].query = {"state", "rule", "subject", "cursor", "limit"};
  return routes;
}

} // namespace matricula::api

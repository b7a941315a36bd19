#include "api/resources/holders.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "foundation/digest.hpp"
#include "storage/idempotency.hpp"

#include <fmt/format.h>

#include <memory>

namespace matricula::api {

using namespace identifiers;
using actors::vid_action;

namespace {

constexpr std::size_t policy_bytes_max = 32;

class holder_resource {
public:
  explicit holder_resource(const holder_sources& sources) : from_(sources) {}

  outcome<response> create(const request& r) const {
    auto call = call_for_holder(r, vid_action::create);
    if (!call) return std::unexpected(call.error());
    json::fields body(r.body);
    call->policy = body.text("policy", {.bytes_max = policy_bytes_max});
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    add_key(*call, r, "vids.create", call->holder, call->policy);
    const auto done = from_.door->change(*call, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    begin(w, done->of.name, done->of.vids.front());
    // Whatever else is in the answer made room for the new one.
    if (done->of.vids.size() > 1) list(w.key("retired"), done->of, 1);
    w.end_object();
    return made(std::move(w), done->replayed);
  }

  outcome<response> list_vids(const request& r) const {
    const auto name = holder_of(r);
    if (!name) return std::unexpected(name.error());
    const auto of = from_.door->find(*name);
    if (!of) return std::unexpected(refusal(of.error()));
    auto out = all_of(*of);
    out.missed = of->vids.empty();
    return out;
  }

  outcome<response> change_all(const request& r, vid_action action) const {
    const auto call = call_for_holder(r, action);
    if (!call) return std::unexpected(call.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    const auto done = from_.door->change(*call, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    return all_of(done->of);
  }

  outcome<response> show(const request& r) const {
    const auto counter = counter_of(r);
    if (!counter) return std::unexpected(counter.error());
    const auto found = from_.door->resolve(*counter);
    if (!found) return std::unexpected(refusal(found.error()));
    if (!*found)
      return std::unexpected(
          refusal(error{errc::not_found,
                        "No policy has made this VID, or it ended so long ago that its holder no longer has it.",
                        {}}));
    json::writer w;
    begin(w, (*found)->holder, (*found)->vid);
    w.end_object();
    return answer(200, std::move(w), false);
  }

  outcome<response> change_one(const request& r, vid_action action) const {
    const auto counter = counter_of(r);
    if (!counter) return std::unexpected(counter.error());
    json::fields body(r.body, json::fields::empty_body::allowed);
    const auto assignment = body.optional_whole("assignment", {.least = 1, .most = UINT32_MAX});
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    actors::vid_call call;
    call.action = action;
    call.counter = *counter;
    call.assignment = static_cast<std::uint32_t>(assignment.value_or(0));
    const auto* operation = action == vid_action::use ? "vids.use" : "vids.regenerate";
    add_key(call, r, operation, std::to_string(*counter), std::to_string(call.assignment));
    const auto done = from_.door->change(call, caller_of(r));
    if (!done) return std::unexpected(refusal(done.error()));
    json::writer w;
    begin(w, done->of.name, done->of.vids.front());
    if (done->of.vids.size() > 1) {
      const bool renewed = action == vid_action::regenerate;
      begin(w.key(renewed ? "replaced" : "restored"), done->of.name, done->of.vids[1]);
      w.end_object();
    }
    w.end_object();
    return action == vid_action::regenerate ? made(std::move(w), done->replayed)
                                            : answer(200, std::move(w), done->replayed);
  }

private:
  static actors::caller caller_of(const request& r) { return {r.who->name, r.who->tenant, r.trace, r.deadline}; }

  outcome<void> check_served() const {
    if (from_.door != nullptr) return {};
    return std::unexpected(refusal(error{
        errc::not_found, "The identifier type that VID policies draw from (vid_policies.type) is disabled.", {}}));
  }

  outcome<std::string> holder_of(const request& r) const {
    if (auto served = check_served(); !served) return std::unexpected(served.error());
    const auto name = r.param("holder");
    if (name.size() <= holder::name_bytes_max) return std::string(name);
    return refuse(422, errc::invalid_argument,
                  fmt::format("The holder's name must be 1 to {} bytes long.", holder::name_bytes_max));
  }

  outcome<actors::vid_call> call_for_holder(const request& r, vid_action action) const {
    auto name = holder_of(r);
    if (!name) return std::unexpected(name.error());
    actors::vid_call call;
    call.action = action;
    call.holder = std::move(*name);
    return call;
  }

  outcome<std::uint64_t> counter_of(const request& r) const {
    if (auto served = check_served(); !served) return std::unexpected(served.error());
    const auto counter = from_.door->locate(r.param("vid"));
    if (!counter) return std::unexpected(refusal(counter.error()));
    if (*counter) return **counter;
    return std::unexpected(refusal(error{
        errc::not_found, fmt::format("No identifier of type '{}' looks like this.", from_.door->type().name), {}}));
  }

  /// @param of the holder or VID. A key counts for it alone: what it was answered with is kept by its issuer, and that
  /// of another one does not know of it.
  /// @param asked what stands in the fingerprint; not when
  static void add_key(actors::vid_call& call, const request& r, std::string_view operation, std::string_view of,
                      std::string_view asked) {
    if (r.idempotency_key.empty()) return;
    call.idempotency_ref = storage::idempotency::hash_of(
        {r.who->tenant, r.who->name, fmt::format("{}/{}", operation, of), r.idempotency_key});
    call.fingerprint = sha256(fmt::format("{}\n{}\n{}", operation, asked, of));
  }

  /// Leaves the object open.
  void begin(json::writer& w, std::string_view holder, const held_vid& v) const {
    w.begin_object().member("vid", v.id).member("policy", v.policy);
    w.member("state", to_string(v.state_at(from_.time->now()))).member("generated_at", to_rfc3339(v.generated_at));
    if (v.expires_at) w.member("expires_at", to_rfc3339(*v.expires_at));
    w.member_if("transactions_left", v.transactions_left);
    w.member("assignment", v.assignment).member("holder", holder);
  }

  void list(json::writer& w, const holder& of, std::size_t from) const {
    w.begin_array();
    for (std::size_t i = from; i < of.vids.size(); ++i) {
      begin(w, of.name, of.vids[i]);
      w.end_object();
    }
    w.end_array();
  }

  response all_of(const holder& of) const {
    json::writer w(64 + of.vids.size() * 256);
    w.begin_object().member("holder", of.name);
    list(w.key("items"), of, 0);
    w.end_object();
    return answer(200, std::move(w), false);
  }

  static response answer(int status, json::writer&& w, bool replayed) {
    response out{.status = status, .body = std::move(w).str()};
    if (replayed) out.headers.push_back({"Idempotent-Replayed", "true"});
    return out;
  }

  /// A VID was handed out, and counts so unless it is the one of before.
  static response made(json::writer&& w, bool replayed) {
    auto out = answer(201, std::move(w), replayed);
    out.issued = replayed ? 0 : 1;
    return out;
  }

  holder_sources from_;
};

} // namespace

std::vector<route> holder_routes(const holder_sources& sources) {
  require(sources.time != nullptr, "holder_routes needs a clock");
  const auto vids = std::make_shared<const holder_resource>(sources);
  const auto all = [vids](std::string path, vid_action action) {
    return route{"POST", std::move(path), "vids:revoke",
                 [vids, action](const request& r) { return vids->change_all(r, action); }};
  };
  const auto one = [vids](std::string path, std::string scope, vid_action action) {
    return route{"POST", std::move(path), std::move(scope),
                 [vids, action](const request& r) { return vids->change_one(r, action); }};
  };
  std::vector<route> routes{
      {"POST", "/v1/holders/{holder}/vids", "vids:issue", [vids](const request& r) { return vids->create(r); }},
      one("/v1/vids/{vid}/use", "vids:use", vid_action::use),
      one("/v1/vids/{vid}/regenerate", "vids:issue", vid_action::regenerate),
      {"GET", "/v1/holders/{holder}/vids", "vids:read", [vids](const request& r) { return vids->list_vids(r); }},
      all("/v1/holders/{holder}/vids/deactivate", vid_action::deactivate),
      all("/v1/holders/{holder}/vids/reactivate", vid_action::reactivate),
      {"GET", "/v1/vids/{vid}", "vids:read", [vids](const request& r) { return vids->show(r); }},
      one("/v1/vids/{vid}/revoke", "vids:revoke", vid_action::revoke),
  };
  for (std::size_t i = 0; i < 3; ++i) routes[i].idempotency = idempotency::accepted;
  for (auto& r : routes) {
    r.issues = r.scope == "vids:issue";
    // Whose name leads to something, and what is a VID, could be guessed; a creation takes any name.
    r.guessable = !(r.issues && r.path.contains("{holder}"));
  }
  return routes;
}

} // namespace matricula::api

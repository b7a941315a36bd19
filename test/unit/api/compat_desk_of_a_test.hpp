/// Identifiers in memory for the routes of other systems, behind a whole application: small types, a clock that a test
/// moves, and any error at will.
#pragma once
#include "api/application.hpp"
#include "api/compat/id_desk.hpp"
#include "api/compat/node_health.hpp"
#include "api/json.hpp"
#include "domain/identifiers/profiles.hpp"
#include "test/unit/api/request_from_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace matricula::api::compat {

/// Knows "Bearer <scopes, separated by +>": whoever names a scope has it. "Bearer later" cannot be told at present.
class scopes_in_token final : public authenticator {
public:
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp) const override {
    const auto header = from.header("Authorization");
    if (!header.starts_with("Bearer ")) return fail(errc::unauthenticated, "Send a token.");
    if (header == "Bearer later") return fail(errc::unavailable, "The issuer's keys could not be had yet.");
    principal who{"tester", "t1", {}};
    for (auto rest = header.substr(7); !rest.empty();) {
      const auto end = std::min(rest.find('+'), rest.size());
      who.scopes.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::make_shared<const principal>(std::move(who));
  }
};

/// Hands out the valid identifiers in order, and keeps to the lifecycles.
class desk_of_a_test final : public id_desk {
public:
  desk_of_a_test() {
    using identifiers::lifecycle;
    add("farmer", "openg2p", 6, lifecycle::pool);
    add("prid", "mosip-prid", 6, lifecycle::pool);
    add("tracking_id", "strict", 7, lifecycle::pool, identifiers::alphabet::letters_and_digits);
    add("uin", "mosip-uin", 6, lifecycle::uin);
    add("vid", "mosip-vid", 6, lifecycle::vid);
  }

  [[nodiscard]] std::vector<const identifiers::id_type*> types() const override {
    std::vector<const identifiers::id_type*> all;
    for (const auto& [name, type] : types_) all.push_back(&type);
    return all;
  }
  [[nodiscard]] const identifiers::id_type* find(std::string_view name) const override {
    const auto found = types_.find(std::string(name));
    return found == types_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] result<std::optional<storage::id_place>> locate(const identifiers::id_type& type,
                                                                std::string_view id) override {
    if (throws) throw std::runtime_error("a broken promise");
    if (fail_look_up_with) return std::unexpected(*fail_look_up_with);
    const auto counter = type.space->counter_of(id);
    if (!counter) return std::optional<storage::id_place>{};
    storage::id_place place{static_cast<std::uint64_t>(*counter), 0, std::nullopt};
    if (const auto found = records.find({type.name, place.counter}); found != records.end())
      place.record = found->second;
    return std::optional(std::move(place));
  }
  [[nodiscard]] result<std::optional<std::uint64_t>> counter_of(const identifiers::id_type& type,
                                                                std::string_view id) override {
    const auto place = locate(type, id);
    if (!place) return std::unexpected(place.error());
    return *place ? std::optional((*place)->counter) : std::nullopt;
  }
  [[nodiscard]] bool reads_to_change(const identifiers::id_type&) const override { return reads; }
  [[nodiscard]] result<actors::issue_result> issue(const identifiers::id_type& type, const actors::issue_call& what,
                                                   const actors::caller& who) override {
    if (throws) throw std::runtime_error("a broken promise");
    if (fail_with) return std::unexpected(*fail_with);
    last_call = what;
    last_caller = who.principal;
    const auto next = unused(type);
    identifiers::id_record record;
    record.id = std::string(next.id.view());
    record.assignment = 1;
    record.state = *next_state(type.rules.of, identifiers::id_state::available, identifiers::id_event::issue);
    records[{type.name, next.counter}] = record;
    actors::issue_result answer;
    answer.issued.ids = {record.id};
    answer.issued.assignments = {1};
    answer.replayed = replayed;
    return answer;
  }
  [[nodiscard]] result<identifiers::id_record> change(const identifiers::id_type& type, std::uint64_t counter,
                                                      identifiers::id_event event, std::uint32_t assignment,
                                                      const actors::caller&) override {
    if (throws) throw std::runtime_error("a broken promise");
    if (fail_with) return std::unexpected(*fail_with);
    const auto found = records.find({type.name, counter});
    if (found == records.end()) return fail(errc::not_found, "This identifier was never issued.");
    auto& record = found->second;
    if (assignment != 0 && assignment != record.assignment) return fail(errc::stale_assignment, "Stale.");
    if (already_done(type.rules.of, record.state, event)) return record;
    const auto to = next_state(type.rules.of, record.state, event);
    if (!to) return fail(errc::conflict, "Not in this state.");
    record.state = *to;
    return record;
  }

  /// A valid identifier that was never issued.
  [[nodiscard]] identifiers::candidate unused(const identifiers::id_type& type) const {
    std::uint64_t from = 0;
    for (;;) {
      std::vector<identifiers::candidate> found;
      from = type.space->walk({.from = from, .ids_max = 1}, found);
      EXPECT_EQ(found.size(), 1U);
      if (!records.contains({type.name, found.front().counter})) return found.front();
    }
  }
  [[nodiscard]] std::string unused(const std::string& type) const {
    return std::string(unused(types_.at(type)).id.view());
  }
  void set_state(const std::string& type, const std::string& id, identifiers::id_state state) {
    records.at({type, static_cast<std::uint64_t>(*types_.at(type).space->counter_of(id))}).state = state;
  }
  void forget(const std::string& type) { types_.erase(type); }

  std::map<std::pair<std::string, std::uint64_t>, identifiers::id_record> records;
  std::optional<error> fail_with;         ///< of issue and change
  std::optional<error> fail_look_up_with; ///< of locate
  actors::issue_call last_call;
  std::string last_caller;
  bool replayed = false;
  bool throws = false; ///< instead of an answer
  bool reads = true;   ///< rows, before a change

private:
  void add(const std::string& name, std::string_view profile, std::size_t length, identifiers::lifecycle of,
           identifiers::alphabet letters = identifiers::alphabet::digits) {
    static const auto key = *identifiers::permutation_key::from_bytes(std::string(32, 'k'));
    seeded_random random(1);
    auto type = identifiers::make_type({.name = name,
                                        .profile = std::string(profile),
                                        .format = {letters, length, *identifiers::find_profile(profile)},
                                        .of = of,
                                        .limits = {1, 2}},
                                       key, random);
    EXPECT_TRUE(type) << (type ? "" : type.error().message);
    if (type) types_.emplace(name, std::move(*type));
  }
  std::map<std::string, identifiers::id_type> types_;
};

class compat_test : public testing::Test {
protected:
  static constexpr const char* now_text = "2027-01-15T08:00:00.000Z";

  class settable_clock final : public clock {
  public:
    [[nodiscard]] timestamp wall() const override { return timestamp(milliseconds(1'800'000'000'000)); }
    [[nodiscard]] std::chrono::nanoseconds monotonic() const override { return std::chrono::hours(1); }
  };

  node_health health() {
    return {.storage = [this] { return storage; }, .pools = [this] { return pools; }, .disk = [this] { return disk; }};
  }
  void add(std::vector<route> routes) {
    const auto ok = app.add(std::move(routes));
    EXPECT_TRUE(ok) << (ok ? "" : ok.error().message);
  }

  using headers = std::map<std::string, std::string>;
  response ask(const std::string& method, const std::string& target, const std::string& body = "",
               const headers& more = {}) {
    headers all{{"Authorization", "Bearer *"}};
    if (!body.empty()) all["Content-Type"] = "application/json";
    for (const auto& [name, value] : more) all[name] = value;
    if (all["Authorization"].empty()) all.erase("Authorization");
    request_from_text what(method, target, all, body);
    return app.answer(what);
  }
  response get(const std::string& target, const headers& more = {}) { return ask("GET", target, "", more); }

  /// The same routes where none is open.
  std::unique_ptr<application> guarded(std::vector<route> routes) {
    auto made = std::make_unique<application>(application_options{.limits = {.access_log = false}, .open_routes = {}},
                                              who, guarded_numbers, time);
    EXPECT_TRUE(made->add(std::move(routes)));
    return made;
  }

  desk_of_a_test desk;
  result<void> storage;
  result<void> pools;
  disk_space disk{1'000'000, 500'000, 100'000};
  metrics numbers;
  metrics guarded_numbers;
  settable_clock time;
  scopes_in_token who;
  application app{
      {.limits = {.access_log = false}, .open_routes = {"GET /v1/pridgenerator/prid", "PUT /v1/idgenerator/uin"}},
      who,
      numbers,
      time};
};

} // namespace matricula::api::compat

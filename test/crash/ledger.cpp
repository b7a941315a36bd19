#include "test/crash/ledger.hpp"

#include <algorithm>
#include <thread>

namespace matricula::test {

using nlohmann::json;

namespace {
std::string state_when_issued(const std::string& type) {
  if (type == "vid") return "ASSIGNED";
  return type == "uin" || type == "social_id" || type == "family_id" ? "ISSUED" : "TAKEN";
}
} // namespace

void ledger::issued(const std::string& type, const std::string& body, const std::string& key,
                    const std::string& request) {
  const auto answer = json::parse(body);
  auto ids = answer.at("ids").get<std::vector<std::string>>();
  const std::scoped_lock hold(guard_);
  ++writes_;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto assignment = answer.at("assignments").at(i).get<std::uint32_t>();
    auto& held = held_[type + "/" + ids[i]];
    // A returned number may be issued again: under a higher assignment, to somebody else.
    const bool again = !held.type.empty();
    if (again && (assignment <= held.assignment || !held.states.contains("AVAILABLE")))
      violations_.push_back(type + "/" + ids[i] + " was issued twice");
    held = {type, assignment, {state_when_issued(type)}};
    if (!again) order_.push_back(type + "/" + ids[i]);
  }
  if (!key.empty())
    keys_.push_back(
        {type, key, request, body, std::move(ids), answer.at("assignments").get<std::vector<std::uint32_t>>()});
}

void ledger::changing(const std::string& type, const std::string& id, const std::string& to) {
  const std::scoped_lock hold(guard_);
  held_.at(type + "/" + id).states.insert(to);
}

void ledger::changed(const std::string& type, const std::string& id, const std::string& to) {
  const std::scoped_lock hold(guard_);
  ++writes_;
  auto& held = held_.at(type + "/" + id);
  // A number that went back may be somebody else's by now; its own record tells.
  if (held.states.contains(to)) held.states = {to};
}

std::size_t ledger::writes() const {
  const std::scoped_lock hold(guard_);
  return writes_;
}

std::size_t ledger::identifiers() const {
  const std::scoped_lock hold(guard_);
  return order_.size();
}

std::vector<std::string> ledger::violations() const {
  const std::scoped_lock hold(guard_);
  return violations_;
}

void ledger::check_one(http_client& http, const std::string& id, const holding& held, std::vector<std::string>& lies) {
  const auto answer = http.send({.target = "/v1/ids/" + id});
  if (!answer || answer->status != 200) {
    lies.push_back(id + ": " + (answer ? std::to_string(answer->status) + " " + answer->body : "no answer"));
    return;
  }
  const auto record = json::parse(answer->body);
  const auto state = record.at("state").get<std::string>();
  const auto assignment = record.at("assignment").get<std::uint32_t>();
  // Issued again without the client having seen the answer: a later assignment of a number that had gone back.
  const bool given_on = assignment > held.assignment && held.states.contains("AVAILABLE");
  if (given_on) return;
  if (assignment != held.assignment || !held.states.contains(state)) {
    std::string wanted;
    for (const auto& one : held.states) wanted += " " + one;
    lies.push_back(id + " is " + state + " of assignment " + std::to_string(assignment) + ", acknowledged was" +
                   wanted + " of assignment " + std::to_string(held.assignment));
  }
}

void ledger::check_key(http_client& http, const keyed& one, std::vector<std::string>& lies) const {
  const auto answer = http.send({.method = "POST",
                                 .target = "/v1/ids/" + one.type,
                                 .body = one.request,
                                 .headers = {{"Idempotency-Key", one.key}}});
  bool may_have_ended = false;
  std::string known;
  for (std::size_t i = 0; i < one.ids.size(); ++i) {
    const auto& held = held_.at(one.type + "/" + one.ids[i]);
    // Ended by this client, or since then somebody else's.
    may_have_ended = may_have_ended || held.states.contains("AVAILABLE") || held.states.contains("EXPIRED") ||
                     held.assignment > one.assignments[i];
    known += " " + one.ids[i] + " of assignment " + std::to_string(held.assignment);
    for (const auto& state : held.states) known += " " + state;
  }
  if (answer && answer->status == 201 && answer->body == one.body && answer->header("Idempotent-Replayed") == "true")
    return;
  if (answer && answer->status == 410 && may_have_ended) return;
  lies.push_back("key " + one.key + ": " +
                 (answer ? std::to_string(answer->status) + " " + answer->body : "no answer") + ", acknowledged was " +
                 one.body);
}

std::vector<std::string> ledger::check(std::uint16_t port, const std::string& token, unsigned threads,
                                       std::size_t sample_of_older) {
  // Nobody writes meanwhile; only the counters of the next place need a lock.
  std::vector<std::size_t> ids, keys;
  const auto pick = [sample_of_older](std::size_t checked, std::size_t all, std::vector<std::size_t>& into) {
    const auto step = std::max<std::size_t>(1, sample_of_older == 0 ? checked + 1 : checked / sample_of_older);
    for (std::size_t i = 0; i < checked && sample_of_older > 0; i += step) into.push_back(i);
    for (std::size_t i = checked; i < all; ++i) into.push_back(i);
  };
  pick(checked_ids_, order_.size(), ids);
  pick(checked_keys_, keys_.size(), keys);
  std::vector<std::vector<std::string>> lies(threads);
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      http_client http(port, token);
      for (std::size_t i = t; i < ids.size(); i += threads)
        check_one(http, order_[ids[i]], held_.at(order_[ids[i]]), lies[t]);
      for (std::size_t i = t; i < keys.size(); i += threads) check_key(http, keys_[keys[i]], lies[t]);
    });
  for (auto& worker : workers) worker.join();
  checked_ids_ = order_.size();
  checked_keys_ = keys_.size();
  auto all = violations_;
  for (auto& some : lies) all.insert(all.end(), some.begin(), some.end());
  return all;
}

} // namespace matricula::test

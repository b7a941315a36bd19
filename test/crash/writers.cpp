#include "test/crash/writers.hpp"

#include <random>

namespace matricula::test {

using nlohmann::json;

writers::writers(const node_process& node, ledger& into, const writer_options& options)
    : ledger_(into), left_(options.issues) {
  for (unsigned t = 0; t < options.threads; ++t)
    threads_.emplace_back([this, &node, seed = options.seed * 1'000 + t, mixed = options.issues == 0] {
      mixed ? mix(node.client(), seed) : only_issues(node.client());
    });
}

void writers::join() {
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

std::map<std::string, std::size_t> writers::refused() const {
  const std::scoped_lock hold(guard_);
  return refused_;
}

std::optional<http_answer> writers::ask(http_client& http, const http_request& what) {
  auto answer = http.send(what);
  if (!answer) {
    ++unanswered_;
    return std::nullopt;
  }
  if (answer->status >= 300) {
    const auto problem = json::parse(answer->body, nullptr, false);
    const std::scoped_lock hold(guard_);
    ++refused_[problem.is_object() ? problem.value("code", "no code") : "status " + std::to_string(answer->status)];
  }
  return answer;
}

void writers::only_issues(http_client http) {
  for (;;) {
    auto left = left_.load();
    while (left > 0 && !left_.compare_exchange_weak(left, left - 1)) {
    }
    if (left == 0) return;
    const auto answer = ask(http, {.method = "POST", .target = "/v1/ids/uin"});
    if (!answer) return;
    if (answer->status == 201)
      ledger_.issued("uin", answer->body, "", "");
    else
      ++left_; // asked again
  }
}

void writers::mix(http_client http, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> mine; // uins, issued and not yet changed
  std::vector<std::string> vids;
  for (std::uint64_t i = 0; !stopping_; ++i) {
    const auto dice = random() % 100;
    const bool change_uin = dice < 20 && !mine.empty();
    const bool revoke_vid = dice >= 20 && dice < 30 && !vids.empty();
    if (change_uin || revoke_vid) {
      auto& from = change_uin ? mine : vids;
      const auto id = from.back();
      from.pop_back();
      const bool give_back = change_uin && dice < 8;
      const std::string type = change_uin ? "uin" : "vid";
      const std::string to = revoke_vid ? "EXPIRED" : give_back ? "AVAILABLE" : "ASSIGNED";
      ledger_.changing(type, id, to);
      const auto answer = ask(http, {.method = "POST",
                                     .target = "/v1/ids/" + type + "/" + id +
                                               (revoke_vid  ? "/revoke"
                                                : give_back ? "/return"
                                                            : "/confirm"),
                                     .body = R"({"assignment":1})"});
      if (!answer) return;
      if (answer->status == 200) ledger_.changed(type, id, to);
      continue;
    }
    constexpr const char* types[] = {"uin", "uin", "vid", "farmer", "tracking_id"};
    const std::string type = types[random() % std::size(types)];
    const bool batch = dice >= 60 && dice < 70;
    const bool keyed = dice >= 70;
    auto body = json::object();
    if (batch) body["count"] = 2 + random() % 60;
    if (type == "vid" && dice % 2 == 0) body["expires_in_days"] = 30;
    const auto request = body.empty() ? std::string() : body.dump();
    const auto key = keyed ? "key-" + std::to_string(seed) + "-" + std::to_string(i) : "";
    http_request what{.method = "POST", .target = "/v1/ids/" + type, .body = request};
    if (keyed) what.headers = {{"Idempotency-Key", key}};
    const auto answer = ask(http, what);
    if (!answer) return;
    if (answer->status != 201) continue;
    ledger_.issued(type, answer->body, key, request);
    const auto issued = json::parse(answer->body);
    if (type != "uin" && type != "vid") continue;
    for (std::size_t k = 0; k < issued.at("ids").size(); ++k)
      if (issued.at("assignments").at(k) == 1) // the number that the change will name
        (type == "uin" ? mine : vids).push_back(issued.at("ids").at(k).get<std::string>());
  }
}

} // namespace matricula::test

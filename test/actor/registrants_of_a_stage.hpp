/// Registrants on a stage: their workers, a generator that is not ours, and what clients say and see.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/registrants/local_id_handlers.hpp"
#include "actors/registrants/remote_id_handlers.hpp"
#include "storage/registrants.hpp"
#include "test/actor/queue_of_a_stage.hpp"

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::actor_test {

/// The generator of another system, which does not know requests again. It counts what it has given out, and answers as
/// it is told; then with new identifiers.
class foreign_generator final : public registrants::id_generator {
public:
  registrants::generator_answer issue(std::string_view) override {
    ++calls;
    auto answer = next();
    // It may have given one out though its answer is lost.
    if (answer.outcome == registrants::call_outcome::done) {
      if (answer.id.empty()) answer.id = fmt::format("F{:06}", given.size() + 1);
      given.insert(answer.id);
    }
    return answer;
  }
  registrants::generator_answer confirm(std::string_view id) override {
    confirmed.insert(std::string(id));
    return {registrants::call_outcome::done, {}, {}, {}};
  }
  [[nodiscard]] bool knows_requests() const noexcept override { return false; }

  std::deque<registrants::generator_answer> script;
  std::size_t calls = 0;
  std::set<std::string> given, confirmed;

  bool last_for_ever = false; ///< of the script

private:
  registrants::generator_answer next() {
    if (script.empty()) return {registrants::call_outcome::done, {}, {}, {}};
    auto answer = script.front();
    if (script.size() > 1 || !last_for_ever) script.pop_front();
    return answer;
  }
};

/// Work that blocks, done when the test says so. It points at the node's actors: forget it before the node goes.
struct waiting_work {
  std::deque<std::function<void()>> items;
  [[nodiscard]] bool do_one() {
    if (items.empty()) return false;
    auto one = std::move(items.front());
    items.pop_front();
    one();
    return true;
  }
};

inline actors::queue_context types_of_registrants(std::uint32_t tries_max = 5) {
  actors::queue_context cx;
  for (const auto name : {registrants::request_worker, registrants::update_worker})
    cx.types.push_back({.name = std::string(name),
                        .retry = {.tries_max = tries_max, .backoff_first = 1s, .backoff_max = 2s, .not_yet = 1s},
                        .lease = 10s});
  return cx;
}

class registrants_of_a_stage {
public:
  static constexpr std::string_view request_path = "root/domain/tasks/id_generation_request_worker/1";

  explicit registrants_of_a_stage(stage& s) : s_(s), queue_(s) {}

  [[nodiscard]] auto send(std::vector<actors::new_registrant> wanted, std::string key = {}) {
    actors::create_registrants m;
    m.registrants = std::move(wanted);
    if (!key.empty()) {
      m.idempotency_ref = key;
      m.idempotency_ref.resize(16, '.');
      m.fingerprint = std::string(32, m.registrants.front().kind.front());
    }
    return queue_.ask<std::vector<actors::created_registrant>>(std::move(m));
  }
  [[nodiscard]] actors::new_registrant one(std::string reference = {}, std::string data = {}) const {
    return {"individual", s_.type().name(), std::move(reference), std::move(data)};
  }
  std::uint64_t create(std::string reference = {}) {
    const auto made = queue_.answer(send({one(std::move(reference))}));
    EXPECT_TRUE(made) << made.error().message;
    return made ? made->front().id : 0;
  }
  [[nodiscard]] registrants::registrant find(std::uint64_t id) const {
    const auto found = storage::find_registrant(storage::reader_of(*s_.durable()), part(), id);
    EXPECT_TRUE(found && *found) << "there is no registrant " << id;
    return found && *found ? **found : registrants::registrant{};
  }
  [[nodiscard]] tasks::task task(std::uint64_t id) const { return queue_.find(id).task; }
  [[nodiscard]] std::vector<registrants::generator_call> calls(bool in_doubt = true) const {
    return storage::list_calls(*s_.durable(), part(), in_doubt, 0, 1'000).value();
  }
  result<registrants::registrant> request_id(std::uint64_t id) {
    actors::request_registrant_id m;
    m.id = id;
    return queue_.answer(queue_.ask<registrants::registrant>(std::move(m)));
  }
  result<registrants::generator_call> resolve(std::uint64_t call, std::string unique_id) {
    actors::resolve_generator_call m;
    m.call = call;
    m.unique_id = std::move(unique_id);
    m.note = "looked it up";
    return queue_.answer(queue_.ask<registrants::generator_call>(std::move(m)));
  }
  /// What `matricula verify` says of tasks, registrants and identifiers.
  [[nodiscard]] std::string verified() const {
    storage::verify_report report;
    storage::tasks_verifier().check(*s_.durable(), report);
    storage::registrants_verifier().check(*s_.durable(), report);
    std::string said = s_.verify();
    for (const auto& problem : report.problems()) said += problem.message + "\n";
    return said;
  }
  [[nodiscard]] storage::registrant_partition part() const { return storage::registrants_of(s_.queue()->part); }
  [[nodiscard]] queue_of_a_stage& queue() noexcept { return queue_; }

private:
  stage& s_;
  queue_of_a_stage queue_;
};

/// Workers whose identifiers come from the stage's own pool.
inline stage_options local_workers(std::uint32_t tries_max = 5) {
  stage_options o;
  o.of = identifiers::lifecycle::uin;
  o.tasks = types_of_registrants(tries_max);
  o.workers = [](const auto& queue, const auto& contexts, caf::actor_system& system) {
    const auto pools = std::make_shared<actors::id_door>(contexts, nullptr);
    std::vector<std::shared_ptr<const actors::worker_pool>> made;
    made.push_back(actors::make_worker_pool(
        queue, queue->types[0], std::make_shared<actors::local_request_handler>(queue, pools), 2, system, {}));
    made.push_back(actors::make_worker_pool(
        queue, queue->types[1], std::make_shared<actors::local_update_handler>(queue, pools), 1, system, {}));
    return made;
  };
  return o;
}

/// Workers that call a generator that is not ours.
inline stage_options foreign_workers(std::shared_ptr<foreign_generator> generator, std::shared_ptr<waiting_work> work,
                                     std::uint32_t tries_max = 5) {
  auto o = local_workers(tries_max);
  o.workers = [generator, work](const auto& queue, const auto&, caf::actor_system& system) {
    const actors::remote_generator from{"foreign", generator};
    const actors::blocking_work later = [work](std::function<void()> f) { work->items.push_back(std::move(f)); };
    std::vector<std::shared_ptr<const actors::worker_pool>> made;
    made.push_back(actors::make_worker_pool(
        queue, queue->types[0], std::make_shared<actors::remote_request_handler>(queue, from, later), 1, system, {}));
    made.push_back(actors::make_worker_pool(
        queue, queue->types[1], std::make_shared<actors::remote_update_handler>(queue, from, later), 1, system, {}));
    return made;
  };
  return o;
}

} // namespace matricula::actor_test

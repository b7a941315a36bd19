/// What a worker inside of the node does with a task. A further worker type is one class that implements this and one
/// line in commands/task_handlers.cpp. No CAF shows here.
#pragma once
#include "actors/registrants/new_registrant.hpp"
#include "actors/tasks/new_task.hpp"
#include "domain/tasks/task.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace matricula::actors {

/// How a try ended, and what is to follow from it in the same write.
struct task_end {
  tasks::outcome how;
  std::vector<new_task> then;
  registrant_effect effect; ///< of tasks that concern registrants

  [[nodiscard]] static task_end done(std::string result = {}) {
    return {{tasks::outcome_kind::done, std::move(result), std::nullopt}, {}, {}};
  }
  [[nodiscard]] static task_end not_yet(std::string why, std::optional<milliseconds> again = std::nullopt) {
    return {{tasks::outcome_kind::not_yet, std::move(why), again}, {}, {}};
  }
  [[nodiscard]] static task_end transient(std::string why, std::optional<milliseconds> again = std::nullopt) {
    return {{tasks::outcome_kind::transient, std::move(why), again}, {}, {}};
  }
  [[nodiscard]] static task_end permanent(std::string why) {
    return {{tasks::outcome_kind::permanent, std::move(why), std::nullopt}, {}, {}};
  }
};

/// Does work that blocks, later and elsewhere: threads in production, a step of the simulation.
using blocking_work = std::function<void(std::function<void()>)>;

class task_handler {
public:
  virtual ~task_handler() = default;

  using done_callback = std::function<void(task_end)>;
  /// Begins the try and returns soon; `done` is called once, on any thread, perhaps before this returns. What it throws
  /// instead ends the try as transient. The lease is renewed until `done` is called.
  virtual void run(const leased_task& what, done_callback done) = 0;
  /// Tries that one worker may have in hand at once.
  [[nodiscard]] virtual std::uint32_t in_hand_max() const noexcept { return 1; }
  /// The node is stopping and has waited long enough: tries that run are to end soon, however that is.
  virtual void stop() {}
};

} // namespace matricula::actors

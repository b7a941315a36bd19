#include "runtime/system.hpp"

#include "foundation/thread.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/thread_hook.hpp>

#include <algorithm>
#include <thread>

namespace matricula::runtime {

namespace {

/// Almost every request wakes a worker; what wakes it has often more to send.
class worker_threads final : public caf::thread_hook {
public:
  void init(caf::actor_system&) override {}
  void thread_started() override {
    name_this_thread("actor-worker");
    wake_without_preempting();
  }
  void thread_terminates() override {}
};

} // namespace

std::unique_ptr<caf::actor_system_config>
make_system_config(const system_options& options, const std::function<void(caf::actor_system_config&)>& declare) {
  auto config = std::make_unique<caf::actor_system_config>();
  const bool testing = options.how == system_options::scheduling::testing;
  // Not work stealing, CAF's default: its idle workers look for work every 50 us in the pauses between requests,
  // and take the processor from the threads that serve them.
  config->set("scheduler.policy", testing ? caf::atom("testing") : caf::atom("sharing"));
  const auto cores = std::max<std::size_t>(2, std::thread::hardware_concurrency());
  config->set("scheduler.max-threads", options.threads != 0 ? options.threads : cores);
  // CAF's default is no limit at all: one busy actor would keep its worker for ever.
  config->set("scheduler.max-throughput", options.messages_per_turn);
  config->set("logger.verbosity", caf::atom("quiet"));
  config->add_thread_hook<worker_threads>();
  if (declare) declare(*config);
  return config;
}

result<void> stop_gracefully(caf::actor_system& system, caf::actor root, std::chrono::milliseconds deadline) {
  caf::scoped_actor self{system, true};
  self->monitor(root);
  self->send_exit(root, caf::exit_reason::user_shutdown);
  const auto awaited = root.address();
  // The handle must go: one that outlives a detached actor hangs the actor system's destructor.
  root = nullptr;
  const auto until = std::chrono::steady_clock::now() + deadline;
  bool down = false;
  while (!down) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds{0}) break;
    bool timed_out = false;
    self->receive(
        [&](const caf::down_msg& message) { down = message.source == awaited; },
        caf::after(std::chrono::duration_cast<std::chrono::milliseconds>(left) + std::chrono::milliseconds(1)) >>
            [&] { timed_out = true; });
    if (timed_out) break;
  }
  if (!down) return fail(errc::deadline_exceeded, "Not every actor stopped in time; what was acknowledged is durable.");
  return {};
}

} // namespace matricula::runtime

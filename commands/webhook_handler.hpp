/// The worker type `webhook`: delivers what a task's payload holds to an address of the settings.
#pragma once
#include "actors/tasks/task_handler.hpp"
#include "config/settings.hpp"
#include "connectors/webhook.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"
#include "runtime/blocking_threads.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace matricula::commands {

class webhook_handler final : public actors::task_handler {
public:
  static constexpr std::string_view worker_type = "webhook";

  /// All webhooks of the settings. @param at_once deliveries, 1 or more. @param time must live longer
  /// Errors: as make_webhook.
  [[nodiscard]] static result<std::shared_ptr<webhook_handler>> make(const config::settings& s, std::uint32_t at_once,
                                                                     const clock& time);

  /// Payload: {"webhook": NAME, "url": ADDRESS, "body": JSON}. `webhook` may be missing where there is one only, and
  /// `url` where the webhook's own is meant. The delivery's id is "task-17" for each try of task 17.
  void run(const actors::leased_task& what, done_callback done) override;
  void stop() override;

private:
  webhook_handler(std::map<std::string, std::unique_ptr<connectors::webhook>> to, std::uint32_t at_once)
      : to_(std::move(to)), threads_(at_once) {}
  struct order {
    connectors::webhook* to = nullptr;
    connectors::delivery what;
  };
  /// Errors: invalid_argument: what is wrong with the payload.
  [[nodiscard]] result<order> read(const tasks::task& t) const;

  std::map<std::string, std::unique_ptr<connectors::webhook>> to_;
  runtime::blocking_threads threads_; ///< gone before the webhooks
};

} // namespace matricula::commands

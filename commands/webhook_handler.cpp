#include "commands/webhook_handler.hpp"

#include "api/json.hpp"
#include "commands/outside_systems.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

namespace matricula::commands {

using actors::task_end;

namespace {

constexpr std::size_t name_bytes_max = 64;
constexpr std::size_t url_bytes_max = 2'048;

task_end end_for(const connectors::delivery_answer& answer) {
  switch (answer.outcome) {
  case connectors::delivery_outcome::done:
    return task_end::done(fmt::format(R"({{"status":{}}})", answer.status));
  case connectors::delivery_outcome::refused:
    return task_end::permanent(answer.error);
  case connectors::delivery_outcome::again:
    break;
  }
  return task_end::transient(answer.error, answer.try_again);
}

task_end deliver(connectors::webhook& to, const connectors::delivery& what) {
  try {
    return end_for(to.deliver(what));
  } catch (const std::exception& e) {
    return task_end::transient(std::string("The delivery failed: ") + e.what());
  }
}

} // namespace

result<std::shared_ptr<webhook_handler>> webhook_handler::make(const config::settings& s, std::uint32_t at_once,
                                                               const clock& time) {
  std::map<std::string, std::unique_ptr<connectors::webhook>> to;
  for (const auto& [name, unused] : s.webhooks) {
    auto made = make_webhook(s, name, time);
    if (!made) return std::unexpected(made.error());
    to.emplace(name, std::move(*made));
  }
  return std::shared_ptr<webhook_handler>(new webhook_handler(std::move(to), at_once));
}

result<webhook_handler::order> webhook_handler::read(const tasks::task& t) const {
  api::json::fields payload(t.payload);
  const auto name = payload.optional_text("webhook", {.bytes_max = name_bytes_max});
  const auto url = payload.optional_text("url", {.bytes_max = url_bytes_max});
  const auto* const body = payload.any("body");
  if (const auto wrong = payload.wrong()) return fail(errc::invalid_argument, "The payload: " + wrong->cause.message);
  if (body == nullptr) return fail(errc::invalid_argument, "The payload has no body to deliver.");
  if (to_.empty()) return fail(errc::invalid_argument, "The settings of this node have no [webhooks.NAME].");
  if (!name && to_.size() > 1) return fail(errc::invalid_argument, "The payload names none of the node's webhooks.");
  const auto found = name ? to_.find(*name) : to_.begin();
  if (found == to_.end()) return fail(errc::invalid_argument, fmt::format("No webhook is called '{}'.", *name));
  order out{found->second.get(), {fmt::format("task-{}", t.id), api::json::text_of(*body)}};
  if (!url) return out;
  out.what.at = location_of(*url);
  if (!out.what.at) return fail(errc::invalid_argument, "The payload's url is no address of http or https.");
  return out;
}

void webhook_handler::run(const actors::leased_task& what, done_callback done) {
  auto ordered = read(what.task);
  if (!ordered) return done(task_end::permanent(ordered.error().message));
  threads_.post([order = std::move(*ordered), done = std::move(done)] { done(deliver(*order.to, order.what)); });
}

void webhook_handler::stop() {
  for (const auto& [name, one] : to_) one->stop();
}

} // namespace matricula::commands

#include "commands/limits_from_server.hpp"

#include "config/reload.hpp"
#include "config/url.hpp"
#include "foundation/log.hpp"

#include <prometheus/gauge.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace matricula::commands {

connectors::config_server_options config_server_options_of(const config::settings& s, const clock& time) {
  const auto& server = s.config_server;
  connectors::config_server_options out;
  if (const auto url = config::split_url(server.url)) {
    auto path = url->target;
    while (path.ends_with('/')) path.pop_back();
    out.from = {.tls = url->tls,
                .host = url->host,
                .port = url->port,
                .target = path + "/" + server.application + "/" + server.profile + "/" + server.label,
                .user = server.user,
                .password = server.password,
                .ca_file = server.ca_file};
  }
  out.every = std::chrono::seconds(server.refresh_s);
  out.at_most = std::chrono::milliseconds(server.timeout_ms);
  out.kept_in = std::filesystem::path(s.storage.data_dir) / "CONFIG_SERVER.matricula";
  out.time = &time;
  return out;
}

void put_limits(config::loaded& into, const connectors::limits_of_types& limits) {
  const auto put = [&](const std::string& type, const char* key, std::uint32_t& place, std::uint32_t value) {
    if (place == value) return;
    place = value;
    into.origins.insert_or_assign("identifiers.types." + type + "." + key,
                                  config::origin{.from = config::source::config_server, .name = {}});
  };
  for (const auto& [name, said] : limits) {
    const auto type = into.values.identifiers.types.find(name);
    if (type == into.values.identifiers.types.end()) continue;
    auto& own = type->second;
    if (said.pool_min) put(name, "pool_min", own.pool_min, *said.pool_min);
    const auto target = std::max(said.pool_target.value_or(own.pool_target), own.pool_min);
    put(name, "pool_target", own.pool_target, target);
    if (said.cool_off_seconds) put(name, "cool_off_seconds", own.cool_off_seconds, *said.cool_off_seconds);
  }
}

server_limits::server_limits(const config::loaded& plain, const clock& time) : plain_(plain) {
  if (!plain.values.config_server.url.empty())
    server_ = std::make_unique<connectors::config_server>(config_server_options_of(plain.values, time));
}

void server_limits::ask_first(config::loaded& running) {
  if (!server_) return;
  server_->ask_first();
  put_limits(running, server_->limits());
}

void server_limits::go_on(std::function<void(const connectors::limits_of_types&)> changed) {
  if (server_) server_->go_on(std::move(changed));
}

void server_limits::stop() {
  if (server_) server_->stop();
}

void server_limits::take_settings(config::loaded& fresh) {
  plain_ = config::after_reload(plain_, fresh);
  if (server_) put_limits(fresh, server_->limits());
}

config::loaded server_limits::with(const config::loaded& running, const connectors::limits_of_types& limits) const {
  auto fresh = plain_;
  put_limits(fresh, limits);
  for (const auto& change : config::diff_reload(running.values, fresh.values).restart)
    log::warning("config.needs_restart", "This setting changes at the next start.", {{"key", change.key}});
  return config::after_reload(running, fresh);
}

void server_limits::publish(metrics& numbers) const {
  if (!server_) return;
  const auto now = server_->now();
  const auto set = [&](const char* name, const char* help, double value) { numbers.gauge(name, help).Set(value); };
  set("matricula_config_server_failures", "Questions to the configuration server without a good answer.",
      static_cast<double>(now.failures));
  set("matricula_config_server_refused_values", "Its values that were refused.", static_cast<double>(now.refused));
  set("matricula_config_server_age_seconds", "Since its values in use were read; -1 while there are none.",
      now.age < std::chrono::milliseconds{0} ? -1 : std::chrono::duration<double>(now.age).count());
}

} // namespace matricula::commands

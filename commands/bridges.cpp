#include "commands/bridges.hpp"

#include "commands/private_file.hpp"

#include <fmt/format.h>
#include <prometheus/gauge.h>

#include <algorithm>

namespace matricula::commands {

namespace postgres = connectors::postgres;

namespace {

constexpr std::size_t password_bytes_max = 4096;

result<std::string> first_line_of(const std::string& file) {
  auto text = read_private_file(file, "password_file", password_bytes_max);
  if (!text) return text;
  auto line = text->substr(0, text->find('\n'));
  while (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return fail(errc::invalid_argument, fmt::format("password_file {} has no first line.", file));
  return line;
}

void add(postgres::bridge_counters& to, const postgres::bridge_counters& more) {
  to.identifiers_given += more.identifiers_given;
  to.tasks_completed += more.tasks_completed;
  to.tasks_failed += more.tasks_failed;
  to.tries_failed += more.tries_failed;
  to.none_available += more.none_available;
  to.doubts_listed += more.doubts_listed;
  to.seen_others += more.seen_others;
  to.overwritten += more.overwritten;
  to.connections_lost += more.connections_lost;
  to.statements_refused += more.statements_refused;
}

} // namespace

result<postgres::bridge_options> bridge_options_of(const std::string& name, const config::bridge_settings& s,
                                                   std::string_view timeline, const clock& time) {
  postgres::bridge_options out;
  out.name = name;
  out.database.connection = s.connection;
  out.database.password = s.password;
  if (!s.password_file.empty()) {
    auto line = first_line_of(s.password_file);
    if (!line) return std::unexpected(line.error());
    out.database.password = std::move(*line);
  }
  out.database.statement_at_most = milliseconds{s.statement_timeout_ms};
  out.database.lock_at_most = std::min(out.database.lock_at_most, out.database.statement_at_most / 4);
  const bool older = s.queue == "id_generation";
  out.tables.kind = older ? postgres::table_kind::id_generation : postgres::table_kind::background_task;
  out.tables.tasks = !s.task_table.empty() ? s.task_table : older ? "g2p_que_id_generation" : "g2p_que_background_task";
  out.tables.registrants = s.registrant_table;
  out.tables.id_column = s.id_column;
  out.tables.request_worker_type = s.request_worker_type;
  out.tables.update_worker_type = s.update_worker_type;
  out.refuse_unknown_types = s.unknown_worker_types == "fail";
  // Each node, store and bridge has its own requests: only there does a request bring the same identifier again.
  out.generator = s.generator == config::local_generator
                      ? fmt::format("{}/{}/{}/{}", s.generator, timeline, name, s.id_type)
                      : s.generator;
  out.retry = {.tries_max = s.max_attempts,
               .backoff_first = milliseconds{s.backoff_first_ms},
               .backoff_max = milliseconds{s.backoff_max_ms},
               .not_yet = milliseconds{s.not_yet_ms}};
  out.lease = std::chrono::seconds(s.lease_seconds);
  out.batch = s.batch_size;
  out.poll = milliseconds{s.poll_interval_ms};
  out.may_install = s.install;
  out.time = &time;
  return out;
}

running_bridge::running_bridge(const postgres::bridge_options& options, std::uint32_t workers,
                               registrants::id_generator& generator)
    : database_(options.database) {
  auto one = options;
  for (std::uint32_t i = 0; i < workers; ++i) {
    one.counts = i == 0; // they would all count the same
    workers_.push_back(std::make_unique<postgres::bridge_thread>(one, generator));
  }
}

void running_bridge::stop() {
  ask_to_stop();
  for (const auto& worker : workers_) worker->stop();
}

void running_bridge::ask_to_stop() noexcept {
  for (const auto& worker : workers_) worker->ask_to_stop();
}

bool running_bridge::wait_until_ended(connectors::deadline until) const {
  return std::ranges::all_of(workers_, [&](const auto& worker) { return worker->wait_until_ended(until); });
}

void running_bridge::cut() noexcept {
  for (const auto& worker : workers_) worker->cut();
}

postgres::bridge_report running_bridge::report() const {
  auto all = workers_.front()->report();
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    const auto one = workers_[i]->report();
    add(all.did, one.did);
    all.completed_per_s += one.completed_per_s;
    all.connected = all.connected || one.connected;
    all.counted = all.counted || one.counted;
    if (all.problem.empty()) all.problem = one.problem;
  }
  return all;
}

result<std::vector<postgres::doubt>> running_bridge::doubts(std::int64_t after, std::uint32_t at_most) const {
  return postgres::read_doubts(database_, after, at_most);
}

result<std::unique_ptr<running_bridge>> make_bridge(const std::string& name, const config::bridge_settings& s,
                                                    std::string_view timeline, const clock& time,
                                                    registrants::id_generator& generator) {
  const auto options = bridge_options_of(name, s, timeline, time);
  if (!options) return std::unexpected(options.error());
  return std::make_unique<running_bridge>(*options, s.workers, generator);
}

result<bridges> bridges::start(const config::settings& s, std::string_view timeline, const clock& time,
                               const find_generator& find) {
  bridges out;
  for (const auto& [name, one] : s.bridges) {
    if (!one.enabled) continue;
    auto* generator = find(name, one.generator, one.id_type);
    if (generator == nullptr) {
      out.stop();
      return fail(errc::invalid_argument, fmt::format("bridges.{}.generator: there is no generator {} for the type {}.",
                                                      name, one.generator, one.id_type));
    }
    auto made = make_bridge(name, one, timeline, time, *generator);
    if (!made) {
      out.stop();
      return fail(made.error().code, fmt::format("bridges.{}.{}", name, made.error().message));
    }
    out.all_.emplace_back(name, std::move(*made));
  }
  return out;
}

void bridges::stop() {
  ask_to_stop();
  for (const auto& [name, one] : all_) one->stop();
}

void bridges::ask_to_stop() noexcept {
  for (const auto& [name, one] : all_) one->ask_to_stop();
}

bool bridges::wait_until_ended(connectors::deadline until) const {
  return std::ranges::all_of(all_, [&](const auto& one) { return one.second->wait_until_ended(until); });
}

void bridges::cut() noexcept {
  for (const auto& [name, one] : all_) one->cut();
}

std::vector<postgres::bridge_report> bridges::reports() const {
  std::vector<postgres::bridge_report> out;
  for (const auto& [name, one] : all_) out.push_back(one->report());
  return out;
}

const running_bridge* bridges::find(std::string_view name) const {
  const auto found = std::ranges::find(all_, name, [](const auto& one) { return std::string_view(one.first); });
  return found == all_.end() ? nullptr : found->second.get();
}

void publish_bridges(metrics& numbers, const bridges& all) {
  for (const auto& report : all.reports()) {
    const metrics::labels of{{"bridge", report.name}};
    const auto gauge = [&](const char* name, const char* help, double value) {
      numbers.gauge(name, help, of).Set(value);
    };
    const auto total = [&](const char* name, const char* help, std::uint64_t value) {
      numbers.set_total(name, help, static_cast<double>(value), of);
    };
    const auto tasks = [&](const char* step, const char* state, std::uint64_t value) {
      numbers
          .gauge("matricula_bridge_tasks", "Tasks in OpenG2P's table when they were counted last.",
                 {{"bridge", report.name}, {"step", step}, {"state", state}})
          .Set(static_cast<double>(value));
    };
    gauge("matricula_bridge_connected", "1 while the bridge is connected to its database.", report.connected ? 1 : 0);
    if (report.counted) { // otherwise nobody knows
      tasks("request", "pending", report.pending_requests);
      tasks("request", "failed", report.failed_requests);
      tasks("update", "pending", report.pending_updates);
      tasks("update", "failed", report.failed_updates);
      gauge("matricula_bridge_oldest_pending_seconds", "How long ago the oldest PENDING task was queued.",
            static_cast<double>(report.oldest_pending_s));
      gauge("matricula_bridge_in_doubt", "Listed calls of which nobody knows whether they consumed an identifier.",
            static_cast<double>(report.in_doubt));
      gauge("matricula_bridge_unused_identifiers", "Listed identifiers that were consumed and not used.",
            static_cast<double>(report.unused));
    }
    total("matricula_bridge_identifiers_given_total", "Identifiers that registrants got.",
          report.did.identifiers_given);
    total("matricula_bridge_tasks_completed_total", "Tasks that the bridge made COMPLETED.",
          report.did.tasks_completed);
    total("matricula_bridge_tasks_failed_total", "Tasks that the bridge made FAILED.", report.did.tasks_failed);
    total("matricula_bridge_tries_failed_total", "Tries that failed.", report.did.tries_failed);
    total("matricula_bridge_none_available_total", "Answers of the generator that it has none for now.",
          report.did.none_available);
    total("matricula_bridge_doubts_total", "Calls and identifiers that were listed as in doubt or unused.",
          report.did.doubts_listed);
    total("matricula_bridge_other_worker_total", "Tasks that another worker changed while the bridge had them.",
          report.did.seen_others);
    total("matricula_bridge_overwritten_total", "Identifiers that another worker replaced after a registrant had them.",
          report.did.overwritten);
    total("matricula_bridge_connections_lost_total", "Connections to the database that were lost.",
          report.did.connections_lost);
    total("matricula_bridge_statements_refused_total", "Statements that the database refused.",
          report.did.statements_refused);
  }
}

} // namespace matricula::commands

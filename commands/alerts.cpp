#include "commands/alerts.hpp"

#include "actors/messages.hpp"
#include "commands/outside_systems.hpp"
#include "commands/private_file.hpp"
#include "connectors/mail_message.hpp"
#include "connectors/smtp.hpp"
#include "domain/alerts/notice_text.hpp"
#include "foundation/log.hpp"
#include "storage/registrants.hpp"
#include "storage/tasks.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace matricula::commands {

using alerts::reading;
using alerts::severity;

namespace {

constexpr std::chrono::seconds a_minute{60};
constexpr std::chrono::minutes a_quarter{15};
constexpr double bytes_of_mib = 1024.0 * 1024.0;
constexpr std::size_t password_file_bytes_max = 4'096;

} // namespace

std::vector<alerts::rule> alert_rules(const config::settings& s) {
  using alerts::above;
  using alerts::below;
  using alerts::grown;
  const auto& a = s.alerts;
  std::vector<alerts::rule> rules;
  if (a.queue_age_seconds_max > 0)
    rules.push_back(
        {"queue_age", "queue_age_seconds", severity::warning, above(a.queue_age_seconds_max), [](const reading& r) {
           return fmt::format("The next task of worker type {} could have been begun {:.0f} s ago and was "
                              "not. Are there workers, is the queue paused (GET /v1/queues)?",
                              r.subject, r.value);
         }});
  if (a.queue_age_seconds_max > 0)
    rules.push_back({"tasks_put_off", "tasks_put_off_seconds", severity::warning, above(a.queue_age_seconds_max),
                     [](const reading& r) {
                       return fmt::format(
                           "Tasks of worker type {} have been put off for {:.0f} s: what they need is not there, and "
                           "each attempt ends with not_yet. Their history says why (GET "
                           "/v1/tasks?worker_type={}): a generator that is away or has no identifiers, a pool?",
                           r.subject, r.value, tasks::worker_type_of(r.subject));
                     }});
  if (a.failed_tasks_max > 0)
    rules.push_back(
        {"tasks_failed", "tasks_failed", severity::warning, above(a.failed_tasks_max), [](const reading& r) {
           return fmt::format("{:.0f} tasks of worker type {} are FAILED. Look at them (GET "
                              "/v1/tasks?status=FAILED), mend the cause, retry them.",
                              r.value, r.subject);
         }});
  rules.push_back({.name = "tasks_failing",
                   .reads = "tasks_failed",
                   .holds = grown(),
                   .text =
                       [](const reading& r) {
                         return fmt::format("Tasks of worker type {} become FAILED; {:.0f} are now. GET "
                                            "/v1/tasks?status=FAILED shows their errors.",
                                            r.subject, r.value);
                       },
                   .quiet = a_quarter});
  rules.push_back({"tasks_in_doubt", "tasks_in_doubt", severity::critical, above(0), [](const reading& r) {
                     return fmt::format("{:.0f} calls{} have an unknown outcome: they may have had their effect. "
                                        "Reconcile them.",
                                        r.value, r.subject.empty() ? "" : " of " + r.subject);
                   }});
  rules.push_back({.name = "bridge_down",
                   .reads = "bridge_works",
                   .holds = below(1),
                   .text =
                       [](const reading& r) {
                         return fmt::format("The bridge {} cannot work in its database. The log says why "
                                            "(bridge.not_connected, bridge.cannot_work, bridge.connection_lost).",
                                            r.subject);
                       },
                   .after = a_minute});
  if (a.queue_age_seconds_max > 0)
    rules.push_back({"bridge_behind", "bridge_oldest_pending_seconds", severity::warning,
                     above(a.queue_age_seconds_max), [](const reading& r) {
                       return fmt::format("The oldest task of the bridge {} has been PENDING for {:.0f} s. Is its "
                                          "generator there (log bridge), or is there more than it can do?",
                                          r.subject, r.value);
                     }});
  if (a.pool_percent_min > 0)
    rules.push_back({.name = "pool_low",
                     .reads = "pool_percent",
                     .how = severity::critical,
                     .holds = below(a.pool_percent_min),
                     .text =
                         [](const reading& r) {
                           return fmt::format("The pool of identifier type {} has {:.0f} per cent of its pool_min and "
                                              "is not refilled in time. Raise pool_min and pool_target; look at the "
                                              "type's actors.",
                                              r.subject, std::floor(r.value));
                         },
                     .after = a_minute});
  const auto capacity = [&](const char* name, severity how, std::uint32_t percent) {
    rules.push_back({name, "capacity_used_percent", how,
                     [percent](double now, std::optional<double>) { return std::optional(now >= percent); },
                     [](const reading& r) {
                       return fmt::format("{:.1f} per cent of the identifiers of type {} are used. Configure a longer "
                                          "type before they end (GET /v1/ids/{}).",
                                          r.value, r.subject, r.subject);
                     }});
  };
  capacity("capacity_warning", severity::warning, s.identifiers.capacity_warning_percent);
  capacity("capacity_critical", severity::critical, s.identifiers.capacity_critical_percent);
  if (a.disk_free_mib_min > 0)
    rules.push_back({"disk_low", "disk_free_mib", severity::warning, below(a.disk_free_mib_min), [](const reading& r) {
                       return fmt::format("{:.0f} MiB are free on the disk of the data folder. Free some: below "
                                          "storage.disk_free_mib_min writes are refused.",
                                          r.value);
                     }});
  rules.push_back({"disk_full", "disk_full", severity::critical, above(0), [](const reading&) {
                     return std::string("Writes are refused: too little space on the disk of the data folder. Free "
                                        "some; writes go on by themselves.");
                   }});
  rules.push_back({"writes_refused", "writes_refused_total", severity::critical, grown(), [](const reading&) {
                     return std::string("Writes are refused because too many wait for the disk. Is it slow? Look at "
                                        "matricula_storage_sync_seconds and matricula_storage_queue_batches.");
                   }});
  rules.push_back({"alert_sink_down", "alert_sink_failing_seconds", severity::warning,
                   above(std::chrono::duration<double>(a_minute).count()), [](const reading& r) {
                     return fmt::format("Nothing could be told by the alert sink {} for {:.0f} s. The log says why "
                                        "(alerts.sink_failed).",
                                        r.subject, r.value);
                   }});
  return rules;
}

actors::reading_source readings_of_tasks(std::shared_ptr<const actors::queue_context> queue) {
  return [queue = std::move(queue)](std::vector<reading>& to) {
    const auto rows = queue->log->read(queue->part.shard);
    const auto now = queue->time->now();
    for (const auto& [type, report] : queue->gauge->get()) {
      to.push_back({"tasks_failed", type, static_cast<double>(report.counts.of(tasks::task_state::failed))});
      if (!rows) continue;
      const auto seconds_since = [&](timestamp then) {
        return std::max(0.0, std::chrono::duration<double>(now - then).count());
      };
      double age = 0, put_off = 0;
      bool known = true;
      for (const auto id : {report.next_ready, report.next_waiting}) {
        if (id == 0) continue;
        const auto next = storage::find_task_row(storage::reader_of(**rows), queue->part, id);
        known = known && next;
        if (!next || !*next) continue;
        if (id == report.next_ready) age = seconds_since((*next)->due_at);
        if (const auto since = tasks::put_off_since(**next)) put_off = std::max(put_off, seconds_since(*since));
      }
      if (!known) continue;
      to.push_back({"queue_age_seconds", type, age});
      to.push_back({"tasks_put_off_seconds", type, put_off});
    }
  };
}

actors::reading_source readings_of_pools(std::vector<std::shared_ptr<const actors::type_context>> issuers) {
  return [issuers = std::move(issuers)](std::vector<reading>& to) {
    struct sums {
      double available = 0, least = 0;
      bool exhausted = true; ///< each of its issuers has nothing left to be refilled with
    };
    std::map<std::string, sums> by_type;
    for (const auto& cx : issuers) {
      const auto level = cx->level->get();
      auto& s = by_type[cx->type.name];
      s.available += static_cast<double>(level.fresh + level.released);
      s.least += static_cast<double>(cx->level->limits().refill_below);
      s.exhausted = s.exhausted && level.held_to >= level.end;
    }
    // A type that is used up for good is what the capacity's alerts are about.
    for (const auto& [type, s] : by_type)
      if (s.least > 0 && !s.exhausted) to.push_back({"pool_percent", type, 100 * s.available / s.least});
  };
}

actors::reading_source readings_of_capacity(std::function<const actors::capacity_keeper*()> capacities,
                                            std::vector<std::shared_ptr<const actors::type_context>> issuers) {
  return [capacities = std::move(capacities), issuers = std::move(issuers)](std::vector<reading>& to) {
    const auto* keeper = capacities();
    if (keeper == nullptr) return;
    std::set<std::string> seen;
    for (const auto& cx : issuers) {
      if (!seen.insert(cx->type.name).second) continue;
      if (const auto now = keeper->report(cx->type))
        to.push_back({"capacity_used_percent", cx->type.name, 100 * now->outlook.used_share});
    }
  };
}

actors::reading_source readings_of_storage(const storage::disk_guard& guard, const storage::local_log& log) {
  return [&guard, &log](std::vector<reading>& to) {
    to.push_back({"disk_free_mib", "", static_cast<double>(guard.free_bytes()) / bytes_of_mib});
    to.push_back({"disk_full", "", guard.full() ? 1.0 : 0.0});
    to.push_back({"writes_refused_total", "", static_cast<double>(log.stats().refused_overloaded.load())});
  };
}

actors::reading_source readings_of_registrants(std::shared_ptr<const actors::queue_context> queue) {
  return [queue = std::move(queue)](std::vector<reading>& to) {
    if (const auto rows = queue->log->read(queue->part.shard))
      if (const auto numbers =
              storage::find_registrant_numbers(storage::reader_of(**rows), storage::registrants_of(queue->part)))
        to.push_back({"tasks_in_doubt", "registrants", static_cast<double>(numbers->in_doubt)});
  };
}

actors::reading_source readings_of_bridges(std::function<const bridges*()> running) {
  return [running = std::move(running)](std::vector<reading>& to) {
    const auto* const all = running();
    if (all == nullptr) return;
    for (const auto& report : all->reports()) {
      to.push_back({"bridge_works", report.name, report.connected && report.problem.empty() ? 1.0 : 0.0});
      // Until it has counted nobody knows, and an alert from before the start is not over.
      if (!report.counted) continue;
      to.push_back({"bridge_oldest_pending_seconds", report.name, static_cast<double>(report.oldest_pending_s)});
      to.push_back({"tasks_in_doubt", "bridge " + report.name, static_cast<double>(report.in_doubt)});
    }
  };
}

actors::reading_source readings_of_sinks(std::vector<std::shared_ptr<actors::alert_sink>> sinks, const clock& time) {
  return [sinks = std::move(sinks), &time](std::vector<reading>& to) {
    for (const auto& sink : sinks) {
      const auto s = sink->state();
      const auto failing =
          s.failures_in_a_row == 0 ? 0.0 : std::chrono::duration<double>(time.monotonic() - s.failing_since).count();
      to.push_back({"alert_sink_failing_seconds", sink->name(), failing});
    }
  };
}

namespace {

actors::sink_functions log_sink(const std::string& node) {
  actors::sink_functions f;
  f.word = [node](const alerts::notice& n) {
    const auto line = alerts::headline(n, node);
    return n.kind == alerts::notice_kind::recovery ? line : line + ": " + n.about.text;
  };
  f.send = [](const std::string& body) {
    log::warning("alert", body);
    return alerts::delivery{};
  };
  return f;
}

/// @param name of the sink
result<std::string> password_of(std::string_view name, const config::alert_sink_settings& sink) {
  if (sink.password_file.empty()) return sink.password;
  auto text = read_private_file(sink.password_file, fmt::format("alerts.sinks.{}.password_file", name),
                                password_file_bytes_max);
  if (!text) return text;
  return text->substr(0, text->find_first_of("\r\n"));
}

result<actors::sink_functions> mail_sink(const std::string& name, const config::alert_sink_settings& sink,
                                         const std::string& node) {
  connectors::smtp_options o;
  const auto server = config::split_address(sink.server);
  require(server.has_value(), "the settings of a mail sink were checked");
  o.host = server->host;
  o.port = server->port;
  o.security = sink.security == config::mail_security::tls    ? connectors::smtp_security::tls
               : sink.security == config::mail_security::none ? connectors::smtp_security::none
                                                              : connectors::smtp_security::starttls;
  o.user = sink.user;
  auto password = password_of(name, sink);
  if (!password) return std::unexpected(password.error());
  o.password = std::move(*password);
  o.ca_file = sink.ca_file;
  o.from = sink.from;
  o.to = sink.to;
  o.timeout = milliseconds{sink.timeout_ms};
  const auto is_address = [](const std::string& a) { return connectors::is_mail_address(a); };
  if (!is_address(o.from) || !std::ranges::all_of(o.to, is_address))
    return fail(errc::invalid_argument,
                fmt::format("alerts.sinks.{}: from and to are addresses such as operator@example.org, without a name "
                            "and without brackets.",
                            name));
  const auto server_of_mails = std::make_shared<connectors::smtp>(o);
  actors::sink_functions f;
  f.word = [from = o.from, to = o.to, node](const alerts::notice& n) {
    connectors::mail m{.from = from, .to = to, .subject = alerts::headline(n, node), .key = alerts::key_of(n)};
    m.text = alerts::in_words(n, node);
    m.date = n.kind == alerts::notice_kind::recovery && n.about.ended_at ? *n.about.ended_at : n.about.told_at;
    if (n.kind != alerts::notice_kind::first) m.reference = alerts::key_of({alerts::notice_kind::first, n.about});
    return connectors::compose(m);
  };
  f.send = [server_of_mails](const std::string& body) {
    using outcome = alerts::delivery::outcome;
    const auto sent = server_of_mails->send(body);
    if (sent) return alerts::delivery{};
    const auto how = sent.error().code == errc::conflict ? outcome::refused : outcome::failed;
    return alerts::delivery{how, sent.error().message};
  };
  f.stop = [server_of_mails] { server_of_mails->stop(); };
  return f;
}

/// Whether the receiver's answer is about this notice. Any other refusal would meet the next one, too: a token that has
/// ended, an address that has moved; it is mended at the receiver or in the settings, and then the notice arrives.
bool is_about_the_body(int status) {
  constexpr std::array of_bodies{400, 409, 413, 415, 422};
  return std::ranges::find(of_bodies, status) != of_bodies.end();
}

/// The key of the notice goes before its text, for the delivery's id: the same notice twice has the same.
result<actors::sink_functions> webhook_sink(const config::settings& s, const config::alert_sink_settings& sink,
                                            const clock& time) {
  auto made = make_webhook(s, sink.webhook, time);
  if (!made) return std::unexpected(made.error());
  const std::shared_ptr<connectors::webhook> to = std::move(*made);
  actors::sink_functions f;
  f.word = [node = s.alerts.node_name](const alerts::notice& n) {
    return alerts::key_of(n) + "\n" + alerts::as_json(n, node);
  };
  f.send = [to](const std::string& body) {
    using outcome = alerts::delivery::outcome;
    const auto end = body.find('\n');
    const auto answer = to->deliver({body.substr(0, end), body.substr(end + 1)});
    switch (answer.outcome) {
    case connectors::delivery_outcome::done:
      return alerts::delivery{};
    case connectors::delivery_outcome::refused:
      return alerts::delivery{is_about_the_body(answer.status) ? outcome::refused : outcome::failed, answer.error};
    case connectors::delivery_outcome::again:
      break;
    }
    return alerts::delivery{outcome::failed, answer.error};
  };
  f.stop = [to] { to->stop(); };
  return f;
}

} // namespace

result<std::vector<std::shared_ptr<actors::threaded_sink>>> make_alert_sinks(const config::settings& s,
                                                                             const clock& time) {
  const auto& node = s.alerts.node_name;
  std::vector<std::shared_ptr<actors::threaded_sink>> made;
  for (const auto& [name, sink] : s.alerts.sinks) {
    if (!sink.enabled) continue;
    actors::sink_options options{.name = name};
    actors::sink_functions functions;
    switch (sink.kind) {
    case config::sink_kind::log:
      options.kind = "log";
      functions = log_sink(node);
      break;
    case config::sink_kind::smtp: {
      options.kind = "smtp";
      auto mails = mail_sink(name, sink, node);
      if (!mails) return std::unexpected(mails.error());
      functions = std::move(*mails);
      break;
    }
    case config::sink_kind::webhook: {
      options.kind = "webhook";
      auto deliveries = webhook_sink(s, sink, time);
      if (!deliveries) return std::unexpected(deliveries.error());
      functions = std::move(*deliveries);
      break;
    }
    }
    made.push_back(std::make_shared<actors::threaded_sink>(std::move(options), std::move(functions), time,
                                                           std::make_unique<secure_random>()));
  }
  return made;
}

alerts::rhythm rhythm_of(const config::alert_settings& s) {
  alerts::rhythm r;
  r.repeat_first = std::chrono::minutes(s.repeat_first_minutes);
  r.repeat_most = std::chrono::minutes(s.repeat_max_minutes);
  r.quiet = std::chrono::seconds(s.recovery_seconds);
  r.kept = std::chrono::days(s.retention_days);
  // Also with a slow beat, what a rule finds is heard of in time.
  r.lasts = std::max<milliseconds>(r.lasts, 3 * std::chrono::seconds(s.beat_seconds));
  return r;
}

void raise_alarm(const actors::alerts_context& alerts, const runtime::operator_alarm& alarm) {
  if (alarm.kind == "capacity") return; // it has rules of its own
  actors::observe_condition seen;
  seen.rule = "runtime_alarm";
  seen.subject = fmt::format("{} {}", alarm.kind, alarm.path);
  seen.text = fmt::format("The runtime raised an alarm of kind {}; the log has it (runtime.alarm).", alarm.kind);
  seen.how = static_cast<std::uint8_t>(severity::critical);
  seen.lasts_ms = milliseconds(std::chrono::hours(1)).count();
  caf::anon_send(alerts.alerts_slot.address(), std::move(seen));
}

void publish_alerts(metrics& numbers, const actors::alert_door& door) {
  if (const auto all = door.list()) {
    std::map<std::string, double> open;
    for (const auto& a : **all) open[a.rule] += a.ended_at ? 0 : 1;
    for (const auto& [rule, n] : open)
      numbers.gauge("matricula_alerts_open", "Alerts that are open, by rule.", {{"rule", rule}}).Set(n);
  }
  for (const auto& sink : door.sinks()) {
    const auto s = sink->state();
    const auto total = [&](const char* result, std::uint64_t value) {
      numbers.set_total(
          "matricula_alerts_notices_total",
          "Notices by what became of them: sent, failed (a try; it goes on), refused (for good), dropped.",
          static_cast<double>(value), {{"sink", sink->name()}, {"result", result}});
    };
    total("sent", s.sent);
    total("failed", s.failed);
    total("refused", s.refused);
    total("dropped", s.dropped);
    numbers.gauge("matricula_alerts_waiting", "Notices that wait for a sink.", {{"sink", sink->name()}})
        .Set(static_cast<double>(s.waiting));
    numbers.gauge("matricula_alerts_sink_up", "0 while a sink takes no notices.", {{"sink", sink->name()}})
        .Set(s.failures_in_a_row == 0 ? 1 : 0);
  }
}

} // namespace matricula::commands

/// Publishes what the registry knows as Prometheus metrics. Call `publish` before rendering: nothing runs in between.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace matricula {
class metrics;
}

namespace matricula::runtime {

class registry;

class telemetry {
public:
  /// Both outlive the telemetry.
  telemetry(const registry& actors, metrics& to);
  ~telemetry();
  telemetry(const telemetry&) = delete;
  telemetry& operator=(const telemetry&) = delete;

  /// Per actor (labels actor, kind): matricula_actor_mailbox_messages, _messages_total, _rejected_total,
  /// _crashes_total, _restarts_total, _running, _busy_seconds. Per kind: the histogram matricula_actor_handler_seconds.
  /// Thread safe.
  void publish();

private:
  struct actor_series;
  struct kind_series;
  const registry& actors_;
  metrics& to_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<actor_series>> by_path_;
  std::map<std::string, std::unique_ptr<kind_series>> by_kind_;
};

} // namespace matricula::runtime

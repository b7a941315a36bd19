/// Where notices go: a log, a mailbox, another system. What one needs is two functions: one that words a notice, one
/// that passes the words on.
#pragma once
#include "domain/alerts/sink_line.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace matricula::actors {

/// As the alerts see one.
class alert_sink {
public:
  virtual ~alert_sink() = default;
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  /// Never waits. From any thread.
  virtual void offer(alerts::notice n) noexcept = 0;
  [[nodiscard]] virtual alerts::sink_line::state state() const = 0;
};

struct sink_functions {
  std::function<std::string(const alerts::notice&)> word;
  /// May take its time; called by one thread.
  std::function<alerts::delivery(std::string body)> send;
  /// Ends a `send` that runs, soon, and every later one at once. From any thread; may be missing.
  std::function<void()> stop;
};

struct sink_options {
  std::string name;
  std::string kind; ///< "log", "smtp"
  std::size_t waiting_max = 1'000;
  tasks::retry_policy retry{.backoff_first = milliseconds{1'000}, .backoff_max = milliseconds{300'000}};
};

/// A sink with a thread of its own, so that one that is slow or down keeps nobody waiting.
class threaded_sink final : public alert_sink {
public:
  /// Told when a notice was passed on, or never will be. On the sink's thread.
  using settled = std::function<void(std::uint64_t alert, const std::string& sink, alerts::notice_kind kind)>;

  /// @param time lives longer
  threaded_sink(sink_options options, sink_functions functions, const clock& time,
                std::unique_ptr<random_source> random);
  /// Stops.
  ~threaded_sink() override;
  threaded_sink(const threaded_sink&) = delete;
  threaded_sink& operator=(const threaded_sink&) = delete;

  /// Before the first notice.
  void start(settled told);
  /// Does not wait for what it is at.
  void ask_to_stop();
  /// What waits is not passed on any more: the alerts know what is owed, and bring it again at the next start.
  void stop();

  [[nodiscard]] const std::string& name() const noexcept override;
  [[nodiscard]] const std::string& kind() const noexcept;
  void offer(alerts::notice n) noexcept override;
  [[nodiscard]] alerts::sink_line::state state() const override;

private:
  struct inside;
  std::unique_ptr<inside> in_;
};

} // namespace matricula::actors

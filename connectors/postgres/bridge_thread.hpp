/// A bridge in a thread of its own.
#pragma once
#include "connectors/postgres/bridge.hpp"

#include <thread>

namespace matricula::connectors::postgres {

class bridge_thread {
public:
  /// Starts. @param generator must live longer
  bridge_thread(bridge_options options, registrants::id_generator& generator);
  /// Stops.
  ~bridge_thread();
  bridge_thread(const bridge_thread&) = delete;
  bridge_thread& operator=(const bridge_thread&) = delete;

  /// Ends after the call that it is at: what was answered is stored, what was claimed is given back.
  void stop();
  /// Asks it to stop and does not wait.
  void ask_to_stop() noexcept { bridge_.stop(); }
  /// Whether it has ended, after waiting for that until then.
  [[nodiscard]] bool wait_until_ended(deadline until) const { return ended_.wait(until); }
  /// It waits for its database no longer. An answer that is not stored is in doubt, what is claimed keeps its lease.
  void cut() noexcept { bridge_.cut(); }
  [[nodiscard]] bridge_report report() const { return bridge_.report(); }

private:
  void run();

  secure_random random_;
  bridge bridge_;
  stop_signal ended_;
  std::thread thread_;
};

/// What is in doubt, read over a connection of its own: in the order of call numbers, beginning after `after`.
[[nodiscard]] result<std::vector<doubt>> read_doubts(const connection_options& database, std::int64_t after,
                                                     std::uint32_t at_most);

} // namespace matricula::connectors::postgres

/// One thread that serves many connections: it waits for whatever happens to any of them and lets each go on.
#pragma once
#include "api/connection.hpp"
#include "api/loop_inbox.hpp"
#include "api/worker_pool.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace matricula::api {

/// What all loops of a server share. Lives longer than they do.
struct loop_surroundings {
  application& app;
  worker_pool& workers;
  byte_budget& received;
  byte_budget& unwritten;
  connection_limits limits;
  std::size_t connections_max = 0;                               ///< of all loops together
  std::atomic<std::size_t> connections{0};                       ///< likewise
  std::function<std::shared_ptr<const tls_identity>()> identity; ///< the one in force; null: no TLS
  prometheus::Gauge& open;
  prometheus::Gauge& waiting; ///< requests, for a thread
  prometheus::Gauge& received_bytes;
  prometheus::Gauge& unwritten_bytes;
  prometheus::Counter& turned_away;
};

class event_loop final : private connection_host {
public:
  explicit event_loop(loop_surroundings& around);
  /// @pre `ended` is there, or `start` was not called.
  ~event_loop() override;
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Begins to serve. @param listening a non-blocking, listening socket, which it closes when it drains; below 0: none.
  /// @param others further loops that take their turn with its connections; they outlive it.
  void start(int listening, std::vector<event_loop*> others);
  /// Serves one more connection. Thread safe.
  void hand_over(int socket) { inbox_->hand_over(socket); }
  /// Ends every connection when its present request is answered, then itself. Thread safe.
  void drain() { inbox_->ask_to_drain(); }
  /// After `drain`: breaks off what is left. It still waits for threads that are at requests.
  void cut() { inbox_->ask_to_cut(); }
  /// Ready when it serves no more.
  [[nodiscard]] std::future<void>& ended() noexcept { return ended_; }

private:
  static constexpr std::uint64_t listener_place = ~std::uint64_t{0};
  static constexpr std::uint64_t inbox_place = listener_place - 1;

  [[nodiscard]] bool offer(std::function<void()> job) override;
  [[nodiscard]] runtime::reply_notice notice_for(connection& to) override;

  void run();
  void turn();
  [[nodiscard]] int wait_ms() const;
  void accept();
  /// When the process has no descriptor left, a connection would be reported again and again. False: so it will be.
  bool accept_and_drop();
  /// The listener is not looked at for a while.
  void pause_accepting();
  void resume_accepting();
  void listen();
  void take_in(int socket);
  bool make_room();
  void go_on(connection& c);
  void settle(connection& c, connection::then next);
  void end(connection& c);
  [[nodiscard]] connection* find(std::uint64_t place) noexcept;
  void begin_drain();
  void cut_all();

  loop_surroundings& around_;
  std::shared_ptr<loop_inbox> inbox_ = std::make_shared<loop_inbox>();
  loop_inbox::contents told_;
  deadline_wheel wheel_;
  std::vector<char> scratch_;
  int epoll_;
  int listening_ = -1;
  int spare_ = -1; ///< a descriptor to give up when there is no other
  std::optional<std::chrono::steady_clock::time_point> accepts_again_; ///< while it is paused
  std::chrono::steady_clock::time_point warns_again_;                  ///< of connections that were dropped
  std::uint64_t dropped_ = 0;                                          ///< since it warned
  std::vector<event_loop*> others_;
  std::size_t next_other_ = 0;

  /// A connection's place is its slot and, above 32 bits, a number of its own: what comes late finds nobody.
  std::vector<std::unique_ptr<connection>> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t count_ = 0;
  std::uint32_t next_number_ = 1;
  std::deque<std::uint64_t> again_;      ///< places with more to do than a turn allows
  std::deque<std::uint64_t> handshakes_; ///< a few a turn, since each takes long
  std::chrono::steady_clock::time_point no_room_until_;
  bool cutting_ = false;

  std::promise<void> ending_;
  std::future<void> ended_ = ending_.get_future();
  std::thread thread_;
};

} // namespace matricula::api

/// The sockets that threads are serving now: so that an idle one can be made to leave its thread to somebody who waits,
/// and so that a drain ends.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>

namespace matricula::api {

class open_connections {
public:
  class entry {
  public:
    entry(open_connections& all, int socket);
    ~entry();
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    /// Between requests: from now on it may be asked to leave. Sequentially consistent, so that either this thread sees
    /// a connection that waits or whoever made it wait sees this one idle.
    void idle() noexcept { state_.store(state::idle); }
    void busy() noexcept { state_.store(state::busy); }

  private:
    friend class open_connections;
    enum class state : std::uint8_t { busy, idle, leaving };
    open_connections& all_;
    int socket_;
    std::atomic<state> state_{state::busy};
    std::list<entry*>::iterator place_;
  };

  /// Ends the receiving side of one idle connection: its thread sees the end, unless a request came before, which is
  /// then still served. False when none is idle.
  bool ask_one_to_leave();
  void ask_all_to_leave();
  /// Breaks every connection, in the middle of whatever it does.
  void cut();
  [[nodiscard]] std::size_t count() const;

private:
  mutable std::mutex guard_;
  std::list<entry*> entries_; ///< those here are not closed: an entry leaves before its socket is
};

} // namespace matricula::api

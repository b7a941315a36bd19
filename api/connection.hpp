/// One accepted connection as a state machine: reads requests, has them answered, writes the answers. Never blocks;
/// whenever it cannot go on it is parked until its socket is ready, an answer is there or a deadline passes.
#pragma once
#include "api/byte_budget.hpp"
#include "api/byte_stream.hpp"
#include "api/deadline_wheel.hpp"
#include "api/exchange.hpp"
#include "api/request_reader.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace matricula::api {

struct connection_limits {
  head_limits head;
  std::chrono::milliseconds head_timeout{5'000};   ///< from a head's first byte to its last; likewise a TLS handshake
  std::chrono::milliseconds body_timeout{10'000};  ///< for a whole body
  std::chrono::milliseconds write_timeout{10'000}; ///< for a whole answer
  std::chrono::milliseconds keep_alive{60'000};    ///< between requests
  std::size_t requests_max = 100'000;              ///< then it is closed
};

class connection;

/// What all connections of one event loop share.
struct connection_host {
  virtual ~connection_host() = default;
  /// Has `job` run on a thread of its own kind, where it may block. False when too many wait for one already.
  [[nodiscard]] virtual bool offer(std::function<void()> job) = 0;
  /// For one reply or job of `to`: `connection::on_reply` is called with the token when it was told.
  [[nodiscard]] virtual runtime::reply_notice notice_for(connection& to) = 0;

  application& app;
  const connection_limits& limits;
  byte_budget& received;  ///< bytes of requests that are not whole, and of those being answered
  byte_budget& unwritten; ///< bytes of answers that their readers have not taken
  deadline_wheel& wheel;
  std::span<char> scratch;
  std::chrono::steady_clock::time_point now; ///< of this turn of the loop
  bool draining = false;

protected:
  connection_host(application& a, const connection_limits& l, byte_budget& r, byte_budget& u, deadline_wheel& w)
      : app(a), limits(l), received(r), unwritten(u), wheel(w) {}
};

class connection final : public deadline_wheel::entry, private incoming {
public:
  /// @param place where its host keeps it
  connection(connection_host& host, int socket, std::shared_ptr<const tls_identity> identity, std::uint64_t place);
  ~connection() override;

  /// What is to become of it: nothing until something happens; another turn soon; its end.
  enum class then : std::uint8_t { park, again, end };

  /// The socket has something to say (EPOLLIN and its kin).
  void on_event(std::uint32_t events) noexcept;
  /// Goes on as far as it goes, within what one turn may take.
  [[nodiscard]] then drive();
  [[nodiscard]] then on_deadline();
  /// @param token of a notice; one of an earlier request is ignored.
  [[nodiscard]] then on_reply(std::uint64_t token);
  /// Answers without having read anything, and ends.
  [[nodiscard]] then turn_away(const refusal& why);
  /// No more requests from here; one that has begun is still answered.
  [[nodiscard]] then drain();
  /// Breaks it off. @return whether it can end now; a thread may still be at its request.
  [[nodiscard]] bool cut();

  /// Whether the next thing that it does is to compute a part of a TLS handshake.
  [[nodiscard]] bool has_handshake_to_do() const noexcept { return state_ == state::opening && readable_; }
  bool in_line = false;  ///< for its handshake; its host keeps it
  bool has_turn = false; ///< among those with more to do; its host keeps it
  /// Between requests, or before the first, since then; nothing while it is busy.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> idle_since() const noexcept;
  [[nodiscard]] std::uint64_t place() const noexcept { return place_; }
  [[nodiscard]] int socket() const noexcept { return stream_.socket(); }
  void expect_token(std::uint64_t token) noexcept { token_ = token; }

private:
  enum class state : std::uint8_t {
    opening,   ///< TLS
    reading,   ///< a head, a body, or nothing yet
    admitting, ///< with a thread: credentials
    working,   ///< with a thread: the handler
    awaiting,  ///< the reply to what it handed on
    writing,
    lingering, ///< closing a socket with unread bytes resets it, and the reset can overtake the answer
  };
  enum class step : std::uint8_t { go_on, park, end };
  enum class timing : std::uint8_t { none, idle, head, body, write };

  step advance();
  step open();
  step read();
  step receive();
  step admit();
  step after_admission();
  step proceed();
  step answer();
  step refuse_unread(const refusal& why);
  step send(response answer, bool close);
  step flush();
  step after_answer();
  step begin_linger();
  step linger();
  void time(timing what, std::chrono::milliseconds at_most);
  void stop_timing() noexcept;
  /// The thread is done with the request.
  step after_work();
  step await_reply();

  // incoming
  [[nodiscard]] std::string_view method() const override { return reader_.head().method; }
  [[nodiscard]] std::string_view target() const override { return reader_.head().target; }
  [[nodiscard]] std::string_view header(std::string_view name) const override { return reader_.head().find(name); }
  [[nodiscard]] outcome<std::string_view> body(std::size_t bytes_max) override;
  [[nodiscard]] std::string_view peer() const override;

  connection_host& host_;
  mutable std::string peer_; ///< once somebody has asked
  byte_stream stream_;
  const std::uint64_t place_;
  std::uint64_t token_ = 0;       ///< of the job or reply that it awaits
  std::uint64_t reply_token_ = 0; ///< while working: of the reply that it may have to await then
  bool reply_came_ = false;       ///< while working
  state state_;
  timing timed_ = timing::none;
  bool readable_ = true; ///< reading may give something
  bool peer_done_ = false;
  bool close_ = false; ///< after the present answer
  std::size_t served_ = 0;
  std::size_t swallowed_ = 0;
  std::chrono::steady_clock::time_point idle_since_;
  request_reader reader_;
  byte_share received_;
  byte_share unwritten_;
  std::unique_ptr<application::exchange> exchange_;
  std::string out_; ///< head of an answer, and what else goes before its body
  std::string out_body_;
  std::size_t sent_ = 0; ///< of both
};

/// The status line and the headers of an answer. @param close says that the connection ends after it.
void append_head(std::string& out, const response& answer, bool close);

} // namespace matricula::api

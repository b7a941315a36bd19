/// One request on its way through the application, in steps that do not wait: its head is judged before a byte of its
/// body is kept, and an answer may come later. Whatever happens in a step becomes an answer.
#pragma once
#include "api/application.hpp"

#include <chrono>
#include <functional>
#include <optional>

namespace matricula::api {

struct application::exchange {
  /// @param what lives as long as the exchange, and so does the application.
  exchange(application& to_app, incoming& from);
  ~exchange();
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  /// First: names, route, limits, credentials, and the headers. A refusal is the answer already. May block: on a thread
  /// of its own, or as the next.
  void admit();
  /// The same without blocking. False when the credentials take a thread: then `admit` goes on from there.
  [[nodiscard]] bool admit_at_once();
  /// Then: how large its body may be; nothing where a body means nothing and is not to be read.
  [[nodiscard]] std::optional<std::size_t> body_bytes_max() const;
  /// Then: whether `begin` may block, so that it is to be called on a thread of its own.
  [[nodiscard]] bool waits() const;

  /// With the body there (`incoming::body` gives it or tells what is wrong with it): runs the handler. Afterwards the
  /// answer is there, or `told` hears when `complete` is to be called, perhaps before this returns.
  void begin(const runtime::reply_notice& told);
  /// The reply is there, or the deadline has passed without it.
  void complete();
  /// The server has no room for it: 503 with Retry-After.
  void refuse_for_load(std::string message);

  [[nodiscard]] bool answered() const noexcept { return answer_.has_value(); }
  /// @pre answered(). Once.
  [[nodiscard]] response take_answer();
  /// Until the deadline. @pre admitted
  [[nodiscard]] std::chrono::nanoseconds time_left() const { return seen.deadline - app.time_.monotonic(); }

private:
  friend class application;
  friend struct application::chain;
  void guard(const std::function<response()>& step);
  void judge_head();
  void handle();
  /// The body's checks, the bound of requests in flight and the deadline.
  outcome<void> enter();
  outcome<void> hold_quota(std::uint32_t count);
  response tell_outcome(outcome<response> answer);

  application& app;
  incoming& what;
  std::chrono::nanoseconds began;
  timestamp wall;
  endpoint* to; ///< `unmatched_` until the router has found one
  request seen = {};
  std::size_t next_step_ = 0; ///< of those before the body
  bool may_block_ = false;    ///< in the present step
  bool needs_thread_ = false; ///< the step cannot be taken without
  std::uint32_t held_ = 0;    ///< identifiers of the caller's quota
  bool handed_on_ = false;    ///< to the handler: from here on identifiers may be issued
  bool in_flight_ = false;
  answer_later later_;
  std::optional<response> answer_;
};

} // namespace matricula::api

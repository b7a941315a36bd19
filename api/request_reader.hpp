/// Reads requests out of bytes as they come, in whatever pieces: the pieces make no difference to what is read.
#pragma once
#include "api/chunked_body.hpp"
#include "api/http_head.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

/// Not thread safe. Knows no socket and no time.
class request_reader {
public:
  explicit request_reader(const head_limits& limits) : limits_(limits) {}

  enum class state : std::uint8_t {
    head,     ///< the head is not whole yet
    has_head, ///< it is; `expect_body` goes on, or `next` without looking at a body
    body,     ///< the body is not whole yet
    whole,    ///< the request is there
    refused,  ///< as `why_refused` says; what follows cannot be understood any more
  };
  [[nodiscard]] state now() const noexcept { return state_; }

  /// More bytes; reads on as far as it goes.
  state feed(std::string_view bytes);
  /// The body is wanted. Refuses with 413 over `bytes_max`, announced or real, and with 400 for broken chunks.
  /// @pre has_head
  state expect_body(std::size_t bytes_max);
  /// Done with this request; what came behind it begins the next. @pre at_request_boundary()
  state next();
  /// What cannot be read any further for a reason that is not in the bytes.
  void refuse_with(refusal why);

  /// @pre the head was read. Valid until `next`.
  [[nodiscard]] const request_head& head() const noexcept { return head_; }
  /// @pre whole. Valid until `next`.
  [[nodiscard]] std::string_view body() const noexcept { return body_; }
  /// @pre refused. Heads: 400, 414, 417, 431, 501, 505.
  [[nodiscard]] const refusal& why_refused() const noexcept { return *why_; }

  /// Whether anything of a request has come and it is not whole.
  [[nodiscard]] bool is_between() const noexcept { return state_ == state::head && rest().empty(); }
  /// Whether the client holds its body back until it is told to send it. @pre body
  [[nodiscard]] bool wants_continue() const noexcept { return head_.expects_continue && in_.empty() && body_.empty(); }
  /// Whether the next byte belongs to another request. @pre the head was read
  [[nodiscard]] bool at_request_boundary() const noexcept {
    return state_ == state::whole || (state_ == state::has_head && !head_.has_body());
  }
  /// Whether nothing has come that was not read.
  [[nodiscard]] bool at_rest() const noexcept { return at_request_boundary() && rest().empty(); }
  /// Bytes of memory that it holds.
  [[nodiscard]] std::size_t held_bytes() const noexcept {
    return in_.capacity() + head_text_.capacity() + body_.capacity();
  }

private:
  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(in_).substr(at_); }
  void use(std::size_t bytes) noexcept;
  state refuse(refusal why);
  state read();
  state read_head();
  state read_body();

  head_limits limits_;
  std::string in_;           ///< received
  std::size_t at_ = 0;       ///< of it used
  std::size_t searched_ = 0; ///< of the rest, for the end of a head
  bool skipped_line_ = false;
  state state_ = state::head;
  std::string head_text_;
  request_head head_;
  std::string body_;
  std::size_t body_bytes_max_ = 0;
  std::optional<chunked_body> chunks_;
  std::optional<refusal> why_;
};

} // namespace matricula::api

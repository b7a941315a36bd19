/// One accepted connection: reads requests off a socket and writes answers to it, each within a time and a size.
#pragma once
#include "api/http_head.hpp"
#include "api/route.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

struct connection_limits {
  head_limits head;
  std::chrono::milliseconds head_timeout{5'000};   ///< from a head's first byte to its last
  std::chrono::milliseconds body_timeout{10'000};  ///< for a whole body
  std::chrono::milliseconds write_timeout{10'000}; ///< for a whole answer
};

/// Not thread safe. Does not own the socket.
class connection {
public:
  /// @param socket connected and blocking.
  connection(int socket, const connection_limits& limits);

  enum class arrival : std::uint8_t { request, silence, closed };
  /// Waits for the next request's first byte, `brief_wait` long: one system call when it comes in that time.
  [[nodiscard]] arrival wait_briefly();
  [[nodiscard]] arrival wait(std::chrono::milliseconds at_most);
  static constexpr std::chrono::milliseconds brief_wait{10};

  /// Reads the head of the request that has arrived. False when the peer has closed in the middle of it. A refusal
  /// (400, 408, 414, 431, 501, 505) is to be answered, then the connection ends.
  [[nodiscard]] outcome<bool> read_head();
  [[nodiscard]] const request_head& head() const noexcept { return head_; }

  /// The body that belongs to the head; asks for it where the client waits for "100 Continue". Valid until the next
  /// read_head. Refuses with 413, 408 and 400.
  [[nodiscard]] outcome<std::string_view> read_body(std::size_t bytes_max);

  /// Whether the next byte on the wire begins another request.
  [[nodiscard]] bool at_request_boundary() const noexcept { return body_read_ || !head_.has_body(); }

  /// Whether, besides, nothing more was received.
  [[nodiscard]] bool at_rest() const noexcept { return at_request_boundary() && in_.empty(); }

  /// Writes the status line, headers and, except after HEAD, the body. False when the peer is gone or too slow.
  [[nodiscard]] bool write(const response& answer, bool close, bool head_only);

  [[nodiscard]] int socket() const noexcept { return socket_; }

  /// Ends the sending side and swallows what still comes, for a moment: closing a socket with unread bytes resets it,
  /// and the reset can overtake the answer.
  void linger();

private:
  enum class wait_result : std::uint8_t { data, closed, timeout };
  wait_result receive_until(std::chrono::steady_clock::time_point deadline);
  wait_result receive_now(int flags);
  outcome<void> read_sized(std::chrono::steady_clock::time_point deadline);
  outcome<void> read_chunks(std::size_t bytes_max, std::chrono::steady_clock::time_point deadline);
  bool send_all(std::string_view first, std::string_view second);

  int socket_;
  connection_limits limits_;
  std::string in_; ///< received and not yet used
  std::string head_text_;
  request_head head_;
  std::string body_;
  bool body_read_ = true;
  std::string out_;
};

} // namespace matricula::api

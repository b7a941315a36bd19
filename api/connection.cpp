#include "api/connection.hpp"

#include "api/chunked_body.hpp"
#include "api/problem.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds linger_time{500};
constexpr std::size_t linger_bytes_max = std::size_t{1} << 20;

/// False at the deadline.
bool wait_for(int socket, short events, steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd p{socket, events, 0};
    const int n = ::poll(&p, 1, static_cast<int>(left));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

refusal too_slow(const char* what) {
  return refusal(408, errc::deadline_exceeded, std::string("The ") + what + " of the request came too slowly.");
}
} // namespace

connection::connection(int socket, const connection_limits& limits) : socket_(socket), limits_(limits) {
  const timeval tv{0, std::chrono::microseconds(brief_wait).count()};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

connection::wait_result connection::receive_now(int flags) {
  std::array<char, 16384> buffer;
  for (;;) {
    const auto n = ::recv(socket_, buffer.data(), buffer.size(), flags);
    if (n > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(n));
      return wait_result::data;
    }
    if (n == 0) return wait_result::closed;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? wait_result::timeout : wait_result::closed;
  }
}

connection::wait_result connection::receive_until(steady_clock::time_point deadline) {
  for (;;) {
    if (const auto got = receive_now(MSG_DONTWAIT); got != wait_result::timeout) return got;
    if (!wait_for(socket_, POLLIN, deadline)) return wait_result::timeout;
  }
}

namespace {
connection::arrival to_arrival(bool data, bool closed) {
  return data ? connection::arrival::request : closed ? connection::arrival::closed : connection::arrival::silence;
}
} // namespace

connection::arrival connection::wait_briefly() {
  if (!in_.empty()) return arrival::request;
  const auto got = receive_now(0);
  return to_arrival(got == wait_result::data, got == wait_result::closed);
}

connection::arrival connection::wait(milliseconds at_most) {
  if (!in_.empty()) return arrival::request;
  const auto got = receive_until(steady_clock::now() + at_most);
  return to_arrival(got == wait_result::data, got == wait_result::closed);
}

outcome<bool> connection::read_head() {
  body_.clear();
  body_read_ = true;
  const auto deadline = steady_clock::now() + limits_.head_timeout;
  std::size_t searched = 0;
  for (;;) {
    // An empty line before a request is a relic of old clients (RFC 9112, section 2.2).
    if (searched == 0 && in_.starts_with("\r\n")) in_.erase(0, 2);
    const auto end = in_.find("\r\n\r\n", searched);
    if (end != std::string::npos && end + 4 <= limits_.head.bytes_max) {
      head_text_.assign(in_, 0, end + 4);
      in_.erase(0, end + 4);
      if (auto ok = parse_head(head_text_, limits_.head, head_); !ok) return std::unexpected(std::move(ok.error()));
      body_read_ = false;
      return true;
    }
    if (in_.size() >= limits_.head.bytes_max)
      return refuse(431, errc::payload_too_large,
                    "The head of the request is over " + std::to_string(limits_.head.bytes_max) + " bytes.");
    searched = in_.size() < 3 ? 0 : in_.size() - 3;
    switch (receive_until(deadline)) {
    case wait_result::data:
      break;
    case wait_result::closed:
      return false;
    case wait_result::timeout:
      return std::unexpected(too_slow("head"));
    }
  }
}

outcome<std::string_view> connection::read_body(std::size_t bytes_max) {
  if (body_read_ || !head_.has_body()) {
    body_read_ = true;
    return std::string_view(body_);
  }
  if (head_.content_length > bytes_max)
    return refuse(413, errc::payload_too_large, "The body is over " + std::to_string(bytes_max) + " bytes.");
  if (head_.expects_continue && in_.empty() && !send_all("HTTP/1.1 100 Continue\r\n\r\n", ""))
    return refuse(408, errc::deadline_exceeded, "The connection broke.");
  const auto deadline = steady_clock::now() + limits_.body_timeout;
  auto ok = head_.chunked ? read_chunks(bytes_max, deadline) : read_sized(deadline);
  if (!ok) return std::unexpected(std::move(ok.error()));
  body_read_ = true;
  return std::string_view(body_);
}

outcome<void> connection::read_sized(steady_clock::time_point deadline) {
  const auto length = static_cast<std::size_t>(head_.content_length);
  for (;;) {
    const auto n = std::min(length - body_.size(), in_.size());
    body_.append(in_, 0, n);
    in_.erase(0, n);
    if (body_.size() == length) return {};
    switch (receive_until(deadline)) {
    case wait_result::data:
      break;
    case wait_result::closed:
      return refuse(400, errc::invalid_argument, "The body is cut off.");
    case wait_result::timeout:
      return std::unexpected(too_slow("body"));
    }
  }
}

outcome<void> connection::read_chunks(std::size_t bytes_max, steady_clock::time_point deadline) {
  chunked_body decoder(bytes_max);
  for (;;) {
    std::size_t used = 0;
    const auto now = decoder.feed(in_, body_, used);
    in_.erase(0, used);
    switch (now) {
    case chunked_body::state::complete:
      return {};
    case chunked_body::state::malformed:
      return refuse(400, errc::invalid_argument, "The chunks of the body are malformed.");
    case chunked_body::state::too_large:
      return refuse(413, errc::payload_too_large, "The body is over " + std::to_string(bytes_max) + " bytes.");
    case chunked_body::state::needs_more:
      break;
    }
    switch (receive_until(deadline)) {
    case wait_result::data:
      break;
    case wait_result::closed:
      return refuse(400, errc::invalid_argument, "The body is cut off.");
    case wait_result::timeout:
      return std::unexpected(too_slow("body"));
    }
  }
}

bool connection::write(const response& answer, bool close, bool head_only) {
  out_.clear();
  out_.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ").append(reason_of(answer.status));
  out_.append("\r\n");
  const auto field = [this](std::string_view name, std::string_view value) {
    out_.append(name).append(": ");
    // A line break in a value would begin a header that nobody wrote.
    for (const char c : value) out_.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    out_.append("\r\n");
  };
  if (!answer.content_type.empty() && !answer.body.empty()) field("Content-Type", answer.content_type);
  if (answer.status != 204 && answer.status != 304) field("Content-Length", std::to_string(answer.body.size()));
  for (const auto& [name, value] : answer.headers) field(name, value);
  if (close) field("Connection", "close");
  out_.append("\r\n");
  const bool bodyless = head_only || answer.status == 204 || answer.status == 304;
  return send_all(out_, bodyless ? std::string_view{} : std::string_view(answer.body));
}

bool connection::send_all(std::string_view first, std::string_view second) {
  std::optional<steady_clock::time_point> deadline; // only a send that would block needs a clock
  while (!first.empty() || !second.empty()) {
    // iovec is not const-correct; sendmsg only reads.
    std::array<iovec, 2> parts{
        {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const auto sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      const auto n = static_cast<std::size_t>(sent);
      const auto of_first = std::min(n, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(n - of_first);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    if (!deadline) deadline = steady_clock::now() + limits_.write_timeout;
    if (!wait_for(socket_, POLLOUT, *deadline)) return false;
  }
  return true;
}

void connection::linger() {
  ::shutdown(socket_, SHUT_WR);
  const auto deadline = steady_clock::now() + linger_time;
  std::size_t swallowed = 0;
  while (swallowed < linger_bytes_max) {
    in_.clear();
    if (receive_until(deadline) != wait_result::data) return;
    swallowed += in_.size();
  }
}

} // namespace matricula::api

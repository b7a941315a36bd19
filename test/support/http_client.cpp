#include "test/support/http_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The status line and the headers. Nothing when they are malformed.
std::optional<http_answer> parse_head(std::string_view text) {
  http_answer answer;
  auto end = text.find("\r\n");
  const auto line = text.substr(0, end);
  if (!line.starts_with("HTTP/1.1 ") || line.size() < 12) return std::nullopt;
  const auto status = number<int>(line.substr(9, 3));
  if (!status) return std::nullopt;
  answer.status = *status;
  text.remove_prefix(end + 2);
  while (!text.empty()) {
    end = text.find("\r\n");
    const auto field = text.substr(0, end);
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto from = field.find_first_not_of(' ', colon + 1);
    answer.headers.emplace_back(field.substr(0, colon), from == std::string_view::npos ? "" : field.substr(from));
    text.remove_prefix(end + 2);
  }
  return answer;
}
} // namespace

std::string_view http_answer::header(std::string_view name) const noexcept {
  for (const auto& [own, value] : headers)
    if (own.size() == name.size() && same_name(own, name)) return value;
  return {};
}

http_client::http_client(std::uint16_t port, std::string token) : port_(port), token_(std::move(token)) {}
http_client::~http_client() { close(); }
http_client::http_client(http_client&& other) noexcept
    : port_(other.port_), token_(std::move(other.token_)), timeout_(other.timeout_),
      socket_(std::exchange(other.socket_, -1)), in_(std::move(other.in_)) {}

http_client& http_client::operator=(http_client&& other) noexcept {
  if (this == &other) return *this;
  close();
  port_ = other.port_;
  token_ = std::move(other.token_);
  timeout_ = other.timeout_;
  socket_ = std::exchange(other.socket_, -1);
  in_ = std::move(other.in_);
  return *this;
}

void http_client::close() noexcept {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  in_.clear();
}

void http_client::finish_writing() noexcept { ::shutdown(socket_, SHUT_WR); }

bool http_client::connect() {
  if (socket_ >= 0) return true;
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
  close();
  return false;
}

std::string http_client::text_of(const http_request& what) const {
  std::string text = what.method + " " + what.target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (!token_.empty()) text += "Authorization: Bearer " + token_ + "\r\n";
  for (const auto& [name, value] : what.headers) text.append(name).append(": ").append(value).append("\r\n");
  const bool has_body = what.method == "POST" || what.method == "PUT" || what.method == "PATCH" || !what.body.empty();
  if (!what.body.empty() && !what.content_type.empty()) text += "Content-Type: " + what.content_type + "\r\n";
  if (has_body) text += "Content-Length: " + std::to_string(what.body.size()) + "\r\n";
  return text + "\r\n" + what.body;
}

bool http_client::write(std::string_view bytes) {
  if (!connect()) return false;
  while (!bytes.empty()) {
    const auto n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool http_client::receive(steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd p{socket_, POLLIN, 0};
    const int ready = ::poll(&p, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char buffer[65536];
    const auto n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
}

std::optional<http_answer> http_client::read_answer(bool without_body) {
  const auto deadline = steady_clock::now() + timeout_;
  for (;;) {
    auto end = in_.find("\r\n\r\n");
    while (end == std::string::npos) {
      if (!receive(deadline)) return std::nullopt;
      end = in_.find("\r\n\r\n");
    }
    auto answer = parse_head(std::string_view(in_).substr(0, end + 2));
    if (!answer) return std::nullopt;
    if (answer->status == 100) {
      in_.erase(0, end + 4);
      continue;
    }
    const auto length = without_body ? std::size_t{0} : number<std::size_t>(answer->header("Content-Length"));
    if (!length) return std::nullopt;
    while (in_.size() < end + 4 + *length)
      if (!receive(deadline)) return std::nullopt;
    answer->body = in_.substr(end + 4, *length);
    in_.erase(0, end + 4 + *length);
    return answer;
  }
}

std::optional<http_answer> http_client::send(const http_request& what) {
  if (!write(text_of(what))) {
    // The node may have answered and closed while the request was being written, as it does to bodies too large.
    if (socket_ < 0) return std::nullopt;
  }
  auto answer = read_answer(what.method == "HEAD");
  if (!answer || same_name(answer->header("Connection"), "close")) close();
  return answer;
}

} // namespace matricula::test

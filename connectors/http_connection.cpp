#include "connectors/http_connection.hpp"

#include "connectors/name_lookup.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::connectors {

namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;
/// httplib reads a status line with std::regex, which needs stack for each byte of it.
constexpr std::size_t status_line_bytes_max = 1024;
/// A chunk of one byte takes six.
constexpr std::size_t wire_bytes_per_body_byte = 6;

bool is_address(const std::string& host) {
  in6_addr unused{};
  return ::inet_pton(AF_INET, host.c_str(), &unused) == 1 || ::inet_pton(AF_INET6, host.c_str(), &unused) == 1;
}

std::string last_tls_error(const SSL* session) {
  if (session != nullptr)
    if (const auto wrong = SSL_get_verify_result(session); wrong != X509_V_OK)
      return fmt::format("its certificate is not accepted: {}", X509_verify_cert_error_string(wrong));
  const auto code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "it ended the connection";
}

} // namespace

result<tls_context> make_tls_context(const std::string& ca_file) {
  tls_context made(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  require(made != nullptr, "a TLS context can be made");
  SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool trusts = ca_file.empty() ? SSL_CTX_set_default_verify_paths(made.get()) == 1
                                      : SSL_CTX_load_verify_locations(made.get(), ca_file.c_str(), nullptr) == 1;
  ERR_clear_error();
  if (!trusts)
    return fail(errc::invalid_argument,
                fmt::format("The certificates to trust, {}, cannot be read: a file with PEM certificates is needed.",
                            ca_file.empty() ? "those of the system" : ca_file));
  return made;
}

/// What httplib reads from and writes to. Keeps the deadline and the bounds, and knows what was sent.
class http_connection::stream final : public httplib::Stream {
public:
  stream(int socket, SSL* tls, deadline until, const stop_signal& stop, std::size_t bytes_max)
      : socket_(socket), tls_(tls), until_(until), stop_(stop), bytes_left_(bytes_max) {}

  [[nodiscard]] bool sent() const noexcept { return sent_; }
  [[nodiscard]] bool late() const noexcept { return late_; }
  [[nodiscard]] bool too_large() const noexcept { return too_large_; }
  [[nodiscard]] bool has_unread_bytes() const noexcept { return at_ != in_size_; }
  void head_is_over() noexcept { in_head_ = false; }

  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] bool is_writable() const override { return true; }

  /// One write for head and body together.
  ssize_t write(const char* data, std::size_t size) override {
    out_.append(data, size);
    return static_cast<ssize_t>(size);
  }

  ssize_t read(char* to, std::size_t size) override {
    if (!flush()) return -1;
    if (at_ == in_size_) {
      const auto n = receive();
      if (n <= 0) return n;
      at_ = 0;
      in_size_ = static_cast<std::size_t>(n);
    }
    const auto n = std::min(size, in_size_ - at_);
    if (!may_pass(in_.data() + at_, n)) {
      too_large_ = true;
      return -1;
    }
    std::memcpy(to, in_.data() + at_, n);
    at_ += n;
    return static_cast<ssize_t>(n);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override { get_remote_ip_and_port(ip, port); }
  [[nodiscard]] socket_t socket() const override { return socket_; }

private:
  /// Whether the bounds allow these bytes.
  bool may_pass(const char* data, std::size_t size) {
    if (size > bytes_left_) return false;
    bytes_left_ -= size;
    if (!in_head_) return true;
    head_bytes_ += size;
    for (std::size_t i = 0; i < size; ++i) {
      if (line_bytes_ < line_begins_.size()) line_begins_[line_bytes_] = data[i];
      ++line_bytes_;
      if (data[i] == '\n') line_bytes_ = 0;
    }
    const bool status_line =
        line_bytes_ >= line_begins_.size() && std::string_view(line_begins_.data(), line_begins_.size()) == "HTTP/";
    return head_bytes_ <= head_bytes_max && !(status_line && line_bytes_ > status_line_bytes_max);
  }

  bool wait(short events) {
    const auto how = wait_for(socket_, events, until_, stop_);
    if (how != waited::ready) late_ = true;
    return how == waited::ready;
  }

  /// What OpenSSL waits for after a call that returned `n`; 0 when the connection is over.
  [[nodiscard]] short tls_wants(int n) const {
    switch (SSL_get_error(tls_, n)) {
    case SSL_ERROR_WANT_READ:
      return POLLIN;
    case SSL_ERROR_WANT_WRITE:
      return POLLOUT;
    default:
      return 0;
    }
  }

  bool flush() {
    while (!out_.empty()) {
      short wants = 0;
      ssize_t n = 0;
      if (tls_ != nullptr) {
        ERR_clear_error();
        n = SSL_write(tls_, out_.data(), static_cast<int>(std::min(out_.size(), std::size_t{1} << 20)));
        if (n <= 0) wants = tls_wants(static_cast<int>(n));
        // A record may have left in part even where nothing is said to be written.
        if (n <= 0 && wants != 0) sent_ = true;
      } else {
        n = ::send(socket_, out_.data(), out_.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) wants = POLLOUT;
      }
      if (n > 0) {
        sent_ = true;
        out_.erase(0, static_cast<std::size_t>(n));
      } else if (wants == 0 || !wait(wants)) {
        return false;
      }
    }
    return true;
  }

  ssize_t receive() {
    for (;;) {
      short wants = POLLIN;
      ssize_t n = 0;
      if (tls_ != nullptr) {
        ERR_clear_error();
        n = SSL_read(tls_, in_.data(), static_cast<int>(in_.size()));
        if (n <= 0) {
          const int how = SSL_get_error(tls_, static_cast<int>(n));
          if (how == SSL_ERROR_ZERO_RETURN) return 0;
          wants = tls_wants(static_cast<int>(n));
        }
      } else {
        n = ::recv(socket_, in_.data(), in_.size(), 0);
        if (n == 0) return 0;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) wants = 0;
      }
      if (n > 0) return n;
      if (wants == 0 || !wait(wants)) return -1;
    }
  }

  const int socket_;
  SSL* const tls_;
  const deadline until_;
  const stop_signal& stop_;
  std::string out_;
  std::array<char, 8192> in_{};
  std::size_t at_ = 0, in_size_ = 0;
  std::size_t bytes_left_;
  std::size_t head_bytes_ = 0, line_bytes_ = 0;
  std::array<char, 5> line_begins_{};
  bool in_head_ = true;
  bool sent_ = false, late_ = false, too_large_ = false;
};

http_connection::http_connection(const http_client_options& options, SSL_CTX* tls, const stop_signal& stop)
    : ClientImpl(options.at.host, options.at.port), options_(options), tls_(tls), stop_(stop) {
  set_keep_alive(true);
  set_follow_location(false);
  set_decompress(false);
  set_url_encode(false);
}

http_connection::~http_connection() {
  // Here and not in the base, which does not know of the TLS session.
  http_connection::shutdown_ssl(socket_, false);
  shutdown_socket(socket_);
  close_socket(socket_);
}

result<int> http_connection::connect() const {
  const auto& at = options_.at;
  const auto addresses = look_up(at.host, at.port, until_, stop_);
  if (!addresses) return std::unexpected(addresses.error());
  std::string why = "no time was left";
  for (const auto& address : *addresses) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= until_) break;
    const int fd = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      why = std::strerror(errno);
      continue;
    }
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    int wrong = ::connect(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 ? 0 : errno;
    if (wrong == EINPROGRESS) {
      const auto how = wait_for(fd, POLLOUT, std::min(until_, now + options_.connect_at_most), stop_);
      socklen_t size = sizeof wrong;
      wrong = ETIMEDOUT;
      if (how == waited::ready && ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &wrong, &size) != 0) wrong = errno;
      if (how == waited::stopped) wrong = ECANCELED;
    }
    if (wrong == 0) return fd;
    ::close(fd);
    why = std::strerror(wrong);
    if (wrong == ECANCELED) break;
  }
  return fail(errc::unavailable, fmt::format("No connection to {}:{}: {}.", at.host, at.port, why));
}

result<SSL*> http_connection::begin_tls(int socket) const {
  const auto& host = options_.at.host;
  ERR_clear_error();
  std::unique_ptr<SSL, decltype(&SSL_free)> session(SSL_new(tls_), SSL_free);
  const auto failed = [&](std::string_view why) {
    auto out = fail(errc::unavailable, fmt::format("TLS with {}:{} failed: {}.", host, options_.at.port, why));
    ERR_clear_error();
    return out;
  };
  if (!session) return failed("no session could be made");
  SSL_set_fd(session.get(), socket);
  auto* checks = SSL_get0_param(session.get());
  X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool named = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(checks, host.c_str()) == 1
                                      : X509_VERIFY_PARAM_set1_host(checks, host.data(), host.size()) == 1 &&
                                            SSL_set_tlsext_host_name(session.get(), host.c_str()) == 1;
  if (!named) return failed("the host's name cannot be in a certificate");
  for (;;) {
    const int n = SSL_connect(session.get());
    if (n == 1) return session.release();
    const int wants = SSL_get_error(session.get(), n);
    if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) return failed(last_tls_error(session.get()));
    const auto how = wait_for(socket, wants == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until_, stop_);
    if (how != waited::ready) return failed("it did not come about in time");
  }
}

bool http_connection::create_and_connect_socket(Socket& socket, httplib::Error& error) {
  error = httplib::Error::Connection;
  const auto connected = connect();
  if (!connected) {
    why_not_connected_ = connected.error().message;
    return false;
  }
  if (tls_ != nullptr) {
    const auto session = begin_tls(*connected);
    if (!session) {
      ::close(*connected);
      why_not_connected_ = session.error().message;
      return false;
    }
    socket.ssl = *session;
  }
  socket.sock = *connected;
  error = httplib::Error::Success;
  return true;
}

void http_connection::shutdown_ssl(Socket& socket, bool gracefully) {
  if (socket.ssl == nullptr) return;
  ERR_clear_error();
  if (gracefully) SSL_shutdown(socket.ssl);
  SSL_free(socket.ssl);
  ERR_clear_error();
  socket.ssl = nullptr;
}

bool http_connection::process_socket(const Socket& socket, std::function<bool(httplib::Stream&)> callback) {
  stream_ = std::make_unique<stream>(socket.sock, socket.ssl, until_, stop_,
                                     head_bytes_max + wire_bytes_per_body_byte * options_.body_bytes_max);
  return callback(*stream_);
}

bool http_connection::may_be_used_again() {
  if (socket_.sock == INVALID_SOCKET || (stream_ && stream_->has_unread_bytes())) return false;
  char byte = 0;
  if (socket_.ssl == nullptr) {
    const auto n = ::recv(socket_.sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  // Not of the socket: a server may have sent session tickets, which are no answer, or that it closes.
  ERR_clear_error();
  const int n = SSL_peek(socket_.ssl, &byte, 1);
  const bool nothing = n <= 0 && SSL_get_error(socket_.ssl, n) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return nothing;
}

http_reply http_connection::run(const http_request& what, deadline until) {
  const auto& at = options_.at;
  const auto where = fmt::format("{}:{}", at.host, at.port);
  until_ = until;
  why_not_connected_.clear();
  stream_.reset();
  http_reply reply;
  httplib::Request request;
  request.method = what.method;
  request.path = what.target;
  const auto name = at.host.find(':') == std::string::npos ? at.host : "[" + at.host + "]";
  const bool usual_port = at.port == (at.tls ? 443 : 80);
  request.headers.emplace("Host", usual_port ? name : fmt::format("{}:{}", name, at.port));
  request.headers.emplace("User-Agent", "Matricula");
  request.headers.emplace("Accept-Encoding", "identity");
  for (const auto& [header, value] : what.headers) request.headers.emplace(header, value);
  request.body = what.body;
  request.response_handler = [this, &reply](const httplib::Response& head) {
    reply.status = head.status;
    reply.retry_after = head.get_header_value("Retry-After");
    stream_->head_is_over();
    return true;
  };
  request.content_receiver = [this, &reply](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    reply.too_large = reply.body.size() + size > options_.body_bytes_max;
    if (!reply.too_large) reply.body.append(data, size);
    return !reply.too_large;
  };
  httplib::Response answer;
  auto error = httplib::Error::Success;
  bool whole = false;
  try {
    whole = send(request, answer, error);
  } catch (const std::exception&) { // std::regex, by which httplib reads the first line, may give up
    whole = false;
  }
  if (whole) {
    reply.how = transfer::answered;
    reply.status = answer.status;
    reply.retry_after = answer.get_header_value("Retry-After");
    return reply;
  }
  reply.body.clear();
  reply.too_large = reply.too_large || (stream_ && stream_->too_large());
  if (!stream_) {
    reply.error = why_not_connected_;
  } else if (!stream_->sent()) {
    reply.error = fmt::format("{} closed the connection before the request.", where);
  } else {
    reply.how = transfer::lost;
    reply.error = fmt::format("The answer of {} {}.", where,
                              reply.too_large   ? "is too large"
                              : stream_->late() ? "did not come in time"
                                                : "did not come, or not wholly");
  }
  return reply;
}

} // namespace matricula::connectors

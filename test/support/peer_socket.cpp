#include "test/support/peer_socket.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace matricula::test {

namespace {
SSL_CTX* client_context() {
  static const std::shared_ptr<SSL_CTX> context = [] {
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    std::shared_ptr<SSL_CTX> made(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_mode(made.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    return made;
  }();
  return context.get();
}
} // namespace

peer_socket::peer_socket(std::uint16_t port, speaks what, bool hello)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval wait{std::chrono::seconds(patience).count(), 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool ok = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  if (ok && what == speaks::tls && hello) {
    tls_.reset(SSL_new(client_context()), SSL_free);
    SSL_set_fd(tls_.get(), socket_);
    ok = SSL_connect(tls_.get()) == 1;
    ERR_clear_error();
  }
  if (ok) return;
  tls_.reset();
  ::close(std::exchange(socket_, -1));
}

peer_socket::~peer_socket() {
  tls_.reset();
  if (socket_ >= 0) ::close(socket_);
}

peer_socket::peer_socket(peer_socket&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), tls_(std::move(other.tls_)), in_(std::move(other.in_)) {}

bool peer_socket::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto most = std::min(bytes.size(), std::size_t{64} << 10);
    const auto n = tls_ ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(most))
                        : ::send(socket_, bytes.data(), most, MSG_NOSIGNAL);
    ERR_clear_error();
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool peer_socket::receive() {
  char bytes[16384];
  const auto n = tls_ ? SSL_read(tls_.get(), bytes, sizeof bytes) : ::recv(socket_, bytes, sizeof bytes, 0);
  ERR_clear_error();
  if (n > 0) in_.append(bytes, static_cast<std::size_t>(n));
  return n > 0;
}

std::optional<std::string> peer_socket::answer() {
  for (;;) {
    if (const auto end = in_.find("\r\n\r\n"); end != std::string::npos) {
      const auto at = in_.find("Content-Length: ");
      const auto whole = end + 4 + (at < end ? std::stoul(in_.substr(at + 16)) : 0);
      if (in_.size() >= whole) {
        auto text = in_.substr(0, whole);
        in_.erase(0, whole);
        return text;
      }
    }
    if (!receive()) return std::nullopt;
  }
}

bool peer_socket::is_closed() {
  const bool nothing = in_.empty() && !receive();
  return nothing && errno != EAGAIN;
}

std::string peer_socket::version() const { return tls_ ? SSL_get_version(tls_.get()) : ""; }

std::string peer_socket::certificate_name() const {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(tls_.get()), X509_free);
  if (!shown) return {};
  char name[128] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name, sizeof name);
  return name;
}

int status_of_answer(const std::optional<std::string>& answer) {
  return answer && answer->starts_with("HTTP/1.1 ") ? std::stoi(answer->substr(9, 3)) : 0;
}

} // namespace matricula::test

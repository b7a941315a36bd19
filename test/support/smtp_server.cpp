#include "test/support/smtp_server.hpp"

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <csignal>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace matricula::test {

namespace {

constexpr int step_ms = 20;
constexpr int patience_steps = 1'000;

std::string decoded(std::string_view base64) {
  std::string in;
  for (const char c : base64)
    if (std::isspace(static_cast<unsigned char>(c)) == 0) in += c;
  std::string out(in.size(), '\0');
  const auto n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                 reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size()));
  if (n < 0) throw std::runtime_error("this is no base64: " + in);
  const auto padding = static_cast<std::size_t>(
      std::count(in.end() - std::min<std::ptrdiff_t>(2, in.end() - in.begin()), in.end(), '='));
  out.resize(static_cast<std::size_t>(n) - padding);
  return out;
}

bool begins(std::string_view line, std::string_view word) {
  return line.size() >= word.size() && std::equal(word.begin(), word.end(), line.begin(), [](char a, char b) {
           return a == std::toupper(static_cast<unsigned char>(b));
         });
}

std::string in_brackets(std::string_view line) {
  const auto from = line.find('<'), to = line.find('>');
  return from == line.npos || to == line.npos ? std::string() : std::string(line.substr(from + 1, to - from - 1));
}

struct free_ssl {
  void operator()(SSL* s) const { SSL_free(s); }
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
};

} // namespace

std::string text_of(const received_mail& m) {
  const auto body = m.data.find("\r\n\r\n");
  return body == m.data.npos ? std::string() : decoded(std::string_view(m.data).substr(body + 4));
}

class smtp_server::session {
public:
  session(smtp_server& of, int socket) : of_(of), socket_(socket) {}
  ~session() {
    tls_.reset();
    ::close(socket_);
  }

  void run() {
    if (of_.mood_ == mood::silent) return wait_for_the_end();
    if (of_.options_.tls_at_once && !begin_tls()) return;
    if (of_.mood_ == mood::later_at_greeting) return (void)say("421 Not now.");
    say("220 a test");
    while (auto line = next_line()) {
      of_.note(begins(*line, "AUTH") ? "AUTH" : *line);
      if (!answer(*line)) return;
    }
  }

private:
  bool answer(const std::string& line) {
    if (begins(line, "EHLO")) return greet();
    if (begins(line, "STARTTLS")) return say("220 Go on.") && begin_tls();
    if (begins(line, "AUTH")) return authenticate(line);
    if (begins(line, "QUIT")) return say("221 Bye."), false;
    if (begins(line, "RSET") || begins(line, "NOOP")) return say("250 Done.");
    if (!of_.options_.user.empty() && mail_.user.empty()) return say("530 Who are you?");
    if (begins(line, "MAIL")) {
      mail_.from = in_brackets(line);
      return say("250 Good.");
    }
    if (begins(line, "RCPT")) {
      if (of_.mood_ == mood::later_at_rcpt) return say("450 Come again.");
      mail_.to.push_back(in_brackets(line));
      return say("250 Good.");
    }
    if (begins(line, "DATA")) return take_data();
    return say("500 What?");
  }

  bool greet() {
    const bool offer = of_.options_.certificate && !tls_;
    say("250-a test");
    if (offer) say("250-STARTTLS");
    if (!of_.options_.user.empty()) say("250-AUTH PLAIN LOGIN");
    return say("250 8BITMIME");
  }

  bool authenticate(const std::string& line) {
    std::string user, password;
    if (begins(line, "AUTH PLAIN")) {
      auto given = line.size() > 11 ? line.substr(11) : std::string();
      if (given.empty()) {
        say("334 ");
        given = next_line().value_or("");
      }
      const auto all = decoded(given);
      const auto a = all.find('\0'), b = all.find('\0', a + 1);
      user = all.substr(a + 1, b - a - 1);
      password = all.substr(b + 1);
    } else {
      say("334 VXNlcm5hbWU6");
      user = decoded(next_line().value_or(""));
      say("334 UGFzc3dvcmQ6");
      password = decoded(next_line().value_or(""));
    }
    if (user != of_.options_.user || password != of_.options_.password) return say("535 Wrong: " + user);
    mail_.user = user;
    return say("235 Welcome.");
  }

  bool take_data() {
    say("354 Go on.");
    mail_.data.clear();
    while (auto line = next_line()) {
      if (*line == ".") {
        if (of_.mood_ == mood::hangs_up) return false;
        if (of_.mood_ == mood::never_after_data) return say("554 Not this one, " + mail_.from);
        mail_.tls = tls_ != nullptr;
        of_.keep(mail_);
        mail_.to.clear();
        return say("250 Kept.");
      }
      mail_.data += (line->starts_with('.') ? line->substr(1) : *line) + "\r\n";
    }
    return false;
  }

  bool begin_tls() {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    const auto& files = *of_.options_.certificate;
    if (SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
      throw std::runtime_error("the test's certificate cannot be used");
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket_);
    in_.clear(); // what came in plain text after STARTTLS is not for the ears of TLS
    if (SSL_accept(tls_.get()) == 1) return true;
    tls_.reset();
    return false;
  }

  bool say(const std::string& line) {
    const auto bytes = line + "\r\n";
    if (tls_) return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }

  std::optional<std::string> next_line() {
    for (;;) {
      if (const auto end = in_.find("\r\n"); end != in_.npos) {
        auto line = in_.substr(0, end);
        in_.erase(0, end + 2);
        return line;
      }
      if (!receive()) return std::nullopt;
    }
  }

  bool receive() {
    for (int i = 0; i < patience_steps && !of_.stop_; ++i) {
      pollfd one{socket_, POLLIN, 0};
      if ((tls_ == nullptr || SSL_pending(tls_.get()) == 0) && ::poll(&one, 1, step_ms) == 0) continue;
      char bytes[4096];
      const auto n =
          tls_ ? SSL_read(tls_.get(), bytes, sizeof bytes) : static_cast<int>(::recv(socket_, bytes, sizeof bytes, 0));
      if (n <= 0) return false;
      in_.append(bytes, static_cast<std::size_t>(n));
      return true;
    }
    return false;
  }

  void wait_for_the_end() {
    while (receive()) in_.clear();
  }

  smtp_server& of_;
  int socket_;
  std::unique_ptr<SSL_CTX, free_ssl> context_;
  std::unique_ptr<SSL, free_ssl> tls_;
  std::string in_;
  received_mail mail_;
};

smtp_server::smtp_server(smtp_server_options options) : options_(std::move(options)) {
  // OpenSSL writes without MSG_NOSIGNAL.
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
    throw std::runtime_error("a mail server for a test cannot listen");
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { run(); });
}

smtp_server::~smtp_server() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

void smtp_server::run() {
  while (!stop_) {
    pollfd one{listener_, POLLIN, 0};
    if (::poll(&one, 1, step_ms) <= 0) continue;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    ++connections_;
    session(*this, socket).run();
  }
}

void smtp_server::keep(received_mail m) {
  const std::lock_guard hold(mutex_);
  mails_.push_back(std::move(m));
}

void smtp_server::note(std::string command) {
  const std::lock_guard hold(mutex_);
  commands_.push_back(std::move(command));
}

std::vector<received_mail> smtp_server::mails() const {
  const std::lock_guard hold(mutex_);
  return mails_;
}

std::vector<std::string> smtp_server::commands() const {
  const std::lock_guard hold(mutex_);
  return commands_;
}

} // namespace matricula::test

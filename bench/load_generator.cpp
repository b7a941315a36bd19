#include "bench/load_generator.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace matricula::bench {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds answer_timeout{30'000};
constexpr std::size_t buffer_bytes = std::size_t{64} << 10;
constexpr std::size_t events_max = 64;
constexpr std::uint64_t any_number = UINT64_MAX;

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error("load generator: " + what + ": " + std::strerror(errno));
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) give_up("socket");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(fd);
    give_up("connect");
  }
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

/// The answer that is being read. Only what this project's server sends is understood: no chunks.
struct answer {
  std::string head;
  int status = 0;
  bool close = false;
  std::size_t body_left = 0;
  bool in_body = false;

  /// True when the answer is whole.
  bool feed(std::string_view bytes) {
    if (!in_body) {
      const auto before = head.size();
      head.append(bytes);
      const auto end = head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
      if (end == std::string::npos) return false;
      bytes.remove_prefix(end + 4 - before);
      head.resize(end + 2);
      status = std::atoi(head.c_str() + std::strlen("HTTP/1.1 "));
      const auto length = field("Content-Length");
      body_left = 0;
      std::from_chars(length.data(), length.data() + length.size(), body_left);
      close = field("Connection").starts_with("close");
      in_body = true;
    }
    if (bytes.size() > body_left) throw std::runtime_error("load generator: more bytes than the answer has");
    body_left -= bytes.size();
    return body_left == 0;
  }

  void reset() {
    head.clear();
    in_body = false;
  }

private:
  [[nodiscard]] std::string_view field(std::string_view name) const {
    const std::string before = "\r\n" + std::string(name) + ": ";
    const auto at = head.find(before);
    if (at == std::string::npos) return {};
    return std::string_view(head).substr(at + before.size());
  }
};

struct connection {
  int fd = -1;
  bool waiting = false;
  std::size_t request = 0; ///< of those of the run
  steady_clock::time_point sent;
  answer reading;
};

} // namespace

double load_result::quantile_ms(double q) {
  if (microseconds.empty()) return 0;
  std::ranges::sort(microseconds);
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(microseconds.size())));
  return microseconds[std::max<std::size_t>(rank, 1) - 1] / 1000.0;
}

void load_result::add(const load_result& other) {
  accepted += other.accepted;
  refused += other.refused;
  broken += other.broken;
  seconds += other.seconds;
  microseconds.insert(microseconds.end(), other.microseconds.begin(), other.microseconds.end());
}

class load_generator::loop {
public:
  loop(std::uint16_t port, std::size_t connections) : port_(port), connections_(connections), buffer_(buffer_bytes) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) give_up("epoll_create1");
    for (auto& c : connections_) open(c);
  }
  ~loop() {
    for (const auto& c : connections_)
      if (c.fd >= 0) ::close(c.fd);
    ::close(epoll_);
  }
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// @param requests sent in turn, again from the front after the last; a refused one is sent again first.
  load_result run(std::span<const std::string> requests, steady_clock::time_point until, std::uint64_t accepted_max) {
    replace_closed();
    load_result seen;
    const auto began = steady_clock::now();
    auto now = began;
    std::size_t under_way = 0;
    const auto more = [&] { return now < until && seen.accepted + under_way < accepted_max; };
    std::size_t next = 0;
    for (auto& c : connections_) {
      if (!more()) break;
      c.request = next++ % requests.size();
      send(c, requests[c.request], now);
      ++under_way;
    }
    while (under_way > 0) {
      std::array<epoll_event, events_max> events;
      const int n = ::epoll_wait(epoll_, events.data(), events_max, static_cast<int>(answer_timeout.count()));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw std::runtime_error("load generator: no answer in time");
      now = steady_clock::now();
      for (int i = 0; i < n; ++i) {
        auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        const auto how = receive(c);
        if (how == received::part) continue;
        if (!c.waiting) {
          open(c);
          continue;
        }
        c.waiting = false;
        --under_way;
        const auto accepted_before = seen.accepted;
        note(seen, c, how, now);
        const int status = how == received::whole ? c.reading.status : 0;
        if (accepted_max != any_number && status / 100 == 4 && status != 429)
          throw std::runtime_error("load generator: refused with " + std::to_string(status));
        if (how == received::nothing || c.reading.close) open(c);
        c.reading.reset();
        if (!more()) continue;
        if (seen.accepted > accepted_before) c.request = next++ % requests.size();
        send(c, requests[c.request], now);
        ++under_way;
      }
    }
    seen.seconds = std::chrono::duration<double>(now - began).count();
    return seen;
  }

private:
  enum class received : std::uint8_t { whole, part, nothing };

  void open(connection& c) {
    if (c.fd >= 0) ::close(c.fd);
    c.fd = connect_to(port_);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &e) != 0) give_up("epoll_ctl");
  }

  /// The server ends connections that were idle; nothing was asked on them, so nothing is lost.
  void replace_closed() {
    std::array<epoll_event, events_max> events;
    for (int n = events_max; n == static_cast<int>(events_max);) {
      n = ::epoll_wait(epoll_, events.data(), events_max, 0);
      for (int i = 0; i < n; ++i) open(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
  }

  static void send(connection& c, std::string_view request, steady_clock::time_point now) {
    c.sent = now;
    c.waiting = true;
    // Requests are small and the socket's buffer is empty: this never blocks. A broken connection shows at the read.
    (void)!::send(c.fd, request.data(), request.size(), MSG_NOSIGNAL);
  }

  received receive(connection& c) {
    const auto n = ::recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return received::part;
    if (n <= 0) return received::nothing;
    return c.reading.feed({buffer_.data(), static_cast<std::size_t>(n)}) ? received::whole : received::part;
  }

  static void note(load_result& seen, const connection& c, received how, steady_clock::time_point now) {
    if (how == received::nothing) {
      ++seen.broken;
    } else if (c.reading.status / 100 == 2) {
      ++seen.accepted;
      seen.microseconds.push_back(
          static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - c.sent).count()));
    } else {
      ++seen.refused;
    }
  }

  std::uint16_t port_;
  int epoll_ = -1;
  std::vector<connection> connections_; ///< never resized: epoll points at them
  std::vector<char> buffer_;
};

load_generator::load_generator(std::uint16_t port, std::size_t connections)
    : loop_(std::make_unique<loop>(port, connections)) {}
load_generator::~load_generator() = default;

load_result load_generator::run(const std::string& request, milliseconds duration) {
  return loop_->run({&request, 1}, steady_clock::now() + duration, any_number);
}

load_result load_generator::run_until(const std::string& request, std::uint64_t accepted) {
  return loop_->run({&request, 1}, steady_clock::time_point::max(), accepted);
}

load_result load_generator::run_all(std::span<const std::string> requests) {
  return loop_->run(requests, steady_clock::time_point::max(), requests.size());
}

std::string post_text(std::string_view target, std::string_view token, std::string_view body) {
  std::string text = "POST " + std::string(target) + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
                     std::string(token) + "\r\n";
  if (!body.empty()) text += "Content-Type: application/json\r\n";
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

} // namespace matricula::bench

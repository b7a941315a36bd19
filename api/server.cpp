// cpp-httplib listens and accepts. Its own reading and writing is not used: it loses pipelined requests, and writes
// head and body apart (with Nagle's algorithm and delayed acknowledgements 40 ms a request). Behind a proxy, a request
// must be read strictly or refused. So `process_and_close_socket` is overridden, and connection.cpp does it.
#include "api/server.hpp"

#include "api/open_connections.hpp"
#include "api/peer_address.hpp"
#include "api/refused_connections.hpp"
#include "api/worker_pool.hpp"
#include "foundation/log.hpp"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <future>
#include <netinet/tcp.h>
#include <thread>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
/// With connections waiting, one that has had a thread for this long gives it up after its present answer.
constexpr milliseconds share_after{100};
/// A fresh connection has this long to send its first request, whoever else waits.
constexpr milliseconds first_request{250};

/// A request as it stands on its connection.
class request_on_wire final : public incoming {
public:
  explicit request_on_wire(connection& from) : from_(from) {}
  [[nodiscard]] std::string_view method() const override { return from_.head().method; }
  [[nodiscard]] std::string_view target() const override { return from_.head().target; }
  [[nodiscard]] std::string_view header(std::string_view name) const override { return from_.head().find(name); }
  [[nodiscard]] outcome<std::string_view> body(std::size_t bytes_max) override { return from_.read_body(bytes_max); }
  [[nodiscard]] std::string_view peer() const override {
    if (peer_.empty()) peer_ = peer_address(from_.socket());
    return peer_;
  }

private:
  connection& from_;
  mutable std::string peer_;
};

/// Set while a job runs only to be refused; httplib's jobs are closures that do not give their socket away.
thread_local bool refusing = false;

/// Our threads, where httplib expects its own.
class bounded_queue final : public httplib::TaskQueue {
public:
  bounded_queue(worker_pool& workers, open_connections& open, prometheus::Gauge& waiting)
      : workers_(workers), open_(open), waiting_(waiting) {}
  void enqueue(std::function<void()> job) override {
    if (!workers_.offer(job)) {
      refusing = true;
      job();
      refusing = false;
      return;
    }
    const auto waiting = workers_.waiting();
    waiting_.Set(static_cast<double>(waiting));
    if (waiting > 0) open_.ask_one_to_leave();
  }
  void shutdown() override { workers_.finish(); }

private:
  worker_pool& workers_;
  open_connections& open_;
  prometheus::Gauge& waiting_;
};
} // namespace

class server::implementation final : public httplib::Server {
public:
  implementation(server_options options, application& app, metrics& numbers)
      : options_(std::move(options)), app_(app),
        open_gauge_(numbers.gauge("matricula_http_connections", "Connections that a thread serves.")),
        waiting_gauge_(numbers.gauge("matricula_http_connections_waiting", "Connections that wait for a thread.")),
        refused_counter_(numbers.counter("matricula_http_connections_refused_total",
                                         "Connections answered 503 because no thread and no place was left.")) {}

  result<std::uint16_t> start() {
    set_tcp_nodelay(true); // accepted sockets inherit it
    // httplib's default is SO_REUSEPORT, with which a second node on the same port starts and takes half the requests.
    set_socket_options([](socket_t s) {
      const int yes = 1;
      ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    const auto address = options_.host + ":" + std::to_string(options_.port);
    const int port = options_.port == 0                                ? bind_to_any_port(options_.host)
                     : bind_to_port(options_.host, int{options_.port}) ? int{options_.port}
                                                                       : -1;
    if (port < 0)
      return fail(errc::io, "Cannot listen on " + address + ". Is the port in use, or the address not this machine's?");
    // httplib listens with a backlog of 5, so that a burst of connects waits for SYN retries; once more corrects it.
    if (::listen(svr_sock_, static_cast<int>(options_.backlog)) != 0) {
      ::close(svr_sock_.exchange(INVALID_SOCKET));
      return fail(errc::io, "Cannot listen on " + address + ".");
    }
    workers_ = std::make_unique<worker_pool>(options_.threads, options_.waiting_max);
    const auto accepting = std::make_shared<std::promise<void>>();
    new_task_queue = [this, accepting]() -> httplib::TaskQueue* {
      accepting->set_value();
      return new bounded_queue(*workers_, open_, waiting_gauge_); // httplib owns it
    };
    accepting_thread_ = std::thread([this] {
      if (!listen_after_bind()) log::error("http.accept_failed", "The server no longer accepts connections.");
      ended_.set_value();
    });
    // `stop` before httplib's loop runs would be lost.
    accepting->get_future().wait();
    return static_cast<std::uint16_t>(port);
  }

  bool drain(milliseconds at_most) {
    if (!accepting_thread_.joinable()) return true;
    draining_.store(true);
    stop();
    open_.ask_all_to_leave();
    const bool all = ended_.get_future().wait_for(at_most) == std::future_status::ready;
    if (!all) {
      cutting_.store(true);
      open_.cut();
    }
    accepting_thread_.join();
    return all;
  }

private:
  bool process_and_close_socket(socket_t socket) override {
    if (refusing) {
      refused_counter_.Increment();
      refused_.refuse(socket, refusal_text());
      return true;
    }
    open_gauge_.Increment();
    waiting_gauge_.Set(static_cast<double>(workers_->waiting()));
    {
      open_connections::entry entry(open_, socket);
      if (!cutting_.load()) serve(socket, entry);
    }
    ::close(socket);
    open_gauge_.Decrement();
    return true;
  }

  void serve(int socket, open_connections::entry& entry) {
    connection peer(socket, options_.connection);
    const auto began = steady_clock::now();
    for (std::size_t served = 1;; ++served) {
      if (!await_request(peer, entry, served == 1)) return;
      const auto head = peer.read_head();
      if (!head) {
        if (peer.write(app_.refuse_unread(head.error()), true, false)) peer.linger();
        return;
      }
      if (!*head) return;
      request_on_wire request(peer);
      const auto answer = app_.answer(request);
      const bool whole = peer.at_request_boundary(); // else an unread body would be taken for a request
      const bool share = workers_->waiting() > 0 && steady_clock::now() - began > share_after;
      const bool close =
          peer.head().close || !whole || draining_.load() || share || served >= options_.requests_per_connection_max;
      if (!peer.write(answer, close, request.method() == "HEAD")) return;
      if (!close) continue;
      if (!peer.at_rest()) peer.linger();
      return;
    }
  }

  /// False when the connection should end: its peer is gone or silent, or somebody else needs the thread. Only one that
  /// has been silent for a while is asked to leave: closing it while its next request is under way loses that request.
  bool await_request(connection& peer, open_connections::entry& entry, bool first) {
    auto arrived = first ? peer.wait(std::min(first_request, options_.keep_alive)) : peer.wait_briefly();
    if (arrived == connection::arrival::silence) {
      entry.idle();
      if (!draining_.load() && workers_->waiting() == 0) arrived = peer.wait(options_.keep_alive);
      entry.busy();
    }
    return arrived == connection::arrival::request;
  }

  std::string refusal_text() {
    const auto answer = app_.refuse_unread(refusal(error{
        errc::overloaded, "Too many connections at once. Try again after Retry-After.", std::chrono::seconds(1)}));
    std::string text = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: " + answer.content_type +
                       "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
    for (const auto& [name, value] : answer.headers) text.append(name).append(": ").append(value).append("\r\n");
    return text.append("\r\n").append(answer.body);
  }

  server_options options_;
  application& app_;
  prometheus::Gauge& open_gauge_;
  prometheus::Gauge& waiting_gauge_;
  prometheus::Counter& refused_counter_;
  open_connections open_;
  refused_connections refused_;
  std::unique_ptr<worker_pool> workers_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> cutting_{false}; ///< the drain's time is over
  std::promise<void> ended_;
  std::thread accepting_thread_;
};

server::server(server_options options, application& app, metrics& numbers)
    : implementation_(std::make_unique<implementation>(std::move(options), app, numbers)) {}
server::~server() { drain(milliseconds(0)); }
result<std::uint16_t> server::start() { return implementation_->start(); }
bool server::drain(milliseconds at_most) { return implementation_->drain(at_most); }

} // namespace matricula::api

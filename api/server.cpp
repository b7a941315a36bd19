#include "api/server.hpp"

#include "api/event_loop.hpp"
#include "api/listener.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class server::implementation {
public:
  implementation(server_options options, application& app, metrics& numbers)
      : options_(std::move(options)), app_(app), numbers_(numbers), received_(options_.buffered_bytes_max),
        unwritten_(options_.buffered_bytes_max) {}

  result<std::uint16_t> start() {
    if (options_.tls.wanted()) {
      auto loaded = tls_identity::load(options_.tls);
      if (!loaded) return std::unexpected(loaded.error());
      identity_ = std::move(*loaded);
    }
    const auto listens = listen_on(options_.host, options_.port, options_.backlog);
    if (!listens) return std::unexpected(listens.error());
    workers_ = std::make_unique<worker_pool>(options_.threads, options_.waiting_max);
    const auto count = std::max<std::size_t>(options_.loops, 1);
    around_.reset(new loop_surroundings{
        .app = app_,
        .workers = *workers_,
        .received = received_,
        .unwritten = unwritten_,
        .limits = options_.connection,
        .connections_max = std::max<std::size_t>(options_.connections_max, 1),
        .identity = [this] { return identity(); },
        .open = numbers_.gauge("matricula_http_connections", "Open connections."),
        .waiting = numbers_.gauge("matricula_http_requests_waiting", "Requests that wait for a thread."),
        .received_bytes = numbers_.gauge("matricula_http_received_bytes",
                                         "Memory of requests being received or answered, beyond 8 KiB a connection."),
        .unwritten_bytes = numbers_.gauge("matricula_http_unwritten_bytes",
                                          "Memory of answers that clients are slow to take, beyond 8 KiB each."),
        .turned_away = numbers_.counter("matricula_http_connections_refused_total",
                                        "Connections that were not served because too many are open.")});
    for (std::size_t i = 0; i < count; ++i) loops_.push_back(std::make_unique<event_loop>(*around_));
    std::vector<event_loop*> others;
    for (std::size_t i = 1; i < count; ++i) {
      loops_[i]->start(-1, {});
      others.push_back(loops_[i].get());
    }
    loops_.front()->start(listens->socket, std::move(others));
    return listens->port;
  }

  result<std::shared_ptr<const tls_identity>> load_certificate(const tls_files& from) {
    if (from.wanted() != (identity() != nullptr))
      return fail(errc::invalid_argument, "TLS begins and ends with a start of the node only, not on reload.");
    if (!from.wanted()) return std::shared_ptr<const tls_identity>{};
    return tls_identity::load(from);
  }

  void use_certificate(std::shared_ptr<const tls_identity> certificate) {
    const std::scoped_lock hold(guard_);
    identity_ = std::move(certificate);
  }

  bool drain(milliseconds at_most) {
    if (loops_.empty()) return true;
    const auto until = steady_clock::now() + at_most;
    for (const auto& loop : loops_) loop->drain();
    bool all = true;
    for (const auto& loop : loops_) {
      if (loop->ended().wait_until(until) == std::future_status::ready) continue;
      all = false;
      loop->cut();
    }
    // The first one hands connections to the others.
    loops_.clear();
    workers_->finish();
    return all;
  }

private:
  std::shared_ptr<const tls_identity> identity() {
    const std::scoped_lock hold(guard_);
    return identity_;
  }

  server_options options_;
  application& app_;
  metrics& numbers_;
  byte_budget received_;
  byte_budget unwritten_;
  std::mutex guard_; ///< of identity_
  std::shared_ptr<const tls_identity> identity_;
  std::unique_ptr<worker_pool> workers_;
  std::unique_ptr<loop_surroundings> around_;
  std::vector<std::unique_ptr<event_loop>> loops_;
};

server::server(server_options options, application& app, metrics& numbers)
    : implementation_(std::make_unique<implementation>(std::move(options), app, numbers)) {}
server::~server() { drain(milliseconds(0)); }
result<std::uint16_t> server::start() { return implementation_->start(); }
result<std::shared_ptr<const tls_identity>> server::load_certificate(const tls_files& from) {
  return implementation_->load_certificate(from);
}
void server::use_certificate(std::shared_ptr<const tls_identity> certificate) {
  implementation_->use_certificate(std::move(certificate));
}
bool server::drain(milliseconds at_most) { return implementation_->drain(at_most); }

} // namespace matricula::api

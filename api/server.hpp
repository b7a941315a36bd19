/// The HTTP server: a listening socket, threads, and the application behind them.
#pragma once
#include "api/application.hpp"
#include "api/connection.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace matricula::api {

struct server_options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;        ///< 0: any free one
  std::size_t threads = 96;      ///< one serves one connection at a time; size them from latency, not from cores
  std::size_t waiting_max = 256; ///< accepted connections that wait for a thread; above: 503 at once
  std::size_t backlog = 1024;    ///< connections that the kernel holds before they are accepted
  std::size_t requests_per_connection_max = 100'000;
  /// How long an idle connection holds its thread while nobody waits for one. Somebody waiting ends it at once.
  std::chrono::milliseconds keep_alive{2'000};
  connection_limits connection;
};

class server {
public:
  /// The application and the metrics must live longer.
  server(server_options options, application& app, metrics& numbers);
  /// Drains with no time left.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Listens and serves, on threads of its own. Returns the port. Errors: io (address in use, not permitted, no such
  /// host).
  [[nodiscard]] result<std::uint16_t> start();

  /// Stops accepting, lets every request that has begun be answered, then ends the threads. After `at_most` what is
  /// left is cut off; still waits for handlers, whose deadlines bound that. @return whether nothing was cut off.
  bool drain(std::chrono::milliseconds at_most);

private:
  class implementation;
  std::unique_ptr<implementation> implementation_;
};

} // namespace matricula::api

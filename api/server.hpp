/// The HTTP server: event loops that hold all connections, threads for handlers that block, and the application behind.
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
  std::size_t loops = 1;         ///< threads that read and write; each serves its share of the connections
  std::size_t threads = 32;      ///< for handlers that block
  std::size_t waiting_max = 256; ///< requests that wait for one of them; above: 503 at once
  std::size_t backlog = 1024;    ///< connections that the kernel holds before they are accepted
  std::size_t connections_max = 8192;
  /// Of all requests being received or answered together, and apart from them of all answers that their readers do not
  /// take. What a connection holds up to byte_share::free_bytes does not count.
  std::size_t buffered_bytes_max = std::size_t{32} << 20;
  connection_limits connection;
  tls_files tls; ///< none: plain HTTP
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
  /// host), invalid_argument (certificate or key).
  [[nodiscard]] result<std::uint16_t> start();

  /// Reads other files, or the same again, for `use_certificate`: nothing changes yet. Nothing in it for plain HTTP.
  /// Errors: invalid_argument, as with `start`, also when TLS would begin or end: a port speaks one or the other.
  [[nodiscard]] result<std::shared_ptr<const tls_identity>> load_certificate(const tls_files& from);
  /// For connections from now on. @param certificate what `load_certificate` gave. Thread safe.
  void use_certificate(std::shared_ptr<const tls_identity> certificate);

  /// Stops accepting, lets every request that has begun be answered, then ends the threads. After `at_most` what is
  /// left is cut off; still waits for handlers, whose deadlines bound that. @return whether nothing was cut off.
  bool drain(std::chrono::milliseconds at_most);

private:
  class implementation;
  std::unique_ptr<implementation> implementation_;
};

} // namespace matricula::api

/// Brings a text over HTTP and TLS, within a time and a size.
#pragma once
#include "foundation/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace matricula::connectors {

struct http_location {
  bool tls = true;
  std::string host; ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 443;
  std::string target = "/";
  std::string user; ///< of HTTP Basic authentication; empty: none
  std::string password;
  std::string ca_file; ///< certificates to trust; empty: those of the system
};

/// One GET. `stop` may be called from any thread, also before and after.
class http_text {
public:
  explicit http_text(const http_location& from, std::size_t bytes_max);
  ~http_text();
  http_text(const http_text&) = delete;
  http_text& operator=(const http_text&) = delete;

  /// The body: only of status 200, no redirects; the certificate must be valid for the host, TLS 1.2 at least.
  /// Errors: unavailable (did not come in time, was refused), invalid_argument (too large). None holds the password.
  [[nodiscard]] result<std::string> run(std::chrono::milliseconds at_most);
  /// Ends `run` soon, with an error.
  void stop() noexcept;

private:
  struct call;
  http_location from_;
  std::size_t bytes_max_;
  std::unique_ptr<call> call_;
};

} // namespace matricula::connectors

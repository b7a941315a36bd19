/// Brings a text over HTTP and TLS, within a time and a size.
#pragma once
#include "connectors/http_location.hpp"
#include "foundation/error.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace matricula::connectors {

class http_client;

/// One GET. `stop` may be called from any thread, also before and after.
class http_text {
public:
  explicit http_text(const http_location& from, std::size_t bytes_max);
  ~http_text();
  http_text(const http_text&) = delete;
  http_text& operator=(const http_text&) = delete;

  /// The body: only of status 200, no redirects; the certificate must be valid for the host, TLS 1.2 at least.
  /// Errors: unavailable (did not come in time, was refused), invalid_argument (too large, or the CA file is not one).
  /// None holds the password.
  [[nodiscard]] result<std::string> run(std::chrono::milliseconds at_most);
  /// Ends `run` soon, with an error.
  void stop() noexcept;

private:
  http_location from_;
  result<std::unique_ptr<http_client>> client_;
};

} // namespace matricula::connectors

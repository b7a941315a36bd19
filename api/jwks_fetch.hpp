/// Brings the text of a key set: from a file, or over HTTP and TLS from its issuer.
#pragma once
#include "foundation/error.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace matricula::connectors {
class http_text;
}

namespace matricula::api {

/// Where a key set is. Exactly one of `file` and `host` is set.
struct jwks_location {
  std::filesystem::path file;
  bool tls = true;
  std::string host; ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 443;
  std::string target = "/";
  std::string ca_file; ///< certificates to trust; empty: those of the system
};

/// One attempt to have a key set. `stop` may be called from any thread, also before and after.
class jwks_fetch {
public:
  explicit jwks_fetch(const jwks_location& from);
  ~jwks_fetch();
  jwks_fetch(const jwks_fetch&) = delete;
  jwks_fetch& operator=(const jwks_fetch&) = delete;

  /// The text, at most key_set::text_bytes_max bytes. Over HTTP: only status 200, no redirects, the certificate must be
  /// valid for the host, TLS 1.2 at least.
  /// Errors: unavailable (did not come in time, was refused), invalid_argument (too large), io (the file).
  [[nodiscard]] result<std::string> run(std::chrono::milliseconds at_most);
  /// Ends `run` soon, with an error.
  void stop() noexcept;

private:
  jwks_location from_;
  std::unique_ptr<connectors::http_text> over_http_; ///< null: a file
};

} // namespace matricula::api

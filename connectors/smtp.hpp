/// Hands mails to an SMTP server, by libcurl.
#pragma once
#include "foundation/error.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace matricula::connectors {

enum class smtp_security : std::uint8_t {
  starttls, ///< begins in plain text and refuses to go on without TLS
  tls,      ///< TLS from the first byte
  none      ///< for a server on this machine
};

struct smtp_options {
  std::string host; ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 587;
  smtp_security security = smtp_security::starttls;
  std::string user; ///< empty: no authentication
  std::string password;
  std::string ca_file; ///< certificates to trust; empty: those of the system
  std::string from;    ///< an address, see mail_message.hpp
  std::vector<std::string> to;
  std::chrono::milliseconds timeout{30'000}; ///< of one mail
};

class smtp {
public:
  /// Once in a process before the first one: libcurl's own start is not thread safe otherwise.
  static void prepare();

  explicit smtp(smtp_options options);

  /// Sends one mail to all of `to`; some may refuse it as long as one takes it. TLS 1.2 at least, the certificate must
  /// be valid for the host. Errors: unavailable (to be tried again), conflict (the server has refused this mail for
  /// good, having seen it). None holds an address, a secret or what the server said.
  /// @param message as `compose` makes it
  [[nodiscard]] result<void> send(const std::string& message) const;
  /// Ends a `send` that runs, soon, and every later one at once.
  void stop() noexcept { stopped_ = true; }

private:
  smtp_options options_;
  std::atomic<bool> stopped_{false};
};

} // namespace matricula::connectors

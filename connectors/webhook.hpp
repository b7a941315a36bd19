/// Webhooks: one POST of a JSON body, signed, to an address of somebody else.
#pragma once
#include "connectors/http_location.hpp"
#include "foundation/clock.hpp"
#include "foundation/error.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::connectors {

enum class delivery_outcome : std::uint8_t {
  done = 1, ///< answered 2xx
  again,    ///< try later; it may have arrived all the same, which the receiver knows by the delivery's id
  refused,  ///< asking again cannot help
};
[[nodiscard]] std::string_view to_string(delivery_outcome o) noexcept;

struct delivery_answer {
  delivery_outcome outcome = delivery_outcome::again;
  int status = 0;                        ///< 0: no answer
  std::string error;                     ///< unless done: what went wrong, for a person; at most 500 bytes
  std::optional<milliseconds> try_again; ///< what the receiver asked for, an hour at most
};

struct webhook_options {
  http_location at; ///< where it goes when a delivery names no address
  /// Hosts that a delivery may name besides that of `at`, each "HOST", "HOST:PORT" or "[IPv6]:PORT"; without a port the
  /// usual one of http or https. So who can queue a task cannot reach what only this node reaches.
  std::vector<std::string> allowed_hosts;
  std::string secret; ///< of the signature; empty: deliveries are not signed
  std::chrono::milliseconds at_most{10'000};
  const clock* time = nullptr; ///< must live longer
};

struct delivery {
  std::string id;   ///< the same for each try: 1 to 128 printable ASCII characters without blanks
  std::string body; ///< JSON
  std::optional<http_location> at = std::nullopt; ///< its tls, host, port and target count; nothing: the webhook's own
};

/// The value of the header Matricula-Signature, "t=<seconds since 1970>,v1=<hex>": v1 is HMAC-SHA256 by the secret over
/// the digits of t, a '.', and the body. A receiver computes it again, compares, and refuses a t that is long ago.
[[nodiscard]] std::string webhook_signature(std::string_view secret, timestamp at, std::string_view body);

/// What an answer means: 2xx done; 408, 425, 429 and 5xx again; everything else refused, redirects, too.
[[nodiscard]] delivery_answer read_delivery_answer(int status, std::string_view body, std::string_view retry_after,
                                                   timestamp now);

/// Thread safe.
class webhook {
public:
  /// Errors: invalid_argument (the CA file cannot be read).
  [[nodiscard]] static result<std::unique_ptr<webhook>> make(webhook_options options);
  ~webhook();
  webhook(const webhook&) = delete;
  webhook& operator=(const webhook&) = delete;

  /// Headers: Content-Type, Matricula-Delivery (the id) and Matricula-Signature. Blocks, at most for `at_most`.
  [[nodiscard]] delivery_answer deliver(const delivery& what);
  /// Ends deliveries soon, the present and all later ones, from any thread.
  void stop();

private:
  struct inside;
  explicit webhook(std::unique_ptr<inside> in);
  std::unique_ptr<inside> in_;
};

} // namespace matricula::connectors

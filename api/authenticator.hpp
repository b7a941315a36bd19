/// Finds out who asks, from the request's credentials.
#pragma once
#include "api/route.hpp"
#include "api/tokens.hpp"

#include <memory>

namespace matricula::api {

class authenticator {
public:
  virtual ~authenticator() = default;
  /// Errors: unauthenticated. Thread safe.
  [[nodiscard]] virtual result<std::shared_ptr<const principal>> who_asks(const incoming& from,
                                                                          timestamp now) const = 0;
};

/// `Authorization: Bearer <token>` (RFC 6750), against the token store.
class bearer_authenticator final : public authenticator {
public:
  explicit bearer_authenticator(const token_store& tokens) : tokens_(tokens) {}
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp now) const override;

private:
  const token_store& tokens_;
};

/// auth.mode = "none": everyone is "local", with every scope. For loopback only; whoever wires it checks that.
class open_authenticator final : public authenticator {
public:
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp now) const override;
};

} // namespace matricula::api

/// Finds out who asks, from the request's credentials.
#pragma once
#include "api/route.hpp"
#include "api/tokens.hpp"

#include <memory>
#include <optional>

namespace matricula::api {

class jwt_gate;

class authenticator {
public:
  virtual ~authenticator() = default;
  /// Errors: unauthenticated. Thread safe.
  [[nodiscard]] virtual result<std::shared_ptr<const principal>> who_asks(const incoming& from,
                                                                          timestamp now) const = 0;
  /// The same where nobody may be kept waiting: nothing when telling it may block or take long, so that `who_asks` is
  /// to be called on a thread of its own.
  [[nodiscard]] virtual std::optional<result<std::shared_ptr<const principal>>> who_asks_at_once(const incoming& from,
                                                                                                 timestamp now) const {
    return who_asks(from, now);
  }
};

/// `Authorization: Bearer <token>` (RFC 6750), against the token store, the issuer of JWTs, or both.
class bearer_authenticator final : public authenticator {
public:
  explicit bearer_authenticator(const token_store& tokens) : tokens_(&tokens) {}
  /// Null: tokens of that kind are not accepted.
  bearer_authenticator(const token_store* tokens, const jwt_gate* jwts) : tokens_(tokens), jwts_(jwts) {}
  /// Errors, besides: unavailable and overloaded, while the issuer's keys cannot be had.
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp now) const override;

  /// Nothing for a JWT that was not seen before: its signature is to be checked, and its key perhaps to be fetched.
  [[nodiscard]] std::optional<result<std::shared_ptr<const principal>>> who_asks_at_once(const incoming& from,
                                                                                         timestamp now) const override;

  /// Whose token this is, wherever in a request it stood. Where both kinds are accepted its shape decides: only ours
  /// begin with `mtr_`, only JWTs have three parts with dots between.
  [[nodiscard]] result<std::shared_ptr<const principal>> who_has(std::string_view token, timestamp now) const;

private:
  [[nodiscard]] bool is_for_issuer(std::string_view token) const noexcept;
  const token_store* tokens_;
  const jwt_gate* jwts_ = nullptr;
};

/// auth.mode = "none": everyone is "local", with every scope. For loopback only; whoever wires it checks that.
class open_authenticator final : public authenticator {
public:
  [[nodiscard]] result<std::shared_ptr<const principal>> who_asks(const incoming& from, timestamp now) const override;
};

} // namespace matricula::api

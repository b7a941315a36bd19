/// A token in the cookie `Authorization`, as MOSIP's clients send theirs.
#pragma once
#include "api/route.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace matricula::api {

/// The token that the value of a Cookie header carries: `a=b; Authorization=<token>`, in double quotes or not (RFC
/// 6265, section 4.1.1). Nothing when there is none, when it holds what no cookie may, and when there are two of the
/// name: which of them somebody planted nobody can tell.
[[nodiscard]] std::optional<std::string_view> cookie_token(std::string_view cookies) noexcept;

/// A request as its authenticator sees it: where the client sent no header Authorization and cookies count, a token in
/// the cookie stands for `Authorization: Bearer <token>`.
class with_cookie_credentials final : public incoming {
public:
  /// @param from must live longer.
  with_cookie_credentials(incoming& from, bool cookies_count);

  [[nodiscard]] std::string_view method() const override { return from_.method(); }
  [[nodiscard]] std::string_view target() const override { return from_.target(); }
  [[nodiscard]] std::string_view header(std::string_view name) const override;
  [[nodiscard]] outcome<std::string_view> body(std::size_t bytes_max) override { return from_.body(bytes_max); }

private:
  incoming& from_;
  std::string authorization_; ///< empty: as the request has it
};

} // namespace matricula::api

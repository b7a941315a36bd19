#include "api/jwt_gate.hpp"

#include "foundation/digest.hpp"

namespace matricula::api {

jwt_gate::jwt_gate(jwks_source& keys, jwt_gate_rules rules, std::size_t remembered_max)
    : keys_(keys), rules_(std::make_shared<const numbered_rules>(numbered_rules{std::move(rules), 1})),
      verified_(remembered_max) {}

std::shared_ptr<const jwt_gate::numbered_rules> jwt_gate::rules() const {
  const std::scoped_lock hold(guard_);
  return rules_;
}

void jwt_gate::set_rules(jwt_gate_rules rules) {
  const std::scoped_lock hold(guard_);
  const auto number = rules_->number + 1;
  rules_ = std::make_shared<const numbered_rules>(numbered_rules{std::move(rules), number});
  rules_number_.store(number, std::memory_order_release);
}

std::shared_ptr<const principal> jwt_gate::remembered(const std::string& digest, timestamp now) const {
  return verified_.find(digest, {keys_.number(), rules_number_.load(std::memory_order_acquire)}, now);
}

std::shared_ptr<const principal> jwt_gate::recall(std::string_view token, timestamp now) const {
  return token.size() <= jwt_bytes_max ? remembered(sha256(token), now) : nullptr;
}

result<std::shared_ptr<const principal>> jwt_gate::check(std::string_view token, timestamp now) const {
  if (token.size() > jwt_bytes_max)
    return fail(errc::unauthenticated, "The token has more than " + std::to_string(jwt_bytes_max) + " bytes.");
  const auto digest = sha256(token);
  if (auto who = remembered(digest, now)) return who;

  const auto apart = take_apart(token);
  if (!apart) return std::unexpected(apart.error());
  const auto by = rules();
  auto set = keys_.current();
  const auto candidates = [&set, &apart] {
    return set.keys ? set.keys->find(apart->algorithm, apart->kid) : std::vector<const signature_key*>{};
  };
  auto keys = candidates();
  bool is_signed = is_signed_by(*apart, keys);
  if (!is_signed && (keys.empty() || apart->kid.empty())) {
    // Its key may be newer than the set. Reading it again is only for tokens that it could make good.
    if (const auto claims = check_claims(*apart, by->rules.token, now); !claims) return std::unexpected(claims.error());
    if (const auto read = keys_.read_again(set.number); !read) return std::unexpected(read.error());
    set = keys_.current();
    keys = candidates();
    if (keys.empty())
      return fail(errc::unauthenticated,
                  "The token is signed with a key that is not in the issuer's key set, or does not name which (kid).");
    is_signed = is_signed_by(*apart, keys);
  }
  if (!is_signed) return fail(errc::unauthenticated, "The token's signature is wrong.");
  const auto claims = check_claims(*apart, by->rules.token, now);
  if (!claims) return std::unexpected(claims.error());
  auto bearer = principal_of(claims->all, by->rules.mapping);
  if (!bearer) return std::unexpected(std::move(bearer.error()));
  auto who = std::make_shared<const principal>(std::move(*bearer));
  verified_.put(digest, {{set.number, by->number}, claims->valid_from, claims->valid_until, who}, now);
  return who;
}

} // namespace matricula::api

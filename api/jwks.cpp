#include "api/jwks.hpp"

#include <algorithm>

namespace matricula::api {

result<key_set> key_set::parse(std::string_view text) {
  if (text.size() > text_bytes_max)
    return fail(errc::invalid_argument,
                "The key set has more than " + std::to_string(text_bytes_max) + " bytes; that is no JWKS.");
  const auto parsed = json::parse(text);
  if (!parsed) return fail(errc::invalid_argument, "The key set is not strict JSON: " + parsed.error().cause.message);
  const auto* members = parsed->as<json::value::object>();
  const auto found =
      members ? std::ranges::find(*members, "keys", &json::member::name) : json::value::object::const_iterator{};
  const auto* list = members && found != members->end() ? found->held.as<json::value::array>() : nullptr;
  if (!list) return fail(errc::invalid_argument, "The key set is no JSON object with a list `keys` (RFC 7517).");
  if (list->size() > keys_max)
    return fail(errc::invalid_argument, "The key set has more than " + std::to_string(keys_max) + " keys.");
  key_set out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto key = signature_key::from_jwk((*list)[i]))
      out.keys_.push_back(std::move(*key));
    else
      out.left_out_.push_back("Key " + std::to_string(i + 1) + " is left out. " + key.error().message);
  }
  if (out.keys_.empty())
    return fail(errc::invalid_argument, "The key set has no key that can be used." +
                                            (out.left_out_.empty() ? "" : " " + out.left_out_.front()));
  return out;
}

std::vector<const signature_key*> key_set::find(signature_algorithm algorithm, std::string_view kid) const {
  std::vector<const signature_key*> fitting;
  for (const auto& key : keys_)
    if (key.takes(algorithm) && (kid.empty() || key.kid() == kid)) fitting.push_back(&key);
  // Trying every key would let a token without a kid cost as many checks as there are keys.
  if (kid.empty() && fitting.size() > 1) fitting.clear();
  return fitting;
}

} // namespace matricula::api

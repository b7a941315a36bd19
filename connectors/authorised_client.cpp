#include "connectors/authorised_client.hpp"

namespace matricula::connectors {

authorised_client::authorised_client(std::unique_ptr<http_client> client, std::unique_ptr<access_tokens> tokens,
                                     token_place where)
    : client_(std::move(client)), tokens_(std::move(tokens)), where_(where) {}

http_reply authorised_client::call_once(const http_request& what, deadline until, std::string& token) {
  if (!tokens_) return client_->call(what, until);
  auto now = tokens_->current(until);
  if (!now) {
    http_reply none;
    none.error = std::move(now.error().message);
    return none;
  }
  token = std::move(*now);
  auto with_token = what;
  if (where_ == token_place::mosip_cookie)
    with_token.headers.emplace_back("Cookie", "Authorization=" + token);
  else
    with_token.headers.emplace_back("Authorization", "Bearer " + token);
  return client_->call(with_token, until);
}

} // namespace matricula::connectors

/// Generators of other systems over HTTP: what those of MOSIP and OpenG2P have in common.
#pragma once
#include "connectors/access_token.hpp"
#include "connectors/authorised_client.hpp"
#include "connectors/generator_answers.hpp"
#include "connectors/http_client.hpp"
#include "domain/registrants/id_generator.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace matricula::connectors {

struct http_generator_options {
  http_location at;                           ///< MOSIP: of GET and PUT uin. OpenG2P: what /v1/idgenerator comes after
  std::string id_type;                        ///< OpenG2P only
  std::chrono::milliseconds at_most{10'000};  ///< one call with all that belongs to it, a fresh token, too
  std::optional<access_token_options> tokens; ///< nothing: calls carry none
  const clock* time = nullptr;                ///< must live longer
};

/// MOSIP's kernel-idgenerator-service. Errors: invalid_argument (a CA file cannot be read).
[[nodiscard]] result<std::unique_ptr<registrants::id_generator>> make_mosip_generator(http_generator_options options);
/// OpenG2P's id-generator. Errors: the same.
[[nodiscard]] result<std::unique_ptr<registrants::id_generator>> make_openg2p_generator(http_generator_options options);

/// A client for the options. Errors: invalid_argument (a CA file cannot be read).
[[nodiscard]] result<authorised_client> make_authorised_client(const http_generator_options& options,
                                                               token_place where);

/// What a call without a whole answer means; nothing when there is one.
[[nodiscard]] std::optional<registrants::generator_answer> without_answer(const http_reply& reply);

/// The answer as the decisions take it. It lives as long as `reply`.
[[nodiscard]] generator_reply as_generator_reply(const http_reply& reply, const clock& time);

} // namespace matricula::connectors

/// What the answers of other systems' generators mean. Pure: the same answer gives the same outcome.
/// Whatever cannot be read with certainty is `unknown`: an identifier may have been consumed.
#pragma once
#include "domain/registrants/id_generator.hpp"

#include <string_view>

namespace matricula::connectors {

/// A whole HTTP answer.
struct generator_reply {
  int status = 0;
  std::string_view body;
  std::optional<milliseconds> retry_after = std::nullopt;
};

/// Whether `id` may be an identifier: 1 to 64 of [A-Za-z0-9-].
[[nodiscard]] bool is_identifier(std::string_view id) noexcept;

/// What MOSIP's kernel-idgenerator-service says to GET /uin. It answers 200 to everything, with the failure in
/// `errors`. Only KER-UIG-001 (none left) surely consumed nothing: a failure to sign the answer comes after the effect.
[[nodiscard]] registrants::generator_answer read_mosip_issue(const generator_reply& reply);
/// ... to PUT /uin with status ASSIGNED for the identifier `id`, which it issued to us. KER-UIG-004 (not in state
/// ISSUED) says that an earlier PUT had its effect: done.
[[nodiscard]] registrants::generator_answer read_mosip_confirm(const generator_reply& reply, std::string_view id);
/// Whether MOSIP did not accept the token: 401, or a code of its authentication in `errors`. Nothing was done then.
[[nodiscard]] bool mosip_wants_new_token(const generator_reply& reply);

/// What OpenG2P's id-generator says to POST /v1/idgenerator/{id_type}/id.
[[nodiscard]] registrants::generator_answer read_openg2p_issue(const generator_reply& reply);

} // namespace matricula::connectors

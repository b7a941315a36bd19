/// The description of OpenG2P's routes for programs that read it where OpenG2P has it, as built in.
#pragma once
#include <string_view>

namespace matricula::api::compat {

/// openg2p_openapi.json of this folder: OpenAPI 3.1.0.
extern const std::string_view openg2p_openapi_json;

} // namespace matricula::api::compat

/// The description of the API that the node serves, as built in.
#pragma once
#include <string_view>

namespace matricula::api {

/// openapi.yaml of this folder.
extern const std::string_view openapi_yaml;

} // namespace matricula::api

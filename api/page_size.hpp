/// The query parameter `limit` of every list.
#pragma once
#include "api/route.hpp"

#include <cstddef>

namespace matricula::api {

/// 1 to 1,000; 100 when absent. Refuses anything else with 400.
[[nodiscard]] outcome<std::size_t> page_size(const request& from);

} // namespace matricula::api

/// Generators of other systems, as connectors implement them: domain/registrants/id_generator.hpp has the interface.
#pragma once
#include "domain/registrants/id_generator.hpp"

#include <string_view>

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;
using registrants::id_generator;
[[nodiscard]] std::string_view to_string(call_outcome o) noexcept;

} // namespace matricula::connectors

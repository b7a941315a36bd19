/// What a Spring Cloud Config server answers: property sources, the most important first, as flat names and values.
/// Source: Spring Cloud Config, "Environment Repository" (the resource /{application}/{profile}/{label}).
#pragma once
#include "foundation/error.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::connectors {

/// By name; numbers and booleans as their text.
using properties = std::map<std::string, std::string, std::less<>>;

inline constexpr std::size_t document_bytes_max = std::size_t{4} << 20;

/// {"propertySources":[{"name":...,"source":{"key":"value",...}},...]}; of two sources with one key the first wins.
/// Values that are no text, number or boolean are left out, as are other members.
/// Errors: invalid_argument (no such document, or over document_bytes_max).
[[nodiscard]] result<properties> parse_spring_document(std::string_view text);

/// The value of `name` with its placeholders, "${other:default}", put in: the server leaves that to its clients.
/// Nothing when there is no such property. Errors: invalid_argument (a placeholder without value or default, or going
/// round in a circle).
[[nodiscard]] result<std::optional<std::string>> resolve(const properties& all, std::string_view name);

} // namespace matricula::connectors

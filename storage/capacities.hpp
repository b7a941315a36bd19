/// Rows about the capacity of identifier types: what was counted once for a space, and how fast a type is used up.
/// In shard 0, among the node's own rows.
#pragma once
#include "domain/identifiers/usage_history.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage {

/// What was counted or estimated of a space. @param space in words (identifiers::describe_space)
[[nodiscard]] result<std::optional<identifiers::capacity_estimate>> find_capacity(const view& v,
                                                                                  std::string_view space);
void put_capacity(batch& into, std::string_view space, const identifiers::capacity_estimate& capacity);

struct type_usage {
  identifiers::usage_history history;
  std::uint32_t warned = 0; ///< per cent: the highest threshold that an alarm was raised for
  bool operator==(const type_usage&) const = default;
};
[[nodiscard]] result<std::optional<type_usage>> find_usage(const view& v, std::string_view type);
void put_usage(batch& into, std::string_view type, const type_usage& usage);

[[nodiscard]] bool is_capacity_key(std::string_view key) noexcept;
/// As JSON. Errors: corrupt. @pre is_capacity_key(key)
[[nodiscard]] result<std::string> describe_capacity_row(std::string_view key, std::string_view value);

} // namespace matricula::storage

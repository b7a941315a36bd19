/// Which of a node's timelines a store belongs to. A store that was restored from a backup begins a new one: what was
/// written to the lost one after the backup is no part of it.
#pragma once
#include "foundation/random.hpp"
#include "storage/store.hpp"

#include <string>
#include <string_view>

namespace matricula::storage {

/// 32 hexadecimal digits: the node's id, until the store is first restored. Errors: io.
[[nodiscard]] result<std::string> find_timeline(const store& in);
/// Begins a new one. @pre nobody else uses the store. Errors: io.
[[nodiscard]] result<void> begin_timeline(store& in, random_source& random);

/// Of column meta.
[[nodiscard]] bool is_timeline_key(std::string_view key) noexcept;
/// As JSON. Errors: corrupt.
[[nodiscard]] result<std::string> describe_timeline(std::string_view value);

} // namespace matricula::storage

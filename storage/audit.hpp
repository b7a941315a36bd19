/// Who did what to the running node. Append only: rows are written and read, never changed.
#pragma once
#include "foundation/clock.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage::audit {

struct entry {
  std::string id; ///< ULID: sorts by time
  timestamp at;
  std::string who;    ///< the principal
  std::string action; ///< a stable code such as "actor.restart"
  std::string target; ///< what it was done to
  std::string reason; ///< as the operator gave it
  std::string request_id;
  bool operator==(const entry&) const = default;
};

inline constexpr std::size_t id_bytes = 26;

[[nodiscard]] std::string key_of(shard_id shard, std::string_view id);
[[nodiscard]] std::optional<std::string> id_in(std::string_view key);
[[nodiscard]] std::string encode(const entry& e);
/// Errors: corrupt.
[[nodiscard]] result<entry> decode(std::string_view id, std::string_view bytes);

void put(batch& to, const entry& e);

struct page {
  std::vector<entry> entries; ///< the newest first
  std::string next;           ///< pass it as `before`; empty at the end
};
/// @param before an id, or empty for the newest. @param limit 1 to 1,000
[[nodiscard]] result<page> list(const view& in, shard_id shard, std::string_view before, std::size_t limit);

} // namespace matricula::storage::audit

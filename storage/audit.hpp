/// Who did what to the running node: a journal. What was kept before there were journals is still read.
#pragma once
#include "foundation/clock.hpp"
#include "storage/batch.hpp"
#include "storage/journal.hpp"
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
inline constexpr journal::chain acts{{0}, 0};

/// What a row of the journal holds.
[[nodiscard]] std::string encode(const entry& e);
/// Errors: corrupt.
[[nodiscard]] result<entry> decode(std::string_view content);

/// Adds the entry to the end of the journal. @param rows every earlier one is in them: the journal has one writer
/// Errors: corrupt, io. @pre the batch is of the journal's shard
[[nodiscard]] result<void> append(const view& rows, batch& to, const entry& e);
/// For tools. Errors: corrupt.
[[nodiscard]] result<std::string> describe(const journal::row& row);

// -- rows of before: one each, by id, without a chain
[[nodiscard]] std::string old_key(std::string_view id);
[[nodiscard]] std::optional<std::string> id_in_old(std::string_view key);
[[nodiscard]] std::string encode_old(const entry& e);
/// Errors: corrupt.
[[nodiscard]] result<entry> decode_old(std::string_view id, std::string_view bytes);

struct page {
  std::vector<entry> entries; ///< the newest first
  std::string next;           ///< pass it as `before`; empty at the end
};
/// Whether `text` may be the `next` of a page.
[[nodiscard]] bool is_cursor(std::string_view text) noexcept;
/// @param before the `next` of an earlier page, or empty for the newest. @param limit 1 to 1,000
[[nodiscard]] result<page> list(const view& in, std::string_view before, std::size_t limit);

} // namespace matricula::storage::audit

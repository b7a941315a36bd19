/// Messages that crashed their actor, kept whole so that they can be looked at and, when declared so, replayed.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/trace.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage::dead_letters {

enum class state : std::uint8_t { kept = 1, replayed = 2 };

struct letter {
  std::string id; ///< ULID
  timestamp at;
  std::string actor;  ///< its path
  std::string reason; ///< a short code, not the exception's text
  std::string message_type;
  std::string summary; ///< for people; without personal data
  std::string payload; ///< the whole message; may hold personal data
  bool replayable = false;
  trace_context trace;
  state now = state::kept;
  bool operator==(const letter&) const = default;
};

/// Per actor and reason.
struct count {
  std::uint64_t kept = 0;    ///< letters that are there
  std::uint64_t dropped = 0; ///< letters that were not kept because of the cap
  bool operator==(const count&) const = default;
};

inline constexpr std::size_t id_bytes = 26;
inline constexpr std::size_t payload_bytes_max =
    std::size_t{128} * 1024; ///< a longer one is cut off and not replayable

[[nodiscard]] std::string encode(const letter& l);
/// Errors: corrupt.
[[nodiscard]] result<letter> decode(std::string_view id, std::string_view bytes);
[[nodiscard]] std::string encode(const count& c);
[[nodiscard]] result<count> decode_count(std::string_view bytes);
[[nodiscard]] std::string key_of(shard_id shard, std::string_view id);
[[nodiscard]] std::string count_key(shard_id shard, std::string_view actor, std::string_view reason);

/// What a key of the column is.
struct parsed_key {
  std::string id;            ///< a letter's, or empty
  std::string actor, reason; ///< a count's, when `id` is empty
};
[[nodiscard]] std::optional<parsed_key> parse_key(std::string_view key);

/// Adds the letter to the batch, or only counts it when `cap` letters of its actor and reason are there already.
/// Returns whether it is kept. @param in shows every earlier put: only one batch of letters may be under way.
[[nodiscard]] result<bool> put(const view& in, batch& to, letter l, std::uint64_t cap);
[[nodiscard]] result<std::optional<letter>> get(const view& in, shard_id shard, std::string_view id);
/// Notes in the batch that it was replayed. Errors: not_found, conflict (replayed already, or not replayable).
[[nodiscard]] result<void> mark_replayed(const view& in, batch& to, std::string_view id);
/// Errors: not_found.
[[nodiscard]] result<void> erase(const view& in, batch& to, std::string_view id);

struct page {
  std::vector<letter> letters; ///< the oldest first
  std::string next;            ///< pass it as `after`; empty at the end
};
/// @param after an id, or empty for the beginning. @param limit 1 to 1,000
[[nodiscard]] result<page> list(const view& in, shard_id shard, std::string_view after, std::size_t limit);
[[nodiscard]] result<count> count_of(const view& in, shard_id shard, std::string_view actor, std::string_view reason);

} // namespace matricula::storage::dead_letters

/// What a request with an idempotency key was answered with, so that the same key gets the same answer. Generic: the
/// payload belongs to the feature that wrote it.
#pragma once
#include "foundation/clock.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage::idempotency {

/// Whose key it is. The row lives in the shard of the aggregate that the request changes.
struct owner {
  std::string_view tenant;
  std::string_view principal;
  std::string_view operation;
  std::string_view key; ///< as the client sent it; only its hash is stored
};

inline constexpr std::size_t hash_bytes = 16;
inline constexpr std::size_t fingerprint_bytes = 32;

struct record {
  std::string fingerprint; ///< SHA-256 of the request: the same key with another request is a mismatch
  timestamp created_at;
  std::optional<timestamp> expires_at; ///< when it may be purged; never without
  bool ended = false;                  ///< what it created is no longer its caller's
  std::uint32_t kind = 0;              ///< how to read the payload; numbers are the features' own
  std::string payload;
  bool operator==(const record&) const = default;
};

/// The first 16 bytes of SHA-256 over the owner's parts, each with its length.
[[nodiscard]] std::string hash_of(const owner& whose);
/// @pre `hash` is 16 bytes
[[nodiscard]] std::string key_of(shard_id shard, std::string_view hash);

/// @pre the fingerprint is 32 bytes
[[nodiscard]] std::string encode(const record& r);
/// Errors: corrupt.
[[nodiscard]] result<record> decode(std::string_view bytes);

[[nodiscard]] result<std::optional<record>> find(const view& in, shard_id shard, std::string_view hash);
void put(batch& to, std::string_view hash, const record& r);
void erase(batch& to, std::string_view hash);

} // namespace matricula::storage::idempotency

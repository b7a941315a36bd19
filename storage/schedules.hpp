/// When each schedule last ran, so that a run missed while the node was down is known.
#pragma once
#include "foundation/clock.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage::schedules {

enum class outcome : std::uint8_t { started = 1, done = 2, failed = 3, skipped = 4 };

struct last_run {
  std::string name;
  timestamp due;     ///< the time that the schedule named
  timestamp started; ///< when it really began
  std::optional<timestamp> finished;
  outcome how = outcome::started;
  std::uint64_t runs = 0;
  std::string message; ///< for people
  bool operator==(const last_run&) const = default;
};

[[nodiscard]] std::string_view to_string(outcome o) noexcept;
[[nodiscard]] std::string key_of(shard_id shard, std::string_view name);
/// The name in a key; nothing when the key is malformed.
[[nodiscard]] std::optional<std::string> name_in(std::string_view key);
[[nodiscard]] std::string encode(const last_run& r);
/// Errors: corrupt.
[[nodiscard]] result<last_run> decode(std::string_view name, std::string_view bytes);

[[nodiscard]] result<std::optional<last_run>> get(const view& in, shard_id shard, std::string_view name);
void put(batch& to, const last_run& r);
/// All of the shard, by name.
[[nodiscard]] result<std::vector<last_run>> list(const view& in, shard_id shard);

} // namespace matricula::storage::schedules

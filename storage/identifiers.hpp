/// The rows of the identifier types: records by counter, pool counters, released list, due index.
#pragma once
#include "domain/identifiers/type.hpp"
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage {

/// Where the rows of one issuer of a type are.
struct id_partition {
  shard_id shard;
  std::uint16_t number = 0; ///< of the type, and counted on for its further issuers: two may live in one shard
  identifiers::lifecycle of = identifiers::lifecycle::pool;
  std::uint32_t issuer = 0;

  [[nodiscard]] column records() const noexcept;
  [[nodiscard]] std::string record_key(std::uint64_t counter) const;
  [[nodiscard]] std::string pool_key() const;
  [[nodiscard]] std::string released_key(std::uint64_t slot) const;
  [[nodiscard]] std::string due_key(const identifiers::due_row& row) const;
  /// The first key of a due row at `from` or later.
  [[nodiscard]] std::string due_lower(timestamp from) const;
};

/// The shard of an issuer of a type.
[[nodiscard]] shard_id id_shard(std::string_view type_name, std::uint32_t issuer = 0);

/// Where the rows of all issuers of a type are, in the order of their numbers.
/// @param number of the type
[[nodiscard]] std::vector<id_partition> id_partitions(std::string_view type_name, std::uint16_t number,
                                                      identifiers::lifecycle of, std::uint32_t issuers);
[[nodiscard]] inline std::vector<id_partition> id_partitions(const identifiers::id_type& type) {
  return id_partitions(type.name, type.number, type.rules.of, type.issuers);
}

/// Adds everything in `changes`, and the counters as they are after it.
void put(batch& into, const id_partition& part, const identifiers::pool_changes& changes,
         const identifiers::pool_counters& counters);

[[nodiscard]] result<std::optional<identifiers::id_record>> find_record(const view& v, const id_partition& part,
                                                                        std::uint64_t counter);
[[nodiscard]] result<identifiers::pool_counters> find_pool(const view& v, const id_partition& part);

/// Due rows with from <= at <= to in time order, at most `limit`.
/// @param unreadable counts the rows that do not decode and are passed over; without it they are errc::corrupt.
[[nodiscard]] result<std::vector<identifiers::due_row>> find_due(const view& v, const id_partition& part,
                                                                 timestamp from, timestamp to, std::size_t limit,
                                                                 std::uint64_t* unreadable = nullptr);

/// Records in counter order from `from` on until `visit` returns false.
[[nodiscard]] result<void> walk_records(const view& v, const id_partition& part, std::uint64_t from,
                                        const std::function<bool(std::uint64_t, const identifiers::id_record&)>& visit);

/// How a type was set up when it first started: it may not change under its identifiers.
struct type_setup {
  std::string name;
  std::uint16_t number = 0;
  identifiers::lifecycle of = identifiers::lifecycle::pool;
  std::string space;           ///< length, alphabet and rules in words
  std::string key_fingerprint; ///< hexadecimal
  std::uint32_t issuers = 1;
  bool operator==(const type_setup&) const = default;
};
[[nodiscard]] result<std::vector<type_setup>> find_types(const view& v);
void put(batch& into, const type_setup& setup); ///< @pre the batch is of shard 0

[[nodiscard]] bool is_type_key(std::string_view key) noexcept;
/// As JSON. Errors: corrupt.
[[nodiscard]] result<std::string> describe_type_setup(std::string_view key, std::string_view value);

/// Gives each type its number: the stored one, or the next free one. Returns the setups that must be written before the
/// types are used. Errors: invalid_argument when a type's lifecycle, space, key or number of issuers differs from how
/// it first started; the message says what to do.
[[nodiscard]] result<std::vector<type_setup>> settle_types(std::span<const type_setup> stored,
                                                           std::span<identifiers::id_type> types);

/// For tools: the parts of a key and the value in readable JSON. Errors: corrupt.
[[nodiscard]] result<std::string> describe_id_row(column where, std::string_view key, std::string_view value);

} // namespace matricula::storage

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

class commit_log;

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
  /// Of the index of imported identifiers, in column pools; the type's own row there has no text behind it.
  [[nodiscard]] std::string import_key(std::string_view id) const;
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

/// Adds everything in `changes`, and the counters as they are after it; without a row of the audit trail. Whoever
/// changes identifiers writes through id_ledger, which calls this.
void put_rows(batch& into, const id_partition& part, const identifiers::pool_changes& changes,
              const identifiers::pool_counters& counters);

[[nodiscard]] result<std::optional<identifiers::id_record>> find_record(const view& v, const id_partition& part,
                                                                        std::uint64_t counter);
[[nodiscard]] result<identifiers::pool_counters> find_pool(const view& v, const id_partition& part);

/// The counter of an imported identifier; nothing when it was not imported.
[[nodiscard]] result<std::optional<std::uint64_t>> find_import(const view& v, const id_partition& part,
                                                               std::string_view id);
[[nodiscard]] result<std::uint64_t> decode_import(std::string_view value);
/// The whole index, by identifier, until `visit` returns false.
[[nodiscard]] result<void> walk_imports(const view& v, const id_partition& part,
                                        const std::function<bool(std::string_view id, std::uint64_t counter)>& visit);

/// Where an identifier of the type is kept, if it is.
struct id_place {
  std::uint64_t counter = 0;
  std::uint32_t issuer = 0;                     ///< that has it now
  std::optional<identifiers::id_record> record; ///< none: it was never issued
};
/// The issuer that takes in an identifier from elsewhere: that of its counter, if it has one.
[[nodiscard]] const id_partition& home_of(std::span<const id_partition> issuers, std::string_view id,
                                          std::optional<std::uint64_t> counter);
/// By its text: first where the permutation has it, then, when anything was imported, among that. Nothing for what is
/// neither an identifier of the type nor imported. Errors: corrupt, io.
/// @param issuers of the type, in the order of their numbers
[[nodiscard]] result<std::optional<id_place>> find_place(const commit_log& log, std::span<const id_partition> issuers,
                                                         const identifiers::id_type& type, std::string_view id,
                                                         bool imports_exist);

/// The same in one view of the whole store.
[[nodiscard]] result<std::optional<id_place>> find_place(const view& all, std::span<const id_partition> issuers,
                                                         const identifiers::id_type& type, std::string_view id,
                                                         bool imports_exist);

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
  std::string key_fingerprint; ///< hexadecimal; of the present key
  std::uint32_t issuers = 1;
  std::vector<identifiers::key_period> past_keys = {}; ///< the keys that it replaced, the oldest first
  bool operator==(const type_setup&) const = default;
};
[[nodiscard]] result<std::vector<type_setup>> find_types(const view& v);
void put(batch& into, const type_setup& setup); ///< @pre the batch is of shard 0

[[nodiscard]] bool is_type_key(std::string_view key) noexcept;
/// As JSON. Errors: corrupt.
[[nodiscard]] result<std::string> describe_type_setup(std::string_view key, std::string_view value);

/// Gives each type its number: the stored one, or the next free one. Returns the setups that must be written before the
/// types are used. Errors: invalid_argument when a type's lifecycle, space, keys or number of issuers differ from how
/// it first started; the message says what to do. Types whose key was replaced get their keys by settle_keys
/// (type_keys.hpp) before.
[[nodiscard]] result<std::vector<type_setup>> settle_types(std::span<const type_setup> stored,
                                                           std::span<identifiers::id_type> types);

/// For tools: the parts of a key and the value in readable JSON. Errors: corrupt.
[[nodiscard]] result<std::string> describe_id_row(column where, std::string_view key, std::string_view value);

} // namespace matricula::storage

/// Journals: chains of rows of which none can be changed, taken away or put elsewhere without it being found.
/// hash(n) = SHA-256(hash(n - 1) || key of row n || row n); a row's key names its chain and its number, its bytes hold
/// its time. The latest hash stands in a row of its own, in the batch of the row that it closes. Somebody who writes
/// the tip down elsewhere can prove later that nothing before it was changed, even by whoever owns the disk.
#pragma once
#include "foundation/clock.hpp"
#include "storage/batch.hpp"
#include "storage/digest_stream.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage::journal {

/// Which chain: 0 of shard 0 is what operators did, the others are of identifier types, by their number and shard.
struct chain {
  shard_id shard;
  std::uint16_t number = 0;
  bool operator==(const chain&) const = default;
};

struct tip {
  std::uint64_t seq = 0; ///< of the last row; 0 = none yet
  std::string hash;      ///< 32 bytes
  timestamp at{};        ///< of the last row; times never run backwards
  bool operator==(const tip&) const = default;
};

/// Where what is kept begins: older rows were dropped.
struct beginning {
  std::uint64_t first = 1;
  std::string hash; ///< of the row before the first one: 32 bytes
  bool operator==(const beginning&) const = default;
};

struct row {
  std::uint64_t seq = 0;
  timestamp at;
  std::string_view content; ///< points into what was read
};

inline constexpr std::size_t overhead_bytes_max = 150; ///< of a row and of the tip, in a batch

/// The end of a chain in the memory of its only writer. Not for more than one thread.
class writer {
public:
  [[nodiscard]] static result<writer> resume(const view& rows, const chain& of);
  /// The number that the next row gets.
  [[nodiscard]] std::uint64_t next() const noexcept { return tip_.seq + 1; }
  /// The time that a row of `at` gets.
  [[nodiscard]] timestamp time_for(timestamp at) const noexcept { return at < tip_.at ? tip_.at : at; }
  /// Adds the row and the new tip.
  void append(batch& to, timestamp at, std::string_view content);

private:
  writer(const chain& of, tip last) : chain_(of), tip_(std::move(last)) {}
  chain chain_;
  tip tip_;
  std::unique_ptr<digest_stream> hasher_ = std::make_unique<digest_stream>();
};

[[nodiscard]] result<tip> find_tip(const view& rows, const chain& of);
[[nodiscard]] result<beginning> find_beginning(const view& rows, const chain& of);

using visitor = std::function<bool(const row&)>;
/// Calls `visit` with the row `seq`; not at all when it is gone. Errors: corrupt, io.
[[nodiscard]] result<void> look_at(const view& rows, const chain& of, std::uint64_t seq, const visitor& visit);
/// Rows from number `from` down, or up, until `visit` returns false. Errors: corrupt, io.
[[nodiscard]] result<void> walk_down(const view& rows, const chain& of, std::uint64_t from, const visitor& visit);
[[nodiscard]] result<void> walk_up(const view& rows, const chain& of, std::uint64_t from, const visitor& visit);
/// The first row of `at` or later; one past the last when there is none. Reads about log2(rows) of them.
[[nodiscard]] result<std::uint64_t> first_not_before(const view& rows, const chain& of, timestamp at);

/// Recomputes the whole chain, row by row. Nothing when it holds, else what is wrong, naming the row's number.
/// @param visit is called with every row that follows from the one before
[[nodiscard]] std::optional<std::string> check(const view& rows, const chain& of, const visitor& visit);

struct trimmed {
  std::uint64_t rows = 0;
  bool more = false;
};
/// Drops the oldest rows, those before `before`, at most `rows_max` of them; the hash at the cut stays, so that the
/// rest can still be checked. @param to a batch of the chain's shard
[[nodiscard]] result<trimmed> trim(const view& rows, batch& to, const chain& of, timestamp before,
                                   std::size_t rows_max);

[[nodiscard]] std::string row_key(const chain& of, std::uint64_t seq);
/// For tools: the row as JSON; `content` shows what is in it. Errors: corrupt.
[[nodiscard]] result<std::string> describe(std::string_view key, std::string_view value,
                                           const std::function<result<std::string>(const chain&, const row&)>& content);

} // namespace matricula::storage::journal

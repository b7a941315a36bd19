/// Rows as people read them: one JSON object a line. The same decoders tell `verify` whether a row is well formed.
#pragma once
#include "storage/batch.hpp"
#include "storage/view.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::storage {

/// A row as a JSON object. Leaves out personal data: payloads are given by their length. Errors: corrupt.
using row_decoder = std::function<result<std::string>(std::string_view key, std::string_view value)>;

/// One decoder a column. A column without one is shown in hexadecimal and not checked.
class row_decoders {
public:
  /// With the decoders of this room: meta, idempotency, dead_letters, schedules, audit.
  row_decoders();
  void set(column of, row_decoder decoder) { decoders_[static_cast<std::size_t>(of)] = std::move(decoder); }
  [[nodiscard]] const row_decoder& of(column c) const { return decoders_[static_cast<std::size_t>(c)]; }

private:
  std::array<row_decoder, column_count> decoders_;
};

/// The column of that name ("meta" or "default" for the first); nothing when there is none.
[[nodiscard]] std::optional<column> column_named(std::string_view name);

struct inspection {
  column where = column::meta;
  std::optional<shard_id> shard; ///< all shards without
  std::uint64_t rows_max = UINT64_MAX;
};
/// Writes a line for each row: column, shard, key in hexadecimal and the row. A row that does not decode is shown with
/// its bytes in hexadecimal and the reason. Returns the number of rows.
[[nodiscard]] result<std::uint64_t> inspect(const view& rows, const inspection& what, const row_decoders& decoders,
                                            const std::function<void(std::string_view line)>& line);

} // namespace matricula::storage

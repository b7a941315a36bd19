/// One atomic change of one shard. Plain bytes, so that every commit-log engine can carry it.
#pragma once
#include "foundation/bytes.hpp"
#include "foundation/error.hpp"
#include "storage/column.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::storage {

/// 0 to 63: where an aggregate lives. The first byte of all its keys.
struct shard_id {
  std::uint8_t value = 0;
  auto operator<=>(const shard_id&) const = default;
};
inline constexpr std::uint8_t shard_count = 64;

class batch {
public:
  static constexpr std::size_t bytes_max = std::size_t{256} * 1024;
  static constexpr std::size_t operations_max = 2'000;

  explicit batch(shard_id shard) noexcept : shard_(shard) {}

  /// @pre `key` starts with the shard's byte; checked in all builds.
  void put(column where, std::string_view key, std::string_view value);
  void erase(column where, std::string_view key);

  [[nodiscard]] shard_id shard() const noexcept { return shard_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return data_.str().size(); }
  [[nodiscard]] std::size_t operations() const noexcept { return operations_; }
  [[nodiscard]] bool empty() const noexcept { return operations_ == 0; }
  /// Whether it keeps the limits that hold on every engine.
  [[nodiscard]] bool fits() const noexcept { return bytes() <= bytes_max && operations_ <= operations_max; }
  void reserve(std::size_t n) { data_.reserve(n); }

  /// The operations in order, as bytes: per operation kind (1 put, 2 erase), column, key, and for a put the value.
  [[nodiscard]] std::string_view encoded() const noexcept { return data_.str(); }

  /// Calls `put(column, key, value)` or `erase(column, key)` for each operation. False when the bytes are malformed.
  template <class Put, class Erase>
  [[nodiscard]] static bool decode(std::string_view encoded, Put&& on_put, Erase&& on_erase);

private:
  shard_id shard_;
  std::size_t operations_ = 0;
  byte_writer data_;
};

} // namespace matricula::storage

#include "storage/batch.ipp"

/// How keys are built: the shard byte, then parts that sort as what they stand for.
#pragma once
#include "storage/batch.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::storage {

/// The shard of an aggregate: the first 8 bytes of SHA-256(`business_key`) as a big-endian number, modulo 64.
/// Stable for ever: rows are found by it.
[[nodiscard]] shard_id shard_of(std::string_view business_key);
/// The first 8 bytes of SHA-256(`text`) as a big-endian number: a partition's number.
[[nodiscard]] std::uint64_t hash64(std::string_view text);

/// Builds a key part by part; keys sort by their parts from left to right.
class key_builder {
public:
  explicit key_builder(shard_id shard) { out_.push_back(static_cast<char>(shard.value)); }
  key_builder& u8(std::uint8_t v) { return big(v, 1); }
  key_builder& u16(std::uint16_t v) { return big(v, 2); }
  key_builder& u32(std::uint32_t v) { return big(v, 4); }
  key_builder& u64(std::uint64_t v) { return big(v, 8); }
  /// Bytes whose length the reader knows, such as a hash.
  key_builder& fixed(std::string_view v) {
    out_.append(v);
    return *this;
  }
  /// Bytes of any length and content: a zero byte becomes 00 FF and 00 00 ends the part, so that "a" sorts before "ab"
  /// and no text can be mistaken for the start of another.
  key_builder& text(std::string_view v);
  [[nodiscard]] const std::string& str() const& noexcept { return out_; }
  [[nodiscard]] std::string str() && noexcept { return std::move(out_); }

private:
  key_builder& big(std::uint64_t v, int bytes);
  std::string out_;
};

/// Reads a key back. After the first malformed part `ok()` is false and later parts are zero or empty.
class key_reader {
public:
  explicit key_reader(std::string_view key) noexcept : in_(key) {}
  shard_id shard() noexcept { return {u8()}; }
  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(big(1)); }
  std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(big(2)); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(big(4)); }
  std::uint64_t u64() noexcept { return big(8); }
  std::string_view fixed(std::size_t bytes) noexcept;
  std::string text();
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// Whether everything was read, and read well.
  [[nodiscard]] bool done() const noexcept { return ok_ && in_.empty(); }

private:
  std::uint64_t big(std::size_t bytes) noexcept;
  std::string_view in_;
  bool ok_ = true;
};

/// The least key above every key that starts with `prefix`: the upper bound of a walk. Empty (= no bound) when there is
/// none.
[[nodiscard]] std::string after_prefix(std::string_view prefix);

} // namespace matricula::storage

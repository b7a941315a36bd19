/// A secret shuffle of [0, n): counters go in, numbers that look random come out, each exactly once.
///
/// Source: J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002), section 5: the generalised
/// Feistel cipher over Z_a x Z_b with n = a * b. Ten rounds that alternate between the halves by modular addition, as
/// FF1 in NIST SP 800-38G; the round function is AES-256, whose 128 bits are mapped to [0, m) by multiplying and
/// keeping the high part (bias below m / 2^128). Since n = a * b exactly, no value ever leaves [0, n) and nothing needs
/// to be walked back into it (cycle walking).
///
/// Below about a million numbers it stays a bijection, but whoever has seen a good part of them may guess the rest: a
/// small space keeps no secrets, whatever the cipher (SP 800-38G asks for a million).
#pragma once
#include "foundation/error.hpp"
#include "foundation/uint128.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace matricula::identifiers {

/// 32 secret bytes; wiped when they go.
class permutation_key {
public:
  static constexpr std::size_t size = 32;

  /// Refuses anything but 32 bytes.
  [[nodiscard]] static result<permutation_key> from_bytes(std::string_view raw);

  permutation_key(const permutation_key&) = default;
  permutation_key& operator=(const permutation_key&) = default;
  ~permutation_key();

  /// The key of one identifier type, from a master key: HMAC-SHA-256 of a label and the name. Neither the master key
  /// nor the key of another type follows from it.
  [[nodiscard]] permutation_key derive(std::string_view type_name) const;

  /// Tells keys apart and reveals nothing of them: 32 hexadecimal digits, the first half of
  /// SHA-256("matricula-key-fingerprint" || key).
  [[nodiscard]] std::string fingerprint() const;

  [[nodiscard]] std::span<const std::uint8_t, size> bytes() const noexcept { return bytes_; }

private:
  permutation_key() = default;
  std::array<std::uint8_t, size> bytes_{};
};

/// A number x of [0, a * b) as x / b and x % b.
struct halves {
  std::uint64_t high = 0; ///< below a
  std::uint64_t low = 0;  ///< below b
  bool operator==(const halves&) const = default;
};

/// Immutable; all members may be called from several threads at once.
class permutation {
public:
  static constexpr unsigned rounds = 10;

  /// A shuffle of [0, sizes.high * sizes.low). Another key, tweak or size gives another, unrelated one.
  /// @param tweak what the numbers are for, such as the name of the type; any bytes.
  /// @pre both sizes are above 0 and their product fits in 128 bits (always so below 2^64 each).
  permutation(const permutation_key& key, std::string_view tweak, halves sizes);
  permutation(permutation&&) noexcept;
  permutation& operator=(permutation&&) noexcept;
  ~permutation();

  /// n
  [[nodiscard]] uint128 size() const noexcept { return static_cast<uint128>(sizes_.high) * sizes_.low; }

  /// The numbers of `first`, `first + stride`, ...: one AES call a round for 256 of them, about 35 ns each.
  /// @pre every counter is below size() and does not overflow.
  void forward(std::uint64_t first, std::uint64_t stride, std::span<halves> out) const;
  /// @pre spans of the same length; every counter is below size().
  void forward(std::span<const std::uint64_t> counters, std::span<uint128> out) const;
  /// @pre counter < size().
  [[nodiscard]] uint128 forward(uint128 counter) const;
  /// The counter that gives `number`. @pre number < size().
  [[nodiscard]] uint128 inverse(uint128 number) const;

private:
  class cipher;
  [[nodiscard]] halves split(uint128 number) const noexcept {
    return {static_cast<std::uint64_t>(number / sizes_.low), static_cast<std::uint64_t>(number % sizes_.low)};
  }
  [[nodiscard]] uint128 join(halves number) const noexcept {
    return static_cast<uint128>(number.high) * sizes_.low + number.low;
  }
  halves sizes_;
  std::unique_ptr<const cipher> cipher_;
};

} // namespace matricula::identifiers

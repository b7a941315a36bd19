/// How a type's counters are shared out among its issuers: issuer s of S walks those congruent to s modulo S. With one
/// issuer every counter is its own index.
#pragma once
#include <cstdint>

namespace matricula::identifiers {

/// An issuer has its own shard: more than there are shards would share them again.
inline constexpr std::uint32_t issuers_max = 64;

/// The counters of one issuer. Its index k stands for counter k * of + number, so that its walk is one interval.
struct issuing_class {
  std::uint32_t number = 0; ///< below `of`
  std::uint32_t of = 1;     ///< issuers of the type, 1 to issuers_max

  [[nodiscard]] constexpr bool holds(std::uint64_t counter) const noexcept { return counter % of == number; }
  [[nodiscard]] constexpr std::uint64_t index(std::uint64_t counter) const noexcept { return counter / of; }
  /// @pre index < indexes(end) of the type's counters: then it does not overflow
  [[nodiscard]] constexpr std::uint64_t counter(std::uint64_t index) const noexcept { return index * of + number; }
  /// How many of the counters below `end` are in the class.
  [[nodiscard]] constexpr std::uint64_t indexes(std::uint64_t end) const noexcept {
    return end > number ? (end - number - 1) / of + 1 : 0;
  }
  /// Of a number for the whole type, what every issuer keeps: rounded up, so that none is left with nothing.
  [[nodiscard]] constexpr std::uint64_t share(std::uint64_t whole) const noexcept {
    return whole / of + (whole % of == 0 ? 0 : 1);
  }
  bool operator==(const issuing_class&) const = default;
};

} // namespace matricula::identifiers

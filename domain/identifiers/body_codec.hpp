/// The body of an identifier, all but its check digit, as a raw number in two halves, and back.
#pragma once
#include "domain/identifiers/permutation.hpp"
#include "domain/identifiers/rules.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {

/// Numbers count the bodies in ascending order. The first symbol counts only those that may stand first, so that every
/// number below sizes().high * sizes().low is a body and the domain splits into two factors of similar size.
class body_codec {
public:
  /// @pre `validate` accepts the format.
  explicit body_codec(const id_format& format);

  [[nodiscard]] halves sizes() const noexcept { return sizes_; }
  [[nodiscard]] std::size_t length() const noexcept { return high_symbols_ + low_symbols_; }

  /// Writes length() symbols to `out`, or gives up half-way and returns false when a few of them already break a rule.
  /// Most raw numbers end here, after one or two look-ups. @pre number is below sizes() in both halves.
  [[nodiscard]] bool write(halves number, char* out) const noexcept;

  /// The number of `body`; nothing when it has another length, a foreign symbol or a forbidden first one.
  [[nodiscard]] std::optional<halves> read(std::string_view body) const noexcept;

private:
  /// Symbols of one chunk; the first is 0 when the chunk breaks a rule on its own.
  using chunk = std::array<char, 4>;
  using chunk_table = std::vector<chunk>;

  [[nodiscard]] static chunk_table make_table(const id_format& format, std::string_view first_choices,
                                              std::size_t length);
  template <alphabet WrittenIn>
  [[nodiscard]] bool write_half(std::uint64_t half, std::size_t count, const chunk_table& top,
                                char* out) const noexcept;

  alphabet written_in_;
  std::string first_symbols_;
  std::size_t high_symbols_;
  std::size_t low_symbols_;
  halves sizes_;
  chunk_table full_;     ///< a whole chunk anywhere
  chunk_table high_top_; ///< what remains at the front of the high half, with the first symbol
  chunk_table low_top_;  ///< what remains at the front of the low half
};

} // namespace matricula::identifiers

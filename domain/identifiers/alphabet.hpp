/// The symbols that identifiers are written with. ASCII, upper case, strict: nothing is folded or trimmed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace matricula::identifiers {

enum class alphabet : std::uint8_t {
  digits, ///< 0123456789
  /// 23456789CFGHJMPQRVWX: the 20 symbols of Open Location Code (Google, 2014), chosen there "to reduce writing errors
  /// and prevent words being spelled". No pair of them is confused in print or handwriting (0 O, 1 I L, 2 Z, 5 S, 8 B,
  /// U V); Crockford's base 32 without vowels still mixes 2 Z, 5 S and 8 B.
  letters_and_digits,
};

/// "digits" or "letters_and_digits".
[[nodiscard]] std::string_view to_string(alphabet a) noexcept;
[[nodiscard]] std::optional<alphabet> parse_alphabet(std::string_view name) noexcept;

/// All symbols in ascending ASCII order; a symbol's place here is its value.
[[nodiscard]] constexpr std::string_view symbols(alphabet a) noexcept {
  return a == alphabet::digits ? std::string_view("0123456789") : std::string_view("23456789CFGHJMPQRVWX");
}

/// How many symbols: 10 or 20.
[[nodiscard]] constexpr std::size_t radix(alphabet a) noexcept { return symbols(a).size(); }

/// The longest identifier whose raw number fits: 32 digits, or 24 letters and digits.
[[nodiscard]] constexpr std::size_t length_max(alphabet a) noexcept { return a == alphabet::digits ? 32 : 24; }

/// Whether every byte of `text` is a symbol of `a`. True for an empty text.
[[nodiscard]] bool is_written_in(alphabet a, std::string_view text) noexcept;

/// The place of `symbol` in `symbols(a)`; nothing for any other byte.
[[nodiscard]] std::optional<unsigned> value_of(alphabet a, char symbol) noexcept;

} // namespace matricula::identifiers

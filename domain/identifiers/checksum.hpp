/// Check digits that catch every single-digit error and every adjacent swap.
/// Source: J. Verhoeff, "Error Detecting Decimal Codes" (1969), dihedral group D5.
#pragma once
#include <cstdint>
#include <string_view>

namespace matricula::identifiers {

/// The digit to append to `body`.
/// @param body 1 to 31 ASCII digits, most significant first.
/// @pre every character is '0'..'9'; checked in all builds.
[[nodiscard]] char check_digit(std::string_view body);

/// Whether the last digit of `id` is the check digit of the rest. False for anything that is not 2 to 32 ASCII digits.
[[nodiscard]] bool has_valid_check_digit(std::string_view id) noexcept;

/// For a body that grows from the left, one look-up a digit: the product over its digits so far. Start with 0.
/// @param places how many digits will stand behind this one, the check digit included
[[nodiscard]] std::uint8_t check_prefix(std::uint8_t product, unsigned digit, unsigned places) noexcept;
/// The check digit's value, when the product is over the whole body.
[[nodiscard]] unsigned check_digit_after(std::uint8_t product) noexcept;

} // namespace matricula::identifiers

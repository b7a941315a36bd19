#include "domain/identifiers/checksum.hpp"

#include "foundation/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace matricula::identifiers {
namespace {

using row = std::array<std::uint8_t, 10>;

/// The product of two elements of D5: 0..4 are the rotations of a pentagon, 5..9 its reflections.
constexpr std::uint8_t product(unsigned a, unsigned b) {
  const unsigned turn = a < 5 ? (a + b) % 5 : (a + 5 - b % 5) % 5;
  return static_cast<std::uint8_t>((a < 5) == (b < 5) ? turn : turn + 5);
}

/// Row k is the k-th power of Verhoeff's position permutation; it has period 8.
constexpr std::array<row, 8> make_permutations() {
  constexpr row base{1, 5, 7, 6, 2, 8, 3, 0, 9, 4};
  std::array<row, 8> powers{};
  for (std::uint8_t digit = 0; digit < 10; ++digit) powers[0][digit] = digit;
  for (std::size_t k = 1; k < powers.size(); ++k)
    for (std::size_t digit = 0; digit < 10; ++digit) powers[k][digit] = base[powers[k - 1][digit]];
  return powers;
}

/// step[k][c][d] = c * permutation^k(d): one look-up a digit.
constexpr auto make_steps() {
  constexpr auto powers = make_permutations();
  std::array<std::array<row, 10>, 8> steps{};
  for (std::size_t k = 0; k < 8; ++k)
    for (std::size_t c = 0; c < 10; ++c)
      for (std::size_t d = 0; d < 10; ++d) steps[k][c][d] = product(static_cast<unsigned>(c), powers[k][d]);
  return steps;
}

constexpr auto steps = make_steps();
constexpr row inverse{0, 4, 3, 2, 1, 5, 6, 7, 8, 9};

/// The product over `digits`, right to left, the last one at position `position`.
std::size_t fold(std::string_view digits, std::size_t position) noexcept {
  std::size_t sum = 0;
  for (auto i = digits.size(); i > 0; --i, ++position)
    sum = steps[position % 8][sum][static_cast<std::size_t>(digits[i - 1] - '0')];
  return sum;
}

bool all_digits(std::string_view text) noexcept {
  for (const char c : text)
    if (c < '0' || c > '9') return false;
  return true;
}

} // namespace

char check_digit(std::string_view body) {
  require(!body.empty() && body.size() <= 31 && all_digits(body), "check_digit wants 1 to 31 ASCII digits");
  return static_cast<char>('0' + inverse[fold(body, 1)]);
}

bool has_valid_check_digit(std::string_view id) noexcept {
  return id.size() >= 2 && id.size() <= 32 && all_digits(id) && fold(id, 0) == 0;
}

std::uint8_t check_prefix(std::uint8_t product_so_far, unsigned digit, unsigned places) noexcept {
  // Digits are multiplied from the right, so what stands left of this one is a factor behind it.
  static constexpr auto permutations = make_permutations();
  static constexpr auto products = [] {
    std::array<row, 10> table{};
    for (unsigned a = 0; a < 10; ++a)
      for (unsigned b = 0; b < 10; ++b) table[a][b] = product(a, b);
    return table;
  }();
  return products[permutations[places % permutations.size()][digit]][product_so_far];
}

unsigned check_digit_after(std::uint8_t of_body) noexcept {
  // Its inverse: a reflection undoes itself.
  return of_body == 0 || of_body >= 5 ? of_body : 5U - of_body;
}

} // namespace matricula::identifiers

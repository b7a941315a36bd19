#include "domain/identifiers/alphabet.hpp"

namespace matricula::identifiers {

std::string_view to_string(alphabet a) noexcept { return a == alphabet::digits ? "digits" : "letters_and_digits"; }

std::optional<alphabet> parse_alphabet(std::string_view name) noexcept {
  for (const auto a : {alphabet::digits, alphabet::letters_and_digits})
    if (name == to_string(a)) return a;
  return std::nullopt;
}

bool is_written_in(alphabet a, std::string_view text) noexcept {
  return text.find_first_not_of(symbols(a)) == std::string_view::npos;
}

std::optional<unsigned> value_of(alphabet a, char symbol) noexcept {
  const auto place = symbols(a).find(symbol);
  if (place == std::string_view::npos) return std::nullopt;
  return static_cast<unsigned>(place);
}

} // namespace matricula::identifiers

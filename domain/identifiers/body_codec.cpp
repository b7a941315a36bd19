#include "domain/identifiers/body_codec.hpp"

#include <cstring>

namespace matricula::identifiers {
namespace {

/// 10^4 or 20^3 chunks: their table fits in the first or second level cache.
constexpr std::size_t chunk_symbols(alphabet a) noexcept { return a == alphabet::digits ? 4 : 3; }

constexpr std::uint64_t power(std::uint64_t base, std::size_t exponent) noexcept {
  std::uint64_t result = 1;
  for (; exponent > 0; --exponent) result *= base;
  return result;
}

/// How many symbols stand before the whole chunks of a half.
std::size_t top_symbols(std::size_t count, std::size_t chunk) noexcept {
  return count == 0 ? 0 : (count - 1) % chunk + 1;
}

} // namespace

body_codec::body_codec(const id_format& format)
    : written_in_(format.written_in), first_symbols_(first_symbols(format.rules, format.written_in)) {
  const auto body = format.length - (has_check_digit(format.rules, written_in_) ? 1 : 0);
  high_symbols_ = (body + 1) / 2;
  low_symbols_ = body / 2;
  sizes_ = {first_symbols_.size() * power(radix(written_in_), high_symbols_ - 1),
            power(radix(written_in_), low_symbols_)};
  const auto size = chunk_symbols(written_in_);
  const auto any = symbols(written_in_);
  full_ = make_table(format, any, size);
  high_top_ = make_table(format, first_symbols_, top_symbols(high_symbols_, size));
  low_top_ = make_table(format, any, top_symbols(low_symbols_, size));
}

body_codec::chunk_table body_codec::make_table(const id_format& format, std::string_view first_choices,
                                               std::size_t length) {
  const auto any = symbols(format.written_in);
  chunk_table table;
  if (length == 0) return table;
  const auto rest = power(any.size(), length - 1);
  table.resize(first_choices.size() * rest);
  for (std::size_t value = 0; value < table.size(); ++value) {
    auto& text = table[value];
    auto left = value;
    for (auto i = length; i-- > 1; left /= any.size()) text[i] = any[left % any.size()];
    text[0] = first_choices[left];
    if (!accepts_part(format.rules, {text.data(), length})) text[0] = 0;
  }
  return table;
}

template <alphabet WrittenIn>
bool body_codec::write_half(std::uint64_t half, std::size_t count, const chunk_table& top, char* out) const noexcept {
  // Constants, so that the compiler divides by multiplying.
  constexpr auto size = chunk_symbols(WrittenIn);
  constexpr auto chunks = power(radix(WrittenIn), size);
  while (count > size) {
    const auto& text = full_[half % chunks];
    if (text[0] == 0) return false;
    count -= size;
    std::memcpy(out + count, text.data(), size);
    half /= chunks;
  }
  if (count == 0) return true;
  const auto& text = top[half];
  std::memcpy(out, text.data(), count);
  return text[0] != 0;
}

bool body_codec::write(halves number, char* out) const noexcept {
  const auto both = [&]<alphabet WrittenIn>() {
    return write_half<WrittenIn>(number.high, high_symbols_, high_top_, out) &&
           write_half<WrittenIn>(number.low, low_symbols_, low_top_, out + high_symbols_);
  };
  return written_in_ == alphabet::digits ? both.operator()<alphabet::digits>()
                                         : both.operator()<alphabet::letters_and_digits>();
}

std::optional<halves> body_codec::read(std::string_view body) const noexcept {
  if (body.size() != length()) return std::nullopt;
  const auto first = first_symbols_.find(body.front());
  if (first == std::string::npos) return std::nullopt;
  halves number{first, 0};
  for (std::size_t i = 1; i < body.size(); ++i) {
    const auto value = value_of(written_in_, body[i]);
    if (!value) return std::nullopt;
    auto& half = i < high_symbols_ ? number.high : number.low;
    half = half * radix(written_in_) + *value;
  }
  return number;
}

} // namespace matricula::identifiers

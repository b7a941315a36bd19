#include "domain/identifiers/generator.hpp"

#include "domain/identifiers/checksum.hpp"
#include "domain/identifiers/profiles.hpp"

#include <algorithm>

namespace matricula::identifiers {
namespace {

/// Enough to keep the AES pipeline full, small enough for a caller that wants few identifiers.
constexpr std::uint64_t batch_max = 256;

} // namespace

id_text::id_text(std::string_view text) : size_(static_cast<std::uint8_t>(text.size())) {
  require(text.size() <= symbols_.size(), "an identifier has at most 32 symbols");
  std::ranges::copy(text, symbols_.begin());
}

result<identifier_space> identifier_space::make(id_format format, const permutation_key& key,
                                                std::string_view type_name) {
  if (auto valid = validate(format.rules, format.written_in, format.length); !valid)
    return std::unexpected(valid.error());
  return identifier_space(std::move(format), key, type_name);
}

identifier_space::identifier_space(id_format format, const permutation_key& key, std::string_view type_name)
    : format_(std::move(format)), check_digit_(has_check_digit(format_.rules, format_.written_in)), codec_(format_),
      permutation_(key, type_name, codec_.sizes()) {}

std::uint64_t identifier_space::counter_end() const noexcept {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::min<uint128>(domain_size(), most));
}

std::optional<id_text> identifier_space::identifier_of(halves number) const {
  std::array<char, 32> text;
  if (!codec_.write(number, text.data())) return std::nullopt;
  const std::string_view body(text.data(), codec_.length());
  if (check_digit_) text[body.size()] = check_digit(body);
  const std::string_view id(text.data(), format_.length);
  if (!accepts(format_.rules, id)) return std::nullopt;
  return id_text(id);
}

std::uint64_t identifier_space::walk(const walk_order& order, std::vector<candidate>& out) const {
  require(order.stride > 0, "a walk needs a stride above 0");
  const auto end = std::min(order.to, counter_end());
  const auto wanted = order.ids_max;
  std::array<halves, batch_max> numbers;
  std::size_t found = 0;
  auto counter = order.from;
  while (counter < end && found < wanted) {
    const auto count = std::min(batch_max, (end - counter - 1) / order.stride + 1);
    const auto batch = std::span(numbers).first(count);
    permutation_.forward(counter, order.stride, batch);
    for (const auto& number : batch) {
      if (const auto id = identifier_of(number)) {
        out.push_back({counter, *id});
        ++found;
      }
      const auto next = counter + order.stride;
      counter = next < counter ? std::numeric_limits<std::uint64_t>::max() : next;
      if (found == wanted) break;
    }
  }
  return counter;
}

std::optional<id_text> identifier_space::id_of(uint128 counter) const {
  if (counter >= domain_size()) return std::nullopt;
  const auto number = permutation_.forward(counter);
  const auto low = codec_.sizes().low;
  return identifier_of({static_cast<std::uint64_t>(number / low), static_cast<std::uint64_t>(number % low)});
}

std::optional<uint128> identifier_space::counter_of(std::string_view id) const {
  if (!failed_rules(id).empty()) return std::nullopt;
  const auto number = codec_.read(id.substr(0, codec_.length()));
  if (!number) return std::nullopt;
  return permutation_.inverse(static_cast<uint128>(number->high) * codec_.sizes().low + number->low);
}

} // namespace matricula::identifiers

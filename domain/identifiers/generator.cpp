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
  return make(std::move(format), {}, key, type_name);
}

result<identifier_space> identifier_space::make(id_format format, std::span<const past_key> past,
                                                const permutation_key& key, std::string_view type_name) {
  if (auto valid = validate(format.rules, format.written_in, format.length); !valid)
    return std::unexpected(valid.error());
  const uint128 numbers = raw_size(format);
  std::uint64_t from = 0;
  for (const auto& one : past) {
    if (one.end <= from || one.end - from > numbers)
      return fail(errc::invalid_argument, "a replaced key ends where it began, or beyond its numbers");
    from = one.end;
  }
  // A space that is larger than all counters never ends, whatever the key; a smaller one must still end exactly.
  if (from >= counters_max || (!past.empty() && numbers < counters_max && from + numbers > counters_max))
    return fail(errc::invalid_argument,
                "the key of this type cannot be replaced once more: its counters would run out of 63 bits. Configure a "
                "new type for what is still to be issued");
  return identifier_space(std::move(format), past, key, type_name);
}

identifier_space::identifier_space(id_format format, std::span<const past_key> past, const permutation_key& key,
                                   std::string_view type_name)
    : format_(std::move(format)), check_digit_(has_check_digit(format_.rules, format_.written_in)), codec_(format_) {
  std::uint64_t from = 0;
  for (const auto& one : past) {
    epochs_.push_back({permutation(one.key, type_name, codec_.sizes()), from, one.end});
    from = one.end;
  }
  permutation present(key, type_name, codec_.sizes());
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  const auto to = static_cast<std::uint64_t>(std::min<uint128>(present.size() + from, most));
  epochs_.push_back({std::move(present), from, to});
}

std::uint64_t identifier_space::counter_end() const noexcept { return epochs_.back().to; }

const identifier_space::epoch& identifier_space::epoch_at(std::uint64_t counter) const noexcept {
  auto at = epochs_.end() - 1;
  while (counter < at->from) --at;
  return *at;
}

std::optional<id_text> identifier_space::identifier_of(halves number, const epoch& under) const {
  std::array<char, 32> text;
  if (!codec_.write(number, text.data())) return std::nullopt;
  const std::string_view body(text.data(), codec_.length());
  if (check_digit_) text[body.size()] = check_digit(body);
  const std::string_view id(text.data(), format_.length);
  if (!accepts(format_.rules, id)) return std::nullopt;
  // Last, because it costs a whole permutation for each earlier key, and few numbers come so far.
  const auto joined = static_cast<uint128>(number.high) * codec_.sizes().low + number.low;
  for (auto earlier = epochs_.begin(); &*earlier != &under; ++earlier)
    if (earlier->shuffle.inverse(joined) < earlier->to - earlier->from) return std::nullopt;
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
    const auto& under = epoch_at(counter);
    const auto count = std::min(batch_max, (std::min(end, under.to) - counter - 1) / order.stride + 1);
    const auto batch = std::span(numbers).first(count);
    under.shuffle.forward(counter - under.from, order.stride, batch);
    for (const auto& number : batch) {
      if (const auto id = identifier_of(number, under)) {
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
  const auto& newest = epochs_.back();
  const auto& under = counter < newest.from ? epoch_at(static_cast<std::uint64_t>(counter)) : newest;
  if (counter - under.from >= domain_size()) return std::nullopt;
  const auto number = under.shuffle.forward(counter - under.from);
  const auto low = codec_.sizes().low;
  return identifier_of({static_cast<std::uint64_t>(number / low), static_cast<std::uint64_t>(number % low)}, under);
}

std::optional<uint128> identifier_space::counter_of(std::string_view id) const {
  if (!failed_rules(id).empty()) return std::nullopt;
  const auto halves = codec_.read(id.substr(0, codec_.length()));
  if (!halves) return std::nullopt;
  const auto number = static_cast<uint128>(halves->high) * codec_.sizes().low + halves->low;
  for (const auto& under : epochs_) {
    const auto counter = under.shuffle.inverse(number) + under.from;
    if (counter < under.to || &under == &epochs_.back()) return counter;
  }
  return std::nullopt;
}

} // namespace matricula::identifiers

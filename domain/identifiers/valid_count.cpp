#include "domain/identifiers/valid_count.hpp"

#include "domain/identifiers/checksum.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::identifiers {
namespace {

using symbol_set = std::uint32_t; ///< bit v: the symbol of value v

constexpr std::size_t symbols_max = 32;

/// A part of an identifier, from its first symbol on, that breaks no rule; and which symbols may follow.
class part {
public:
  explicit part(const id_format& format)
      : rules_(format.rules), length_(format.length), all_(symbols(format.written_in)),
        check_digit_(has_check_digit(format.rules, format.written_in)) {
    for (std::size_t v = 0; v < all_.size(); ++v) {
      digit_[v] = all_[v] >= '0' && all_[v] <= '9' ? all_[v] - '0' : -1;
      if (digit_[v] >= 0) value_of_digit_[static_cast<std::size_t>(digit_[v])] = static_cast<int>(v);
      const bool even = digit_[v] >= 0 && digit_[v] % 2 == 0 && (digit_[v] != 0 || rules_.zero_counts_as_even);
      if (even) evens_ |= symbol_set{1} << v;
    }
    for (const char c : first_symbols(rules_, format.written_in)) first_ |= bit_of(c);
    for (const auto& number : rules_.restricted_numbers) add_forbidden(number);
    if (rules_.cyclic_numbers)
      for (const auto number : cyclic_numbers()) add_forbidden(number);
    for (const auto& prefix : rules_.not_start_with)
      if (prefix.size() > 1) prefixes_.push_back(prefix);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Symbols that are free: all but the check digit.
  [[nodiscard]] std::size_t body() const noexcept { return length_ - (check_digit_ ? 1 : 0); }
  [[nodiscard]] bool ends_in_check_digit() const noexcept { return check_digit_; }

  void push(unsigned v) noexcept {
    const auto last = size_ > 0 ? static_cast<int>(values_[size_ - 1]) : -1;
    const auto& before = run_[size_];
    auto& after = run_[size_ + 1];
    const int d = digit_[v], l = last < 0 ? -1 : digit_[static_cast<std::size_t>(last)];
    const bool both = d >= 0 && l >= 0;
    after.up = both && next_digit(l) == d ? static_cast<std::uint8_t>(before.up + 1) : 1;
    after.down = both && next_digit(d) == l ? static_cast<std::uint8_t>(before.down + 1) : 1;
    after.even = (evens_ >> v & 1) != 0 ? static_cast<std::uint8_t>(before.even + 1) : 0;
    after.equal = last == static_cast<int>(v) ? static_cast<std::uint8_t>(before.equal + 1) : 1;
    if (check_digit_ && size_ < body())
      after.product =
          check_prefix(before.product, static_cast<unsigned>(d), static_cast<unsigned>(length_ - 1 - size_));
    values_[size_] = static_cast<std::uint8_t>(v);
    text_[size_] = all_[v];
    ++size_;
  }
  void pop() noexcept { --size_; }

  /// The value of the check digit. @pre the body is complete and the format has one
  [[nodiscard]] unsigned check_value() const noexcept { return check_digit_after(run_[size_].product); }

  /// The symbols that may come next, as far as the rules for parts of an identifier go.
  [[nodiscard]] symbol_set open() const noexcept {
    auto set = size_ == 0 ? first_ : static_cast<symbol_set>((std::uint64_t{1} << all_.size()) - 1);
    if (size_ > 0) {
      const auto& run = run_[size_];
      const auto last = values_[size_ - 1];
      if (rules_.sequence_limit > 0 && digit_[last] >= 0) {
        if (run.up + 1U >= rules_.sequence_limit) set &= ~bit_of_digit(next_digit(digit_[last]));
        if (run.down + 1U >= rules_.sequence_limit) set &= ~bit_of_digit(previous_digit(digit_[last]));
      }
      if (rules_.repeating_limit > 0) close_repetitions(set);
      if (rules_.repeating_block_limit > 0) close_blocks(set);
    }
    const auto even_limit = rules_.conjugative_even_digits_limit;
    if (even_limit > 0 && run_[size_].even + 1U >= even_limit) set &= ~evens_;
    for (const auto& f : forbidden_)
      if (f.beginning.empty() ||
          (size_ > 0 && text_[size_ - 1] == f.beginning.back() && so_far().ends_with(f.beginning)))
        set &= ~f.last;
    for (const auto& prefix : prefixes_)
      if (prefix.size() == size_ + 1 && prefix.starts_with(so_far())) set &= ~bit_of(prefix.back());
    return set;
  }

  /// Whether rules that look at the whole identifier accept it. @pre it is complete
  [[nodiscard]] bool whole() const noexcept {
    const auto id = so_far();
    if (applies(rules_.digits_limit) && id.substr(0, rules_.digits_limit) == id.substr(size_ - rules_.digits_limit))
      return false;
    return !applies(rules_.reverse_digits_limit) ||
           !std::equal(id.begin(), id.begin() + rules_.reverse_digits_limit, id.rbegin());
  }
  [[nodiscard]] bool has_whole_rules() const noexcept {
    return applies(rules_.digits_limit) || applies(rules_.reverse_digits_limit);
  }

private:
  struct forbidden {
    std::string beginning; ///< all but the last symbol
    symbol_set last = 0;
  };
  struct runs {
    std::uint8_t up = 0, down = 0, even = 0, equal = 0; ///< lengths that end with the last symbol
    std::uint8_t product = 0;                           ///< for the check digit
  };

  [[nodiscard]] std::string_view so_far() const noexcept { return {text_.data(), size_}; }
  [[nodiscard]] bool applies(unsigned limit) const noexcept {
    return limit > 0 && (rules_.groups_may_overlap ? length_ > limit : length_ >= 2 * std::size_t{limit});
  }
  [[nodiscard]] symbol_set bit_of(char c) const noexcept {
    const auto v = all_.find(c);
    return v == std::string_view::npos ? 0 : symbol_set{1} << v;
  }
  [[nodiscard]] symbol_set bit_of_digit(int d) const noexcept {
    if (d < 0 || value_of_digit_[static_cast<std::size_t>(d)] < 0) return 0;
    return symbol_set{1} << value_of_digit_[static_cast<std::size_t>(d)];
  }
  [[nodiscard]] int next_digit(int d) const noexcept { return d < 9 ? d + 1 : rules_.sequence_wraps ? 0 : -1; }
  [[nodiscard]] int previous_digit(int d) const noexcept { return d > 0 ? d - 1 : rules_.sequence_wraps ? 9 : -1; }

  void add_forbidden(std::string_view number) {
    if (number.size() > length_) return;
    forbidden_.push_back({std::string(number.substr(0, number.size() - 1)), bit_of(number.back())});
  }
  void close_repetitions(symbol_set& set) const noexcept {
    const auto last = symbol_set{1} << values_[size_ - 1];
    if (rules_.repeating == repeating_kind::in_a_row) {
      if (run_[size_].equal >= rules_.repeating_limit) set &= ~last;
      return;
    }
    const std::size_t distance_max = rules_.repeating_limit - (rules_.repeating == repeating_kind::below_limit ? 1 : 0);
    for (std::size_t distance = 1; distance <= std::min(distance_max, size_); ++distance)
      set &= ~(symbol_set{1} << values_[size_ - distance]);
  }
  /// A block that ends in the next symbol may not stand before, without overlap.
  void close_blocks(symbol_set& set) const noexcept {
    const std::size_t n = rules_.repeating_block_limit;
    if (size_ + 1 < 2 * n) return;
    const auto* tail = values_.data() + size_ + 1 - n; // n - 1 symbols
    for (std::size_t end = n - 1; end + n <= size_; ++end)
      if (std::equal(tail, tail + n - 1, values_.data() + end + 1 - n)) set &= ~(symbol_set{1} << values_[end]);
  }

  const rule_set& rules_;
  std::size_t length_;
  std::string_view all_;
  bool check_digit_;
  std::array<int, symbols_max> digit_{};
  std::array<int, 10> value_of_digit_{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  symbol_set evens_ = 0, first_ = 0;
  std::vector<forbidden> forbidden_;
  std::vector<std::string> prefixes_;

  std::size_t size_ = 0;
  std::array<std::uint8_t, symbols_max + 1> values_{};
  std::array<char, symbols_max + 1> text_{};
  std::array<runs, symbols_max + 2> run_{};
};

/// Whether the body that is complete has a check digit that the rules accept, and all of it is accepted.
bool completes(part& id) {
  if (!id.ends_in_check_digit()) return id.whole();
  const auto digit = id.check_value();
  if ((id.open() >> digit & 1) == 0) return false;
  if (!id.has_whole_rules()) return true;
  id.push(digit);
  const bool good = id.whole();
  id.pop();
  return good;
}

/// Leaves early, with a number that means nothing, when told to stop.
std::uint64_t count_from(part& id, const std::atomic<bool>* stop) {
  if (id.size() == id.body()) return completes(id) ? 1 : 0;
  if (id.size() <= 6 && stop && stop->load(std::memory_order_relaxed)) return 0;
  std::uint64_t count = 0;
  for (auto open = id.open(); open != 0; open &= open - 1) {
    id.push(static_cast<unsigned>(std::countr_zero(open)));
    count += count_from(id, stop);
    id.pop();
  }
  return count;
}

} // namespace

std::optional<std::uint64_t> count_valid(const id_format& format, const std::atomic<bool>* stop) {
  part id(format);
  const auto count = count_from(id, stop);
  if (stop && stop->load(std::memory_order_relaxed)) return std::nullopt;
  return count;
}

probe_sums probe_valid(const id_format& format, random_source& random, std::uint64_t probes) {
  part id(format);
  probe_sums out;
  for (std::uint64_t i = 0; i < probes; ++i) {
    double weight = 1;
    while (id.size() < id.body()) {
      auto open = id.open();
      const auto choices = static_cast<unsigned>(std::popcount(open));
      if (choices == 0) break;
      weight *= choices;
      for (auto skip = random.below(choices); skip > 0; --skip) open &= open - 1;
      id.push(static_cast<unsigned>(std::countr_zero(open)));
    }
    if (id.size() < id.body() || !completes(id)) weight = 0;
    out.sum += weight;
    out.squares += weight * weight;
    while (id.size() > 0) id.pop();
  }
  return out;
}

} // namespace matricula::identifiers

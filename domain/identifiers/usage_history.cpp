#include "domain/identifiers/usage_history.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>
#include <cmath>

namespace matricula::identifiers {

namespace {

constexpr std::uint8_t version = 1;
constexpr double seconds_a_day = 86'400;

void add(std::vector<usage_history::sample>& to, const usage_history::sample& s, milliseconds step, std::size_t most) {
  if (!to.empty() && s.at - to.back().at < step) return;
  if (to.size() >= most) to.erase(to.begin());
  to.push_back(s);
}

/// Small whatever its sign.
std::uint64_t zigzag(std::int64_t n) noexcept {
  return (static_cast<std::uint64_t>(n) << 1) ^ (n < 0 ? ~std::uint64_t{0} : 0);
}
std::int64_t unzigzag(std::uint64_t n) noexcept {
  return static_cast<std::int64_t>(n >> 1 ^ ((n & 1) != 0 ? ~std::uint64_t{0} : 0));
}

} // namespace

void usage_history::note(timestamp now, std::int64_t consumed) {
  add(fine_, {now, consumed}, fine_step, fine_max);
  add(coarse_, {now, consumed}, coarse_step, coarse_max);
}

std::optional<double> usage_history::per_second(milliseconds window, timestamp now, std::int64_t consumed) const {
  std::optional<sample> since;
  for (const auto* samples : {&fine_, &coarse_})
    for (const auto& s : *samples)
      if (now - s.at <= window + fine_step && (!since || s.at < since->at)) since = s;
  if (!since || now - since->at < fine_step) return std::nullopt;
  const auto seconds = std::chrono::duration<double>(now - since->at).count();
  return static_cast<double>(consumed - since->consumed) / seconds;
}

std::string usage_history::encode() const {
  byte_writer out;
  out.u8(version);
  for (const auto* samples : {&fine_, &coarse_}) {
    out.varint(samples->size());
    for (const auto& s : *samples) out.varint(to_unix_ms(s.at)).varint(zigzag(s.consumed));
  }
  return std::move(out).str();
}

result<usage_history> usage_history::decode(std::string_view bytes) {
  byte_reader in{bytes};
  usage_history h;
  const bool known = in.u8() == version;
  bool bounded = true;
  for (const auto& [samples, most] : {std::pair{&h.fine_, fine_max}, std::pair{&h.coarse_, coarse_max}}) {
    const auto count = in.varint();
    bounded = bounded && count <= most;
    for (std::uint64_t i = 0; i < count && bounded && in.ok(); ++i) {
      const auto at = from_unix_ms(in.varint());
      samples->push_back({at, unzigzag(in.varint())});
    }
  }
  if (!known || !bounded || !in.done())
    return fail(errc::corrupt, "usage history: unknown version, cut short or too long");
  return h;
}

capacity_forecast forecast(const capacity_estimate& capacity, std::uint64_t used, std::optional<double> per_second,
                           timestamp now, std::span<const std::uint32_t> thresholds) {
  capacity_forecast out;
  const auto taken = static_cast<double>(used);
  out.remaining = std::max(0.0, capacity.value - taken);
  out.used_share = capacity.value > 0 ? std::min(1.0, taken / capacity.value) : 1.0;
  for (const auto percent : thresholds)
    if (taken >= capacity.value * percent / 100.0 && percent > out.warning.value_or(0)) out.warning = percent;
  if (out.remaining <= 0) {
    out.days_to_exhaustion = 0;
    out.exhausted_at = now;
  } else if (per_second && *per_second > 0) {
    const auto days = out.remaining / *per_second / seconds_a_day;
    out.days_to_exhaustion = days;
    constexpr double days_shown_max = 365.0 * 7'000;
    if (days < days_shown_max)
      out.exhausted_at = now + milliseconds(static_cast<std::int64_t>(days * seconds_a_day * 1'000));
  }
  return out;
}

} // namespace matricula::identifiers

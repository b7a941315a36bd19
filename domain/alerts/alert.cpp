#include "domain/alerts/alert.hpp"

#include "foundation/bytes.hpp"

#include <array>

namespace matricula::alerts {

namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t debts_max = 256;
enum bit : std::uint8_t { has_ended = 1, is_unheard = 2, is_acknowledged = 4, all_bits = 7 };
enum debt_bit : std::uint8_t { owes_first = 1, owes_recovery = 2, all_debts = 3 };

constexpr std::array<std::string_view, 3> severity_words{"unknown", "warning", "critical"};
constexpr std::array<std::string_view, 4> notice_words{"unknown", "first", "repeat", "recovery"};
constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

/// Bytes of the character that `text` begins with; 0 when it begins with none (RFC 3629).
std::size_t character_bytes(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const auto b = at(0);
  if (b < 0x80) return 1;
  if (b >= 0xC2 && b <= 0xDF) return follows(1) ? 2 : 0;
  if (b >= 0xE0 && b <= 0xEF) {
    const bool overlong = b == 0xE0 && at(1) < 0xA0;
    const bool surrogate = b == 0xED && at(1) > 0x9F;
    return !overlong && !surrogate && follows(1) && follows(2) ? 3 : 0;
  }
  if (b >= 0xF0 && b <= 0xF4) {
    const bool overlong = b == 0xF0 && at(1) < 0x90;
    const bool too_high = b == 0xF4 && at(1) > 0x8F;
    return !overlong && !too_high && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

/// Also those that some readers take for the end of a line: U+0080 to U+009F, U+2028 and U+2029.
bool is_control(std::string_view character) noexcept {
  const auto b = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return b < 0x20 || b == 0x7F;
  if (character.size() == 2) return b == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
  return character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9";
}

/// The end of the year 9999: what is later was not written by anybody.
constexpr std::uint64_t latest_ms = 253'402'300'799'999;

void write_time(byte_writer& out, timestamp t) { out.varint(to_unix_ms(t)); }

/// Times as they are read; notes one that cannot be.
struct time_reader {
  byte_reader& in;
  bool sound = true;
  timestamp next() {
    const auto ms = in.varint();
    sound = sound && ms <= latest_ms;
    return from_unix_ms(sound ? ms : 0);
  }
};

} // namespace

std::string_view to_string(severity s) noexcept {
  const auto i = static_cast<std::size_t>(s);
  return severity_words[i < severity_words.size() ? i : 0];
}

std::string_view to_string(notice_kind k) noexcept {
  const auto i = static_cast<std::size_t>(k);
  return notice_words[i < notice_words.size() ? i : 0];
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    const auto bytes = character_bytes(text);
    auto next = bytes == 0 ? replacement : text.substr(0, bytes);
    if (bytes != 0 && is_control(next)) next = " ";
    if (out.size() + next.size() > bytes_max) break;
    out += next;
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

std::string encode(const alert& a) {
  byte_writer out;
  const auto bits =
      (a.ended_at ? has_ended : 0) | (a.unheard ? is_unheard : 0) | (a.acknowledged_at ? is_acknowledged : 0);
  out.u8(version).u8(static_cast<std::uint8_t>(bits)).u8(static_cast<std::uint8_t>(a.how)).varint(a.id);
  out.text(a.rule).text(a.subject).text(a.text);
  write_time(out, a.since);
  write_time(out, a.told_at);
  write_time(out, a.next_due);
  out.varint(a.told).varint(a.returns);
  if (a.ended_at) write_time(out, *a.ended_at);
  if (a.acknowledged_at) {
    write_time(out, *a.acknowledged_at);
    out.text(a.acknowledged_by);
  }
  out.varint(a.debts.size());
  for (const auto& d : a.debts)
    out.text(d.sink).u8(static_cast<std::uint8_t>((d.first ? owes_first : 0) | (d.recovery ? owes_recovery : 0)));
  return std::move(out).str();
}

result<alert> decode_alert(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto bits = in.u8();
  const auto how = in.u8();
  alert a;
  a.how = static_cast<severity>(how);
  a.id = in.varint();
  a.rule = in.text();
  a.subject = in.text();
  a.text = in.text();
  time_reader times{in};
  a.since = times.next();
  a.told_at = times.next();
  a.next_due = times.next();
  const auto told = in.varint(), returns = in.varint();
  a.unheard = (bits & is_unheard) != 0;
  if ((bits & has_ended) != 0) a.ended_at = times.next();
  if ((bits & is_acknowledged) != 0) {
    a.acknowledged_at = times.next();
    a.acknowledged_by = in.text();
  }
  const auto debts = in.varint();
  bool sound = debts <= debts_max;
  for (std::uint64_t i = 0; sound && in.ok() && i < debts; ++i) {
    debt d;
    d.sink = in.text();
    const auto owed = in.u8();
    d.first = (owed & owes_first) != 0;
    d.recovery = (owed & owes_recovery) != 0;
    sound = owed <= all_debts;
    a.debts.push_back(std::move(d));
  }
  if (found_version != version || bits > all_bits || how < 1 || how > 2 || a.id == 0 || told > UINT32_MAX ||
      returns > UINT32_MAX || !sound || !times.sound || !in.done())
    return fail(errc::corrupt, "an alert: unknown version or malformed");
  a.told = static_cast<std::uint32_t>(told);
  a.returns = static_cast<std::uint32_t>(returns);
  return a;
}

} // namespace matricula::alerts

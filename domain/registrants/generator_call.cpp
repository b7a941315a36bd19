#include "domain/registrants/generator_call.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>
#include <array>

namespace matricula::registrants {

namespace {
constexpr std::uint8_t version = 1;
enum bit : std::uint8_t { was_doubted = 1, was_resolved = 2, all_bits = 3 };
constexpr std::array<std::string_view, 5> words{"unknown", "open", "answered", "in_doubt", "resolved"};
} // namespace

std::string_view to_string(call_state s) noexcept {
  const auto i = static_cast<std::size_t>(s);
  return words[i < words.size() ? i : 0];
}

std::optional<call_state> parse_call_state(std::string_view word) noexcept {
  const auto* const found = std::find(words.begin() + 1, words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<call_state>(found - words.begin());
}

std::string encode(const generator_call& c) {
  byte_writer out;
  const auto bits = (c.doubted_at ? was_doubted : 0) | (c.resolved_at ? was_resolved : 0);
  out.u8(version).u8(static_cast<std::uint8_t>(c.state)).u8(static_cast<std::uint8_t>(bits));
  out.varint(c.number).varint(c.registrant).varint(c.task).text(c.generator).varint(to_unix_ms(c.began_at));
  if (c.doubted_at) out.varint(to_unix_ms(*c.doubted_at));
  if (c.resolved_at) out.varint(to_unix_ms(*c.resolved_at));
  out.text(c.reason).text(c.unique_id).text(c.resolved_by).text(c.note);
  return std::move(out).str();
}

result<generator_call> decode_generator_call(std::string_view bytes) {
  byte_reader in{bytes};
  generator_call c;
  const auto found_version = in.u8();
  const auto state = in.u8();
  const auto bits = in.u8();
  c.number = in.varint();
  c.registrant = in.varint();
  c.task = in.varint();
  c.generator = in.text();
  c.began_at = from_unix_ms(in.varint());
  if ((bits & was_doubted) != 0) c.doubted_at = from_unix_ms(in.varint());
  if ((bits & was_resolved) != 0) c.resolved_at = from_unix_ms(in.varint());
  c.reason = in.text();
  c.unique_id = in.text();
  c.resolved_by = in.text();
  c.note = in.text();
  if (found_version != version || !in.done() || state == 0 || state >= words.size() || bits > all_bits ||
      c.number == 0 || c.registrant == 0)
    return fail(errc::corrupt, "call of a generator: unknown version or malformed");
  c.state = static_cast<call_state>(state);
  return c;
}

} // namespace matricula::registrants

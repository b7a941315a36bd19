#include "domain/registrants/registrant.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>
#include <charconv>

namespace matricula::registrants {

namespace {
constexpr std::uint8_t version = 1;
constexpr std::array<std::string_view, 6> words{"unknown", "none", "requested", "assigned", "confirmed", "failed"};
constexpr std::string_view key_prefix = "registrant:";
} // namespace

std::string_view to_string(id_progress p) noexcept {
  const auto i = static_cast<std::size_t>(p);
  return words[i < words.size() ? i : 0];
}

std::optional<id_progress> parse_id_progress(std::string_view word) noexcept {
  const auto* const found = std::find(words.begin() + 1, words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<id_progress>(found - words.begin());
}

bool is_unique_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= registrant::unique_id_bytes_max && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

std::string encode(const registrant& r) {
  byte_writer out;
  out.u8(version).u8(static_cast<std::uint8_t>(r.progress));
  out.varint(r.id)
      .text(r.kind)
      .text(r.id_type)
      .text(r.generator)
      .text(r.reference)
      .text(r.unique_id)
      .varint(r.assignment);
  out.varint(r.request_task).varint(r.update_task);
  out.varint(to_unix_ms(r.created_at)).varint(to_unix_ms(r.changed_at)).text(r.created_by).text(r.tenant);
  return std::move(out).str();
}

result<registrant> decode_registrant(std::string_view bytes) {
  byte_reader in{bytes};
  registrant r;
  const auto found_version = in.u8();
  const auto progress = in.u8();
  r.id = in.varint();
  r.kind = in.text();
  r.id_type = in.text();
  r.generator = in.text();
  r.reference = in.text();
  r.unique_id = in.text();
  const auto assignment = in.varint();
  r.request_task = in.varint();
  r.update_task = in.varint();
  r.created_at = from_unix_ms(in.varint());
  r.changed_at = from_unix_ms(in.varint());
  r.created_by = in.text();
  r.tenant = in.text();
  if (found_version != version || !in.done() || progress == 0 || progress >= words.size() || r.id == 0 ||
      assignment > UINT32_MAX)
    return fail(errc::corrupt, "registrant: unknown version or malformed");
  r.progress = static_cast<id_progress>(progress);
  r.assignment = static_cast<std::uint32_t>(assignment);
  return r;
}

std::string task_key_of(std::uint64_t registrant) { return std::string(key_prefix) + std::to_string(registrant); }

std::optional<std::uint64_t> registrant_of_key(std::string_view key) noexcept {
  if (!key.starts_with(key_prefix)) return std::nullopt;
  key.remove_prefix(key_prefix.size());
  std::uint64_t id = 0;
  const auto [end, bad] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (bad != std::errc{} || end != key.data() + key.size() || key.starts_with('0')) return std::nullopt;
  return id;
}

std::string task_payload_of(std::uint64_t registrant) {
  return "{\"registrant_id\":" + std::to_string(registrant) + "}";
}

} // namespace matricula::registrants

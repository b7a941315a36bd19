#include "storage/audit.hpp"

#include "foundation/bytes.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

#include <algorithm>
#include <charconv>

namespace matricula::storage::audit {

namespace {
constexpr std::uint8_t version = 1;

std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
  std::uint64_t n = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (bad != std::errc{} || end != text.data() + text.size() || text.empty() || n == 0) return std::nullopt;
  return n;
}
} // namespace

std::string encode_old(const entry& e) {
  byte_writer out;
  out.u8(version);
  write_time(out, e.at);
  out.text(e.who).text(e.action).text(e.target).text(e.reason).text(e.request_id);
  return std::move(out).str();
}

result<entry> decode_old(std::string_view id, std::string_view bytes) {
  byte_reader in{bytes};
  entry e;
  e.id = id;
  const auto found_version = in.u8();
  e.at = read_time(in);
  e.who = in.text();
  e.action = in.text();
  e.target = in.text();
  e.reason = in.text();
  e.request_id = in.text();
  if (found_version != version || !in.done()) return fail(errc::corrupt, "an audit row does not decode");
  return e;
}

std::string encode(const entry& e) { return e.id + encode_old(e); }

result<entry> decode(std::string_view content) {
  if (content.size() < id_bytes) return fail(errc::corrupt, "an audit row does not decode");
  return decode_old(content.substr(0, id_bytes), content.substr(id_bytes));
}

std::string old_key(std::string_view id) { return key_builder{acts.shard}.fixed(id).str(); }

std::optional<std::string> id_in_old(std::string_view key) {
  if (key.size() != 1 + id_bytes) return std::nullopt;
  return std::string(key.substr(1));
}

result<void> append(const view& rows, batch& to, const entry& e) {
  require(e.id.size() == id_bytes, "an audit entry's id is a ULID");
  auto end = journal::writer::resume(rows, acts);
  if (!end) return std::unexpected(end.error());
  end->append(to, e.at, encode(e));
  return {};
}

result<std::string> describe(const journal::row& row) {
  const auto e = decode(row.content);
  if (!e) return std::unexpected(e.error());
  return json_line{}
      .text("id", e->id)
      .text("who", e->who)
      .text("action", e->action)
      .text("target", e->target)
      .text("reason", e->reason)
      .text("request_id", e->request_id)
      .str();
}

bool is_cursor(std::string_view text) noexcept { return text.size() == id_bytes || number_in(text).has_value(); }

result<page> list(const view& in, std::string_view before, std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, 1'000);
  page out;
  std::optional<error> bad;
  const auto add = [&](result<entry> e, std::string next) {
    if (out.entries.size() == limit) {
      out.next = std::move(next);
      return false;
    }
    if (!e) {
      bad = e.error();
      return false;
    }
    out.entries.push_back(std::move(*e));
    return true;
  };
  // A cursor names the entry that comes first on its page.
  const bool among_old = before.size() == id_bytes;
  if (!among_old) {
    const auto from = number_in(before).value_or(UINT64_MAX);
    const auto walked = journal::walk_down(
        in, acts, from, [&](const journal::row& r) { return add(decode(r.content), std::to_string(r.seq)); });
    if (!walked) return std::unexpected(walked.error());
  }
  if (out.next.empty() && !bad) {
    const std::string prefix(1, static_cast<char>(acts.shard.value));
    const auto upper = among_old ? old_key(before) + '\0' : after_prefix(prefix);
    const auto walked = in.walk_back(column::audit, prefix, upper, [&](std::string_view key, std::string_view value) {
      return add(decode_old(key.substr(1), value), std::string(key.substr(1)));
    });
    if (!walked) return std::unexpected(walked.error());
  }
  if (bad) return std::unexpected(*bad);
  return out;
}

} // namespace matricula::storage::audit

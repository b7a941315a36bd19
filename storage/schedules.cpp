#include "storage/schedules.hpp"

#include "foundation/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/stored_time.hpp"

namespace matricula::storage::schedules {

namespace {
constexpr std::uint8_t version = 1;
}

std::string_view to_string(outcome o) noexcept {
  switch (o) {
  case outcome::started:
    return "started";
  case outcome::done:
    return "done";
  case outcome::failed:
    return "failed";
  case outcome::skipped:
    return "skipped";
  }
  return "started";
}

std::string key_of(shard_id shard, std::string_view name) { return key_builder{shard}.text(name).str(); }

std::optional<std::string> name_in(std::string_view key) {
  key_reader in{key};
  (void)in.shard();
  auto name = in.text();
  if (!in.done()) return std::nullopt;
  return name;
}

std::string encode(const last_run& r) {
  byte_writer out;
  out.u8(version).u8(static_cast<std::uint8_t>(r.how)).u8(r.finished ? 1 : 0);
  write_time(out, r.due);
  write_time(out, r.started);
  if (r.finished) write_time(out, *r.finished);
  out.varint(r.runs).text(r.message);
  return std::move(out).str();
}

result<last_run> decode(std::string_view name, std::string_view bytes) {
  byte_reader in{bytes};
  last_run r;
  r.name = name;
  const auto found_version = in.u8();
  const auto how = in.u8();
  const auto finished = in.u8();
  r.due = read_time(in);
  r.started = read_time(in);
  if (finished == 1) r.finished = read_time(in);
  r.runs = in.varint();
  r.message = in.text();
  if (found_version != version || how < 1 || how > 4 || finished > 1 || !in.done())
    return fail(errc::corrupt, "the row of a schedule does not decode");
  r.how = static_cast<outcome>(how);
  return r;
}

result<std::optional<last_run>> get(const view& in, shard_id shard, std::string_view name) {
  auto row = in.get(column::schedules, key_of(shard, name));
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return decode(name, **row);
}

void put(batch& to, const last_run& r) { to.put(column::schedules, key_of(to.shard(), r.name), encode(r)); }

result<std::vector<last_run>> list(const view& in, shard_id shard) {
  const std::string prefix(1, static_cast<char>(shard.value));
  std::vector<last_run> out;
  result<void> decoded;
  const auto walked =
      in.walk(column::schedules, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view value) {
        const auto name = name_in(key);
        auto r = name ? decode(*name, value) : fail(errc::corrupt, "the key of a schedule does not decode");
        if (!r) {
          decoded = std::unexpected(r.error());
          return false;
        }
        out.push_back(std::move(*r));
        return true;
      });
  if (!walked) return std::unexpected(walked.error());
  if (!decoded) return std::unexpected(decoded.error());
  return out;
}

} // namespace matricula::storage::schedules

#include "storage/inspect.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"
#include "storage/audit.hpp"
#include "storage/dead_letters.hpp"
#include "storage/group_record.hpp"
#include "storage/idempotency.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"
#include "storage/schedules.hpp"
#include "storage/shard_transfer.hpp"
#include "storage/timeline.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage {

namespace {

std::unexpected<error> undecodable(std::string_view what) {
  return fail(errc::corrupt, fmt::format("{} does not decode", what));
}

result<std::string> counter_row(std::string_view name, std::string_view value) {
  byte_reader in{value};
  const auto n = in.varint();
  if (!in.done()) return undecodable("a counter of the node");
  return json_line{}.text("name", name).number("value", n).str();
}

result<std::string> meta_row(std::string_view key, std::string_view value) {
  if (key == format_key || key == incarnation_key) return counter_row(key.substr(1), value);
  if (key == node_id_key) {
    if (value.size() != 32 || !from_hex(value)) return undecodable("the node's id");
    return json_line{}.text("name", "node_id").text("value", value).str();
  }
  if (key == group_key) {
    const auto group = decode_group_record(value);
    if (!group) return std::unexpected(group.error());
    return json_line{}
        .text("name", "group")
        .number("number", group->number)
        .text("at", to_rfc3339(group->at))
        .text("chain", to_hex(group->chain))
        .str();
  }
  if (is_timeline_key(key)) return describe_timeline(value);
  if (!key.empty() && key == import_marker_key({static_cast<std::uint8_t>(key.front())}))
    return json_line{}.text("name", "unfinished import").str();
  return undecodable("a key of column meta");
}

result<std::string> idempotency_row(std::string_view key, std::string_view value) {
  if (key.size() != 1 + idempotency::hash_bytes) return undecodable("the key of an idempotency row");
  const auto r = idempotency::decode(value);
  if (!r) return std::unexpected(r.error());
  json_line out;
  out.text("hash", to_hex(key.substr(1))).text("fingerprint", to_hex(r->fingerprint)).number("kind", r->kind);
  out.text("created_at", to_rfc3339(r->created_at));
  if (r->expires_at) out.text("expires_at", to_rfc3339(*r->expires_at));
  return out.flag("ended", r->ended).number("payload_bytes", r->payload.size()).str();
}

result<std::string> dead_letter_row(std::string_view key, std::string_view value) {
  const auto parsed = dead_letters::parse_key(key);
  if (!parsed) return undecodable("the key of a dead letter");
  if (parsed->id.empty()) {
    const auto c = dead_letters::decode_count(value);
    if (!c) return std::unexpected(c.error());
    return json_line{}
        .text("actor", parsed->actor)
        .text("reason", parsed->reason)
        .number("kept", c->kept)
        .number("dropped", c->dropped)
        .str();
  }
  const auto l = dead_letters::decode(parsed->id, value);
  if (!l) return std::unexpected(l.error());
  return json_line{}
      .text("id", l->id)
      .text("at", to_rfc3339(l->at))
      .text("actor", l->actor)
      .text("reason", l->reason)
      .text("message_type", l->message_type)
      .text("summary", l->summary)
      .number("payload_bytes", l->payload.size())
      .flag("replayable", l->replayable)
      .flag("replayed", l->now == dead_letters::state::replayed)
      .text("request_id", l->trace.request_id)
      .str();
}

result<std::string> schedule_row(std::string_view key, std::string_view value) {
  const auto name = schedules::name_in(key);
  if (!name) return undecodable("the key of a schedule");
  const auto r = schedules::decode(*name, value);
  if (!r) return std::unexpected(r.error());
  json_line out;
  out.text("name", r->name).text("due", to_rfc3339(r->due)).text("started", to_rfc3339(r->started));
  if (r->finished) out.text("finished", to_rfc3339(*r->finished));
  return out.text("outcome", to_string(r->how)).number("runs", r->runs).text("message", r->message).str();
}

result<std::string> audit_row(std::string_view key, std::string_view value) {
  const auto id = audit::id_in_old(key);
  if (!id) return undecodable("the key of an audit row");
  const auto e = audit::decode_old(*id, value);
  if (!e) return std::unexpected(e.error());
  return json_line{}
      .text("id", e->id)
      .text("at", to_rfc3339(e->at))
      .text("who", e->who)
      .text("action", e->action)
      .text("target", e->target)
      .text("reason", e->reason)
      .text("request_id", e->request_id)
      .str();
}

} // namespace

row_decoders::row_decoders() {
  set(column::meta, meta_row);
  set(column::idempotency, idempotency_row);
  set(column::dead_letters, dead_letter_row);
  set(column::schedules, schedule_row);
  set(column::audit, audit_row);
}

std::optional<column> column_named(std::string_view name) {
  if (name == "meta") return column::meta;
  const auto found = std::ranges::find(column_names, name);
  if (found == column_names.end()) return std::nullopt;
  return static_cast<column>(found - column_names.begin());
}

result<std::uint64_t> inspect(const view& rows, const inspection& what, const row_decoders& decoders,
                              const std::function<void(std::string_view)>& line) {
  std::string lower;
  std::string upper;
  if (what.shard) {
    lower.assign(1, static_cast<char>(what.shard->value));
    upper = after_prefix(lower);
  }
  const auto& decode = decoders.of(what.where);
  const auto name = what.where == column::meta ? "meta" : column_names[static_cast<std::size_t>(what.where)];
  std::uint64_t count = 0;
  const auto walked = rows.walk(what.where, lower, upper, [&](std::string_view key, std::string_view value) {
    if (count == what.rows_max) return false;
    ++count;
    json_line out;
    out.text("column", name);
    if (!key.empty() && static_cast<std::uint8_t>(key.front()) < shard_count)
      out.number("shard", static_cast<std::uint8_t>(key.front()));
    out.text("key", to_hex(key));
    const auto row = decode ? decode(key, value) : fail(errc::unsupported, "no decoder");
    if (row)
      out.raw("row", *row);
    else {
      out.text("value", to_hex(value));
      if (decode) out.text("undecodable", row.error().message);
    }
    line(out.str());
    return true;
  });
  if (!walked) return std::unexpected(walked.error());
  return count;
}

} // namespace matricula::storage

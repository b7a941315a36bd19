#include "storage/alerts.hpp"

#include "foundation/bytes.hpp"
#include "storage/json_line.hpp"
#include "storage/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

namespace matricula::storage {

using namespace alerts;

namespace {

enum kind : std::uint8_t { alert_row = 1, next_row };
constexpr std::string_view partition_name = "alerts";
constexpr std::uint8_t version = 1;

std::unexpected<error> malformed(std::string_view what) {
  return fail(errc::corrupt, fmt::format("alerts: {} is malformed", what));
}

struct parsed_key {
  alert_partition part;
  kind of = alert_row;
  std::uint64_t id = 0;
};

std::optional<parsed_key> parse(std::string_view key) {
  key_reader in{key};
  parsed_key out;
  out.part.shard = in.shard();
  const auto k = in.u8();
  if (k != alert_row && k != next_row) return std::nullopt;
  out.of = static_cast<kind>(k);
  if (out.of == alert_row) out.id = in.u64();
  if (!in.done()) return std::nullopt;
  return out;
}

result<std::uint64_t> decode_next(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto next = in.varint();
  if (found_version != version || next == 0 || !in.done()) return malformed("the row of the next number");
  return next;
}

result<std::string> describe_row(std::string_view key, std::string_view value) {
  const auto k = parse(key);
  if (!k) return malformed("a key");
  if (k->of == next_row) {
    const auto next = decode_next(value);
    if (!next) return std::unexpected(next.error());
    return json_line{}.number("next_id", *next).str();
  }
  const auto a = decode_alert(value);
  if (!a) return std::unexpected(a.error());
  json_line out;
  out.number("id", a->id).text("rule", a->rule).text("subject", a->subject).text("severity", to_string(a->how));
  out.text("text", a->text).text("since", to_rfc3339(a->since)).number("told", a->told);
  out.text("told_at", to_rfc3339(a->told_at)).text("next_due", to_rfc3339(a->next_due));
  if (a->ended_at) out.text("ended_at", to_rfc3339(*a->ended_at)).flag("unheard", a->unheard);
  if (a->acknowledged_at) out.text("acknowledged_at", to_rfc3339(*a->acknowledged_at));
  return out.number("debts", a->debts.size()).str();
}

} // namespace

std::string alert_partition::alert_key(std::uint64_t id) const {
  return key_builder{shard}.u8(alert_row).u64(id).str();
}
std::string alert_partition::next_key() const { return key_builder{shard}.u8(next_row).str(); }

alert_partition alerts_of_node() { return {shard_of(partition_name)}; }

result<stored_alerts> find_alerts(const view& v, const alert_partition& part) {
  stored_alerts found;
  const auto next = v.get(column::alerts, part.next_key());
  if (!next) return std::unexpected(next.error());
  if (*next) {
    // Without it numbers go on behind the highest that there is.
    if (const auto n = decode_next(**next))
      found.next_id = *n;
    else
      ++found.unreadable;
  }
  const auto prefix = key_builder{part.shard}.u8(alert_row).str();
  const auto walked =
      v.walk(column::alerts, prefix, after_prefix(prefix), [&](std::string_view key, std::string_view value) {
        const auto k = parse(key);
        auto a = decode_alert(value);
        if (k && a && a->id == k->id)
          found.all.push_back(std::move(*a));
        else
          ++found.unreadable;
        if (k && k->id != UINT64_MAX) found.next_id = std::max(found.next_id, k->id + 1);
        return true;
      });
  if (!walked) return std::unexpected(walked.error());
  return found;
}

void put_next_alert_id(batch& into, const alert_partition& part, std::uint64_t next_id) {
  into.put(column::alerts, part.next_key(), byte_writer{}.u8(version).varint(next_id).str());
}

void alerts_verifier::check(const view& rows, verify_report& report) const {
  std::map<std::uint8_t, std::uint64_t> next, highest;
  std::map<std::tuple<std::uint8_t, std::string, std::string>, std::uint64_t> open;
  std::uint64_t count = 0;
  const auto walked = rows.walk(column::alerts, "", "", [&](std::string_view key, std::string_view value) {
    const auto k = parse(key);
    if (!k) return true; // the check of the rows tells
    const auto shard = k->part.shard.value;
    if (k->of == next_row) {
      if (const auto n = decode_next(value)) next[shard] = *n;
      return true;
    }
    const auto a = decode_alert(value);
    if (!a) return true; // likewise
    ++count;
    if (a->id != k->id) report.add(name(), fmt::format("alert {} stands under another number", a->id));
    highest[shard] = std::max(highest[shard], a->id);
    if (a->ended_at) return true;
    const auto [other, fresh] = open.try_emplace({shard, a->rule, a->subject}, a->id);
    if (!fresh) report.add(name(), fmt::format("alerts {} and {} are open for the same", other->second, a->id));
    return true;
  });
  if (!walked) report.add(name(), walked.error().message);
  for (const auto& [shard, id] : highest)
    if (next[shard] <= id) report.add(name(), "the next number of an alert was given out before");
  report.count("alerts", count);
}

void add_alert_decoder(row_decoders& to) { to.set(column::alerts, describe_row); }

} // namespace matricula::storage

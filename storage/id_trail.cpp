#include "storage/id_trail.hpp"

#include "foundation/bytes.hpp"
#include "storage/json_line.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage::id_trail {

using namespace identifiers;

namespace {

constexpr std::uint8_t version = 1;
enum flag : std::uint8_t { other_time = 1, other_by = 2, other_holder = 4, has_before = 8, all_flags = 15 };
constexpr std::uint8_t last_state = 15;

/// Small numbers for small differences of either sign.
constexpr std::uint64_t zigzag(std::uint64_t from, std::uint64_t to) noexcept {
  const auto d = static_cast<std::int64_t>(to - from);
  return static_cast<std::uint64_t>(d) << 1 ^ static_cast<std::uint64_t>(d >> 63);
}
constexpr std::uint64_t unzigzag(std::uint64_t from, std::uint64_t z) noexcept {
  return from + (z >> 1 ^ (0 - (z & 1)));
}

timestamp minus(timestamp at, std::uint64_t ms) noexcept { return from_unix_ms(to_unix_ms(at) - ms); }

} // namespace

journal::chain chain_of(const id_partition& part) noexcept { return {part.shard, part.number}; }

std::string encode(const note& what, timestamp at) {
  byte_writer out;
  // What the entries of one write have in common stands once: with the first of them.
  const entry none;
  const auto& common = what.entries.empty() ? none : what.entries.front();
  out.reserve(160 + what.entries.size() * (common.id.size() + 12));
  out.u8(version).text(what.tenant).text(what.request_id).text(common.by).text(common.holder);
  out.varint(what.entries.size());
  std::uint64_t counter = 0;
  for (const auto& e : what.entries) {
    const auto flags = (e.at != at ? other_time : 0) | (e.by != common.by ? other_by : 0) |
                       (e.holder != common.holder ? other_holder : 0) | (e.before != 0 ? has_before : 0);
    out.u8(static_cast<std::uint8_t>(flags)).varint(zigzag(counter, e.counter)).text(e.id).varint(e.assignment);
    out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(e.from) << 4 | static_cast<unsigned>(e.to)));
    if (flags & other_time) out.varint(to_unix_ms(at) - to_unix_ms(e.at));
    if (flags & other_by) out.text(e.by);
    if (flags & other_holder) out.text(e.holder);
    if (flags & has_before) out.varint(e.before);
    counter = e.counter;
  }
  return std::move(out).str();
}

result<note> decode(std::string_view content, timestamp at) {
  const auto bad = [](const char* what) { return fail(errc::corrupt, std::string("audit trail: ") + what); };
  byte_reader in{content};
  note out;
  const auto found_version = in.u8();
  out.tenant = in.text();
  out.request_id = in.text();
  const std::string by(in.text());
  const std::string holder(in.text());
  const auto count = in.varint();
  if (found_version != version || !in.ok()) return bad("unknown version or cut short");
  std::uint64_t counter = 0;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    entry e;
    const auto flags = in.u8();
    e.counter = counter = unzigzag(counter, in.varint());
    e.id = in.text();
    const auto assignment = in.varint();
    const auto step = in.u8();
    e.at = flags & other_time ? minus(at, in.varint()) : at;
    e.by = flags & other_by ? in.text() : by;
    e.holder = flags & other_holder ? in.text() : holder;
    if (flags & has_before) e.before = in.varint();
    if (flags > all_flags || assignment > UINT32_MAX) return bad("an entry is malformed");
    e.assignment = static_cast<std::uint32_t>(assignment);
    e.from = static_cast<id_state>(step >> 4);
    e.to = static_cast<id_state>(step & last_state);
    if (to_string(e.from) == "UNKNOWN" || to_string(e.to) == "UNKNOWN") return bad("an unknown state");
    out.entries.push_back(std::move(e));
  }
  if (!in.done()) return bad("cut short or too long");
  return out;
}

namespace {

/// Takes what matches from one row after the other.
class collector {
public:
  collector(const query& what, cursor from, std::size_t limit) : what_(what), from_(from), limit_(limit) {}

  /// The row that names the identifier before this one, when one identifier is asked for.
  [[nodiscard]] std::uint64_t before() const noexcept { return before_; }
  [[nodiscard]] const std::optional<error>& bad() const noexcept { return bad_; }
  [[nodiscard]] page take() { return std::move(out_); }
  void go_on_at(const cursor& c) { out_.next = c; }

  /// False when the page is full or the rest is too old.
  bool add(const journal::row& r) {
    if (r.at < what_.from) return false;
    auto n = decode(r.content, r.at);
    if (!n) {
      bad_ = n.error();
      return false;
    }
    before_ = 0;
    const std::size_t top = r.seq == from_.seq ? from_.place : SIZE_MAX;
    for (std::size_t i = n->entries.size(); i-- > 0;) {
      auto& e = n->entries[i];
      const bool same = !what_.counter || e.counter == *what_.counter;
      if (what_.counter && same) before_ = e.before;
      if (i > top || !same || r.at >= what_.to) continue;
      if (!what_.principal.empty() && e.by != what_.principal) continue;
      if (out_.entries.size() == limit_) {
        out_.next = cursor{r.seq, static_cast<std::uint32_t>(i)};
        return false;
      }
      out_.entries.push_back({r.seq, static_cast<std::uint32_t>(i), n->tenant, n->request_id, std::move(e)});
    }
    return true;
  }

private:
  const query& what_;
  cursor from_;
  std::size_t limit_;
  page out_;
  std::uint64_t before_ = 0;
  std::optional<error> bad_;
};

result<page> find_one(const view& rows, const id_partition& part, const query& what, const cursor& from,
                      std::size_t limit) {
  auto seq = from.seq;
  if (seq == UINT64_MAX) {
    const auto record = find_record(rows, part, *what.counter);
    if (!record) return std::unexpected(record.error());
    seq = *record ? (*record)->journal_seq : 0;
  }
  collector found(what, from, limit);
  for (std::size_t looked = 0; seq != 0; ++looked) {
    if (looked == rows_max) {
      found.go_on_at({seq, UINT32_MAX});
      break;
    }
    std::uint64_t next = 0;
    const auto there = journal::look_at(rows, chain_of(part), seq, [&](const journal::row& r) {
      if (found.add(r)) next = found.before();
      return false;
    });
    if (!there) return std::unexpected(there.error());
    if (found.bad()) return std::unexpected(*found.bad());
    seq = next < seq ? next : 0;
  }
  return found.take();
}

} // namespace

result<page> find(const view& rows, const id_partition& part, const query& what, const cursor& from,
                  std::size_t limit) {
  if (what.counter) return find_one(rows, part, what, from, limit);
  auto top = from.seq;
  if (top == UINT64_MAX && what.to != timestamp::max()) {
    const auto end = journal::first_not_before(rows, chain_of(part), what.to);
    if (!end) return std::unexpected(end.error());
    top = *end - 1;
  }
  collector found(what, from, limit);
  std::size_t looked = 0;
  const auto walked = journal::walk_down(rows, chain_of(part), top, [&](const journal::row& r) {
    if (looked == rows_max) {
      found.go_on_at({r.seq, UINT32_MAX});
      return false;
    }
    ++looked;
    return found.add(r);
  });
  if (!walked) return std::unexpected(walked.error());
  if (found.bad()) return std::unexpected(*found.bad());
  return found.take();
}

result<std::string> describe(const journal::row& row) {
  const auto n = decode(row.content, row.at);
  if (!n) return std::unexpected(n.error());
  std::string list = "[";
  for (const auto& e : n->entries) {
    if (list.size() > 1) list.push_back(',');
    list += json_line{}
                .number("counter", e.counter)
                .text("id", e.id)
                .number("assignment", e.assignment)
                .text("from", to_string(e.from))
                .text("to", to_string(e.to))
                .text("at", to_rfc3339(e.at))
                .text("by", e.by)
                .text("holder", e.holder)
                .number("before", e.before)
                .str();
  }
  return json_line{}.text("tenant", n->tenant).text("request_id", n->request_id).raw("entries", list + "]").str();
}

} // namespace matricula::storage::id_trail

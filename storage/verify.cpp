#include "storage/verify.hpp"

#include "foundation/digest.hpp"
#include "storage/group_record.hpp"
#include "storage/json_line.hpp"
#include "storage/shard_transfer.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace matricula::storage {

namespace {

bool valid_first_byte(column where, std::string_view key) {
  if (key.empty()) return false;
  return static_cast<std::uint8_t>(key.front()) < shard_count || (where == column::meta && key.front() == node_prefix);
}

/// The start of a key in hexadecimal: enough to find the row, too little to tell an identifier.
std::string short_key(std::string_view key) { return to_hex(key.substr(0, 12)) + (key.size() > 12 ? "..." : ""); }

void check_row(column where, std::string_view key, std::string_view value, const row_decoders& decoders,
               verify_report& report) {
  const auto name = column_names[static_cast<std::size_t>(where)];
  if (!valid_first_byte(where, key)) {
    report.add("keys", fmt::format("a key in column {} does not start with a shard: {}", name, short_key(key)));
    return;
  }
  if (where == column::meta && key == import_marker_key({static_cast<std::uint8_t>(key.front())}))
    report.add("imports", fmt::format("shard {} was imported only in part: import it again",
                                      static_cast<std::uint8_t>(key.front())));
  const auto& decode = decoders.of(where);
  if (!decode) return;
  if (const auto row = decode(key, value); !row)
    report.add("rows", fmt::format("in column {}, key {}: {}", name, short_key(key), row.error().message));
}

} // namespace

void verify_report::add(std::string_view check, std::string message) {
  ++found_;
  if (problems_.size() < problems_max) problems_.push_back({std::string(check), std::move(message)});
}

std::string verify_report::to_json() const {
  std::string list = "[";
  for (const auto& p : problems_) {
    if (list.size() > 1) list.push_back(',');
    list += json_line{}.text("check", p.check).text("message", p.message).str();
  }
  json_line numbers;
  for (const auto& [name, n] : counts_) numbers.number(name, n);
  return json_line{}
      .flag("ok", ok())
      .number("problems_found", found_)
      .raw("problems", list + "]")
      .raw("counts", numbers.str())
      .str();
}

verify_report verify(store_options options, const row_decoders& decoders, std::span<const verifier* const> verifiers) {
  verify_report report;
  options.read_only = true;
  const auto opened = store::open(std::move(options));
  if (!opened) {
    report.add("open", opened.error().message);
    return report;
  }
  const auto& s = **opened;
  report.count("groups_in_log", s.groups_chained());
  report.count("last_group", s.last_group().number);
  report.count("mark", s.mark_at_open() ? s.mark_at_open()->number : 0);
  if (const auto whole = s.verify_checksums(); !whole) report.add("tables", whole.error().message);

  const auto rows = s.snapshot();
  for (std::size_t c = 0; c < column_count; ++c) {
    const auto where = static_cast<column>(c);
    std::uint64_t count = 0;
    const auto walked = rows->walk(where, "", "", [&](std::string_view key, std::string_view value) {
      ++count;
      check_row(where, key, value, decoders, report);
      return true;
    });
    report.count(fmt::format("rows_{}", c == 0 ? "meta" : column_names[c]), count);
    if (!walked) report.add("tables", walked.error().message);
  }
  for (const auto* v : verifiers) v->check(*rows, report);
  return report;
}

} // namespace matricula::storage

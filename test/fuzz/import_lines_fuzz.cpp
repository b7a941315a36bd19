// Lines to import, as anybody may send them. The first byte says which format; whatever the rest is, every line is
// either read or has its reason, and what is read is small enough to be kept.
#include "api/import_feed.hpp"
#include "api/import_lines.hpp"
#include "api/json_writer.hpp"
#include "domain/identifiers/profiles.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace {
using namespace matricula;

const identifiers::id_type& a_type() {
  static const auto type = [] {
    identifiers::type_options o;
    o.name = "vid";
    o.profile = "openg2p";
    o.format = {identifiers::alphabet::digits, 5, *identifiers::find_profile("openg2p")};
    o.of = identifiers::lifecycle::vid;
    o.limits = {1, 2};
    seeded_random random(1);
    return *identifiers::make_type(o, *identifiers::permutation_key::from_bytes(std::string(32, 'k')), random);
  }();
  return type;
}

void read(std::string_view text, api::import_format format) {
  const auto lines = api::read_import(text, format);
  if (!lines) {
    require(!lines.error().cause.message.empty(), "a refusal says why");
    return;
  }
  std::set<std::size_t> seen;
  for (const auto& [line, claim] : lines->entries) {
    require(line > 0 && seen.insert(line).second, "a line is read once");
    require(claim.holder.size() <= 64 && api::json::is_utf8(claim.holder), "a holder can be kept and shown");
    const auto row = identifiers::judge(a_type(), claim, true, timestamp{milliseconds{1'700'000'000'000}});
    if (row)
      require(!row->id.empty() && row->id.size() <= identifiers::import_id_bytes_max, "an identifier can be kept");
    else
      require(!row.error().code.empty() && !row.error().message.empty(), "a refusal says why");
  }
  for (const auto& p : lines->problems) {
    require(p.line > 0 && seen.insert(p.line).second, "a line has one reason");
    require(!p.code.empty() && !p.message.empty(), "a refusal says why");
  }
}

/// What the client does with a file: no byte is lost, and lines keep their numbers.
void feed(std::string_view text) {
  std::istringstream in{std::string(text)};
  auto all = api::import_feed::open(in, std::nullopt);
  if (!all) return;
  std::uint64_t expected_line = all->header().empty() ? 1 : 2;
  for (;;) {
    const auto post = all->next();
    require(post.has_value(), "a text can be read to its end");
    if (!*post) break;
    require((*post)->first_line == expected_line, "no line is left out");
    require((*post)->body.size() <= api::import_body_bytes_max, "a body may be sent");
    expected_line += (*post)->lines;
    require((*post)->end <= text.size(), "it ends inside the file");
  }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
  case 'j':
    read(rest, api::import_format::ndjson);
    break;
  case 'c':
    read(rest, api::import_format::csv);
    break;
  case 'p':
    read(rest, api::import_format::plain);
    break;
  default:
    feed(rest);
  }
  return 0;
}

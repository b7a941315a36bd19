// Rows as a damaged disk could give them: any bytes are refused as corrupt or are a row, which written again and read
// again is the same row. The first byte says which kind; whatever it says, the tools must be able to show the rest.
#include "domain/alerts/alert.hpp"
#include "domain/identifiers/grants.hpp"
#include "domain/identifiers/holder.hpp"
#include "domain/identifiers/pool.hpp"
#include "domain/identifiers/record.hpp"
#include "foundation/digest.hpp"
#include "storage/alerts.hpp"
#include "storage/backup.hpp"
#include "storage/group_record.hpp"
#include "storage/holders.hpp"
#include "storage/id_trail.hpp"
#include "storage/identifiers_verifier.hpp"
#include "storage/inspect.hpp"
#include "storage/registrants.hpp"
#include "storage/tasks.hpp"
#include "storage/unconfirmed.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {
using namespace matricula;

/// @param decode from bytes to a result of the row
template <class Decode, class Encode>
void round_trip(std::string_view bytes, Decode&& decode, Encode&& encode) {
  const auto row = decode(bytes);
  if (!row) {
    require(row.error().code == errc::corrupt || row.error().code == errc::unsupported, "damage is called so");
    require(!row.error().message.empty(), "a refusal says why");
    return;
  }
  const auto again = decode(encode(*row));
  require(again && *again == *row, "a row that was read is written to the same");
}

void read_due(std::string_view bytes, identifiers::due_kind kind) {
  round_trip(
      bytes, [kind](std::string_view b) { return identifiers::decode_due_value(timestamp{}, kind, b); },
      [](const identifiers::due_row& row) { return identifiers::encode_due_value(row); });
}

/// The manifest ends with a checksum of itself; without a right one nothing would be read.
void read_manifest(std::string_view bytes) {
  std::string text(bytes);
  text += "end " + to_hex(sha256(bytes)) + "\n";
  round_trip(
      text, [](std::string_view b) { return storage::decode_manifest(b); },
      [](const storage::backup_manifest& m) { return storage::encode(m); });
}

/// The bytes as key and value of a row of every column, as `matricula inspect-store` and `verify` meet them.
void show(std::string_view bytes) {
  static const storage::row_decoders decoders = [] {
    storage::row_decoders all;
    storage::add_identifier_decoders(all);
    storage::add_holder_decoder(all);
    storage::add_task_decoders(all);
    storage::add_registrant_decoder(all);
    storage::add_alert_decoder(all);
    return all;
  }();
  if (bytes.empty()) return;
  const std::size_t key_bytes = static_cast<std::uint8_t>(bytes.front());
  const auto key = bytes.substr(1, key_bytes);
  const auto value = bytes.substr(1 + key.size());
  for (std::size_t c = 0; c < storage::column_count; ++c)
    if (const auto& decode = decoders.of(static_cast<storage::column>(c)))
      if (const auto row = decode(key, value); !row) require(!row.error().message.empty(), "a refusal says why");
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
  case 'r':
    round_trip(rest, identifiers::decode_id_record, [](const identifiers::id_record& r) { return encode(r); });
    break;
  case 'c':
    round_trip(rest, identifiers::decode_pool_counters, [](const identifiers::pool_counters& c) { return encode(c); });
    break;
  case 'i':
    round_trip(rest, identifiers::decode_issued_ids, [](const identifiers::issued_ids& ids) { return encode(ids); });
    break;
  case 'h':
    round_trip(rest, identifiers::decode_holder, [](const identifiers::holder& h) { return encode(h); });
    break;
  case 'e':
    read_due(rest, identifiers::due_kind::expire);
    break;
  case 'p':
    read_due(rest, identifiers::due_kind::purge);
    break;
  case 'g':
    round_trip(rest, storage::decode_group_record, [](const storage::group_record& r) { return encode(r); });
    break;
  case 't': {
    const auto at = timestamp{milliseconds{1'700'000'000'000}};
    round_trip(
        rest, [at](std::string_view b) { return storage::id_trail::decode(b, at); },
        [at](const storage::id_trail::note& n) { return storage::id_trail::encode(n, at); });
    break;
  }
  case 'u':
    round_trip(rest, storage::unconfirmed::decode,
               [](const auto& entries) { return storage::unconfirmed::encode(entries); });
    break;
  case 'b':
    round_trip(rest, identifiers::decode_given_grant, [](const identifiers::given_grant& g) { return encode(g); });
    break;
  case 'k':
    round_trip(rest, tasks::decode_task, [](const tasks::task& t) { return encode(t); });
    break;
  case 'l':
    round_trip(rest, tasks::decode_lease, [](const tasks::lease& l) { return encode(l); });
    break;
  case 'q':
    round_trip(rest, tasks::decode_queue_counts, [](const tasks::queue_counts& c) { return encode(c); });
    break;
  case 'n':
    round_trip(rest, registrants::decode_registrant, [](const registrants::registrant& r) { return encode(r); });
    break;
  case 'd':
    round_trip(rest, registrants::decode_generator_call,
               [](const registrants::generator_call& c) { return encode(c); });
    break;
  case 'a':
    round_trip(rest, alerts::decode_alert, [](const alerts::alert& a) { return encode(a); });
    break;
  case 'm':
    read_manifest(rest);
    break;
  default:
    show(rest);
  }
  return 0;
}

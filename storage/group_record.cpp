#include "storage/group_record.hpp"

#include "foundation/bytes.hpp"

namespace matricula::storage {

namespace {
constexpr std::uint8_t record_version = 1;
std::uint64_t as_bits(timestamp at) { return static_cast<std::uint64_t>(at.time_since_epoch().count()); }
} // namespace

std::string encode(const group_record& r) {
  byte_writer out;
  out.u8(record_version).big64(r.number).big64(as_bits(r.at)).raw(r.chain);
  return std::move(out).str();
}

result<group_record> decode_group_record(std::string_view bytes) {
  byte_reader in{bytes};
  const auto version = in.u8();
  group_record r;
  r.number = in.big64();
  r.at = timestamp{milliseconds{static_cast<std::int64_t>(in.big64())}};
  r.chain = in.raw(group_record::chain_bytes);
  if (version != record_version || !in.done()) return fail(errc::corrupt, "the group row of the store does not decode");
  return r;
}

chain_hash::chain_hash(std::string_view previous, std::uint64_t number, timestamp at) {
  byte_writer head;
  head.raw(previous).big64(number).big64(as_bits(at));
  digest_.add(head.str());
}

} // namespace matricula::storage

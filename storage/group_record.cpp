#include "storage/group_record.hpp"

#include "foundation/bytes.hpp"

#include <openssl/evp.h>

namespace matricula::storage {

namespace {
constexpr std::uint8_t record_version = 1;
std::uint64_t as_bits(timestamp at) { return static_cast<std::uint64_t>(at.time_since_epoch().count()); }
}  // namespace

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

struct chain_hash::context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  context() = default;
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { EVP_MD_CTX_free(md); }
};

chain_hash::chain_hash(std::string_view previous, std::uint64_t number, timestamp at)
    : context_(std::make_unique<context>()) {
  require(context_->md && EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) == 1, "SHA-256 is available");
  byte_writer head;
  head.raw(previous).big64(number).big64(as_bits(at));
  add(head.str());
}

chain_hash::~chain_hash() = default;

void chain_hash::add(std::string_view operations) {
  require(EVP_DigestUpdate(context_->md, operations.data(), operations.size()) == 1, "SHA-256 goes on");
}

std::string chain_hash::finish() {
  std::string out(group_record::chain_bytes, '\0');
  unsigned length = 0;
  require(EVP_DigestFinal_ex(context_->md, reinterpret_cast<unsigned char*>(out.data()), &length) == 1 &&
              length == out.size(),
          "SHA-256 ends");
  return out;
}

}  // namespace matricula::storage

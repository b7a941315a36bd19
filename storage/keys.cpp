#include "storage/keys.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"

namespace matricula::storage {

std::uint64_t hash64(std::string_view text) {
  const auto digest = sha256(text);
  return byte_reader{digest}.big64();
}

shard_id shard_of(std::string_view business_key) {
  return {static_cast<std::uint8_t>(hash64(business_key) % shard_count)};
}

key_builder& key_builder::big(std::uint64_t v, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out_.push_back(static_cast<char>(v >> (8 * i)));
  return *this;
}

key_builder& key_builder::text(std::string_view v) {
  for (const char c : v) {
    out_.push_back(c);
    if (c == '\0') out_.push_back('\xff');
  }
  out_.append(2, '\0');
  return *this;
}

std::uint64_t key_reader::big(std::size_t bytes) noexcept {
  std::uint64_t v = 0;
  for (const char c : fixed(bytes)) v = v << 8 | static_cast<std::uint8_t>(c);
  return v;
}

std::string_view key_reader::fixed(std::size_t bytes) noexcept {
  if (!ok_ || bytes > in_.size()) return ok_ = false, std::string_view{};
  const auto part = in_.substr(0, bytes);
  in_.remove_prefix(bytes);
  return part;
}

std::string key_reader::text() {
  std::string out;
  while (ok_) {
    const auto c = fixed(1);
    if (!ok_) break;
    if (c.front() != '\0') {
      out.push_back(c.front());
      continue;
    }
    const auto escape = fixed(1);
    if (ok_ && escape.front() == '\0') return out;
    if (ok_ && escape.front() != '\xff') ok_ = false;
    out.push_back('\0');
  }
  return {};
}

std::string after_prefix(std::string_view prefix) {
  std::string out{prefix};
  while (!out.empty() && static_cast<std::uint8_t>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<std::uint8_t>(out.back()) + 1);
  return out;
}

} // namespace matricula::storage

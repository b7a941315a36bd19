#include "foundation/random.hpp"

#include "foundation/error.hpp"
#include "foundation/uint128.hpp"

#include <openssl/rand.h>

namespace matricula {

std::uint64_t random_source::below(std::uint64_t bound) {
  require(bound > 0, "random_source::below needs a positive bound");
  // Lemire, "Fast Random Integer Generation in an Interval" (2019): reject the few products that would favour some.
  auto product = static_cast<uint128>(next()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t threshold = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<uint128>(next()) * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t secure_random::next() {
  if (used_ == std::size(buffer_)) {
    require(RAND_bytes(reinterpret_cast<unsigned char*>(buffer_), sizeof(buffer_)) == 1,
            "the operating system gave no random bytes");
    used_ = 0;
  }
  const auto value = buffer_[used_];
  buffer_[used_++] = 0;
  return value;
}

std::string make_ulid(std::int64_t unix_ms, random_source& random) {
  static constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string out(26, '0');
  auto time = static_cast<std::uint64_t>(unix_ms);
  for (int i = 9; i >= 0; --i, time >>= 5) out[static_cast<std::size_t>(i)] = alphabet[time & 31];
  for (std::size_t half = 0; half < 2; ++half) {
    auto bits = random.next();
    for (std::size_t i = 0; i < 8; ++i, bits >>= 5) out[10 + half * 8 + i] = alphabet[bits & 31];
  }
  return out;
}

} // namespace matricula

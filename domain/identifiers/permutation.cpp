#include "domain/identifiers/permutation.hpp"

#include "foundation/bytes.hpp"
#include "foundation/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <bit>

namespace matricula::identifiers {
namespace {

// Blocks are built and read as two 64-bit words in memory order: on a big-endian machine the same key would give other
// identifiers.
static_assert(std::endian::native == std::endian::little);

struct block {
  std::uint64_t low;
  std::uint64_t high;
};
static_assert(sizeof(block) == 16);

constexpr std::size_t batch_max = 256;

std::array<std::uint8_t, 32> hmac_sha256(std::span<const std::uint8_t> key, std::string_view message) {
  std::array<std::uint8_t, 32> mac{};
  unsigned size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac.data(), &size);
  require(done != nullptr && size == mac.size(), "HMAC-SHA-256 is not available");
  return mac;
}

/// 128 random bits as a fraction of [0, modulus): floor(bits * modulus / 2^128).
std::uint64_t scale(const block& bits, std::uint64_t modulus) noexcept {
  const auto carry = static_cast<uint128>(bits.low) * modulus >> 64;
  return static_cast<std::uint64_t>((static_cast<uint128>(bits.high) * modulus + carry) >> 64);
}

// Objects, not functions: a template that takes one of these gets it inlined.
constexpr auto add = [](std::uint64_t x, std::uint64_t y, std::uint64_t modulus) noexcept {
  return x >= modulus - y ? x - (modulus - y) : x + y;
};
constexpr auto subtract = [](std::uint64_t x, std::uint64_t y, std::uint64_t modulus) noexcept {
  return x >= y ? x - y : x + (modulus - y);
};

} // namespace

/// AES-256 under the permutation's own key. Encrypting changes an OpenSSL context, so each call works on a copy.
class permutation::cipher {
public:
  explicit cipher(std::span<const std::uint8_t, 32> key) : context_(EVP_CIPHER_CTX_new()) {
    require(context_ && EVP_EncryptInit_ex(context_.get(), EVP_aes_256_ecb(), nullptr, key.data(), nullptr) == 1 &&
                EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1,
            "AES-256 is not available");
  }

  class session {
  public:
    explicit session(const cipher& of) : context_(EVP_CIPHER_CTX_new()) {
      require(context_ && EVP_CIPHER_CTX_copy(context_.get(), of.context_.get()) == 1, "AES-256 cannot be set up");
    }

    /// In place; one call for all.
    void encrypt(std::span<block> blocks) {
      auto* bytes = reinterpret_cast<unsigned char*>(blocks.data());
      int written = 0;
      const auto ok = EVP_EncryptUpdate(context_.get(), bytes, &written, bytes, static_cast<int>(blocks.size_bytes()));
      require(ok == 1 && static_cast<std::size_t>(written) == blocks.size_bytes(), "AES-256 failed");
    }

    /// Round `round` on every number: the even rounds change the low half by the high one, the odd ones the other way.
    /// @param combine add to go forward, subtract to go back.
    template <class Combine>
    void apply(unsigned round, halves sizes, std::span<halves> numbers, Combine combine) {
      const auto source = round % 2 == 0 ? &halves::high : &halves::low;
      const auto target = round % 2 == 0 ? &halves::low : &halves::high;
      const auto modulus = sizes.*target;
      std::array<block, batch_max> blocks;
      for (std::size_t i = 0; i < numbers.size(); ++i) blocks[i] = {round, numbers[i].*source};
      encrypt(std::span(blocks).first(numbers.size()));
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        auto& half = numbers[i].*target;
        half = combine(half, scale(blocks[i], modulus), modulus);
      }
    }

    void forward(halves sizes, std::span<halves> numbers) {
      for (unsigned round = 0; round < rounds; ++round) apply(round, sizes, numbers, add);
    }
    void inverse(halves sizes, std::span<halves> numbers) {
      for (unsigned round = rounds; round-- > 0;) apply(round, sizes, numbers, subtract);
    }

  private:
    struct free_context {
      void operator()(EVP_CIPHER_CTX* c) const noexcept { EVP_CIPHER_CTX_free(c); }
    };
    std::unique_ptr<EVP_CIPHER_CTX, free_context> context_;
    friend class cipher;
  };

private:
  std::unique_ptr<EVP_CIPHER_CTX, session::free_context> context_;
};

result<permutation_key> permutation_key::from_bytes(std::string_view raw) {
  if (raw.size() != size)
    return fail(errc::invalid_argument, "a permutation key has 32 bytes, this one has " + std::to_string(raw.size()));
  permutation_key key;
  std::ranges::copy(raw, key.bytes_.begin());
  return key;
}

permutation_key::~permutation_key() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

permutation_key permutation_key::derive(std::string_view type_name) const {
  permutation_key derived;
  derived.bytes_ = hmac_sha256(bytes_, byte_writer().text("matricula-type-key").text(type_name).str());
  return derived;
}

std::string permutation_key::fingerprint() const {
  std::string message = "matricula-key-fingerprint";
  message.append(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  auto print = to_hex(sha256(message).substr(0, 16));
  OPENSSL_cleanse(message.data(), message.size());
  return print;
}

permutation::permutation(const permutation_key& key, std::string_view tweak, halves sizes) : sizes_(sizes) {
  require(sizes.high > 0 && sizes.low > 0, "a permutation needs at least one number");
  // All parameters go into the AES key, so that the round blocks need to hold only the round and a half.
  const auto bound =
      byte_writer().text("matricula-permutation").text(tweak).big64(sizes.high).big64(sizes.low).u8(rounds);
  auto aes_key = hmac_sha256(key.bytes(), bound.str());
  cipher_ = std::make_unique<const cipher>(std::span<const std::uint8_t, 32>(aes_key));
  OPENSSL_cleanse(aes_key.data(), aes_key.size());
}

permutation::permutation(permutation&&) noexcept = default;
permutation& permutation::operator=(permutation&&) noexcept = default;
permutation::~permutation() = default;

void permutation::forward(std::uint64_t first, std::uint64_t stride, std::span<halves> out) const {
  cipher::session session(*cipher_);
  auto next = split(first);
  const auto step = split(stride);
  while (!out.empty()) {
    const auto batch = out.first(std::min(out.size(), batch_max));
    for (auto& number : batch) {
      number = next;
      // A division for each counter would cost more than an AES round: carry by hand instead.
      const bool carry = next.low >= sizes_.low - step.low;
      next.low = add(next.low, step.low, sizes_.low);
      next.high += step.high + (carry ? 1 : 0);
    }
    session.forward(sizes_, batch);
    out = out.subspan(batch.size());
  }
}

void permutation::forward(std::span<const std::uint64_t> counters, std::span<uint128> out) const {
  require(counters.size() == out.size(), "a permutation needs room for each number");
  cipher::session session(*cipher_);
  std::array<halves, batch_max> numbers;
  while (!counters.empty()) {
    const auto count = std::min(counters.size(), batch_max);
    for (std::size_t i = 0; i < count; ++i) numbers[i] = split(counters[i]);
    session.forward(sizes_, std::span(numbers).first(count));
    for (std::size_t i = 0; i < count; ++i) out[i] = join(numbers[i]);
    counters = counters.subspan(count);
    out = out.subspan(count);
  }
}

uint128 permutation::forward(uint128 counter) const {
  require(counter < size(), "a counter lies outside the permutation");
  auto number = split(counter);
  cipher::session(*cipher_).forward(sizes_, std::span(&number, 1));
  return join(number);
}

uint128 permutation::inverse(uint128 number) const {
  require(number < size(), "a number lies outside the permutation");
  auto counter = split(number);
  cipher::session(*cipher_).inverse(sizes_, std::span(&counter, 1));
  return join(counter);
}

} // namespace matricula::identifiers

/// Randomness from outside: the operating system's in production, a seed in the simulation.
#pragma once
#include <cstdint>
#include <random>
#include <string>

namespace matricula {

class random_source {
public:
  virtual ~random_source() = default;
  virtual std::uint64_t next() = 0;
  /// Uniform in [0, bound), without modulo bias. @pre bound > 0
  std::uint64_t below(std::uint64_t bound);
};

/// Cryptographically secure (OpenSSL RAND_bytes), buffered. One per thread or actor: not thread safe.
class secure_random final : public random_source {
public:
  std::uint64_t next() override;

private:
  std::uint64_t buffer_[64];
  std::size_t used_ = 64;
};

/// Repeatable, for simulations and tests.
class seeded_random final : public random_source {
public:
  explicit seeded_random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

private:
  std::mt19937_64 engine_;
};

/// A 26-character ULID (github.com/ulid/spec): sortable by `unix_ms`, then random. Crockford base 32, upper case.
[[nodiscard]] std::string make_ulid(std::int64_t unix_ms, random_source& random);

} // namespace matricula
